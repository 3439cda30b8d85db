"""What the server answers: page, pictures, state, faces, commands, over HTTP and WebSocket."""

from __future__ import annotations

import html
import json
import re
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from live.control.before import Before
from live.control.commands import COMMANDS
from live.control.server import ControlServer
from live.control.site import COMMANDS_AT_ONCE, PHOTO_BYTES, VIEWERS
from live.control.stream import encode_jpeg
from live.errors import UsageError
from live.output.web import free_port
from live.session import Taps
from tests.control.asking import WAIT_S, Viewer, ask, keep_filled, picture, served, talk


def test_the_page_is_complete_in_itself(server):
    status, body, headers = ask(server, "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"].split("script-src")[1]
    files = re.findall(r'(?:href|src)="/(page[.]\w+)"', body.decode())
    assert files == ["page.css", "page.js"]
    for text in (body.decode(), *(ask(server, f"/{name}")[1].decode() for name in files)):
        assert "https://" not in text
        assert "http://" not in text


def test_a_picture_can_be_fetched(server, slot):
    slot.put(picture(120))
    status, body, headers = ask(server, "/picture.jpg")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    got = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert got.shape == (48, 64, 3)
    assert abs(int(got[20, 30, 0]) - 120) < 3


def test_before_the_first_picture_a_slate_is_shown(server):
    got = cv2.imdecode(np.frombuffer(ask(server, "/picture.jpg")[1], np.uint8), cv2.IMREAD_COLOR)
    assert got.shape == (360, 640, 3)


def test_a_slot_nobody_fills_any_more_turns_into_a_slate(server, slot):
    slot.put(picture(200))
    deadline_s = time.monotonic() + WAIT_S
    while len(ask(server, "/picture.jpg")[1]) < 3000:  # the slate is larger than a flat picture of 64x48
        assert time.monotonic() < deadline_s


def test_viewers_see_new_pictures(server, slot):
    done = keep_filled(slot, picture(50))
    viewer = Viewer(server)
    while abs(viewer.next() - 50) > 2:
        pass
    done.set()
    done = keep_filled(slot, picture(150))
    while abs(viewer.next() - 150) > 2:
        pass
    done.set()
    viewer.close()


def test_pictures_are_encoded_once_for_all_viewers_and_not_at_all_without(server, slot, monkeypatch):
    encoded = []
    monkeypatch.setattr("live.control.stream.encode_jpeg", lambda frame: encoded.append(frame) or encode_jpeg(frame))
    done = keep_filled(slot, picture(1))
    time_s = time.monotonic()
    while time.monotonic() < time_s + 0.2:
        ask(server, "/state")
    assert not encoded
    viewers = [Viewer(server) for _ in range(4)]
    began_s = time.monotonic()
    for _ in range(10):
        for viewer in viewers:
            viewer.next()
    seconds = time.monotonic() - began_s
    done.set()
    assert 5 <= len(encoded) <= 31 * (seconds + 0.5)
    for viewer in viewers:
        viewer.close()


def test_too_many_viewers_are_refused_and_a_place_becomes_free_again(server, slot):
    done = keep_filled(slot, picture(1))
    viewers = [Viewer(server) for _ in range(VIEWERS)]
    refused = Viewer(server)
    assert refused.answer.status == 503
    refused.close()
    viewers.pop().close()
    deadline_s = time.monotonic() + WAIT_S
    while (viewer := Viewer(server)).answer.status != 200:
        viewer.close()
        assert time.monotonic() < deadline_s
    viewers.append(viewer)
    done.set()
    for viewer in viewers:
        viewer.close()


def test_state_is_json(server, desk):
    status, body, headers = ask(server, "/state")
    assert status == 200
    assert json.loads(body) == desk.state()
    assert headers["Cache-Control"] == "no-store"


def test_commands_arrive(server, desk):
    assert json.loads(ask(server, "/command/panic", "POST")[1]) == {"said": "panic done"}
    body = json.dumps(["Ada", "now"])
    ask(server, "/command/face", "POST", body, Content_Type="application/json", Origin=server.address.rstrip("/"))
    assert desk.heard == [("panic", []), ("face", ["Ada", "now"])]


def test_a_wrong_command_is_told_and_not_run(server, desk):
    status, body, _ = ask(server, "/command/unknown", "POST")
    assert (status, json.loads(body)["error"]) == (400, "no command unknown; there are: panic")
    assert ask(server, "/command/Rm%20-rf", "POST")[0] == 404
    assert ask(server, "/command/panic", "GET")[0] == 405
    assert not desk.heard


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", "application/json"),
        ("[1]", "application/json"),
        ("[", "application/json"),
        ("[" * 4000, "application/json"),
        (json.dumps(["x"] * 9), "application/json"),
        (json.dumps(["x" * 201]), "application/json"),
        ('["x"]', "text/plain"),
    ],
)
def test_strange_arguments_are_refused(server, desk, body, kind):
    assert ask(server, "/command/face", "POST", body, Content_Type=kind)[0] == 400
    assert not desk.heard


def test_a_large_body_is_refused(server, desk):
    assert ask(server, "/command/face", "POST", "x" * 100_000, Content_Type="application/json")[0] == 413
    assert not desk.heard


def test_without_commands_nothing_can_be_steered(slot, desk):
    server = ControlServer(None, free_port(21_000, 1000), desk.state)
    server.start()
    assert ask(server, "/command/panic", "POST")[0] == 404
    server.stop()


def test_a_wide_picture_is_scaled_down():
    got = cv2.imdecode(np.frombuffer(encode_jpeg(picture(9, 1920, 1080)), np.uint8), cv2.IMREAD_COLOR)
    assert got.shape == (720, 1280, 3)


def test_the_state_is_made_once_for_many_who_ask(slot):
    made = []
    server = ControlServer(slot, free_port(21_000, 1000), lambda: made.append(1) or {"face": "Ada"})
    server.start()
    began_s = time.monotonic()
    for _ in range(100):
        assert ask(server, "/state")[0] == 200
    assert len(made) <= 2 + 10 * (time.monotonic() - began_s)
    server.stop()


def test_the_state_is_new_after_a_command(slot):
    panics = []
    server = ControlServer(
        slot, free_port(21_000, 1000), lambda: {"panic": len(panics)}, lambda name, _: panics.append(name) or name
    )
    server.start()
    for count in range(1, 6):
        ask(server, "/command/panic", "POST")
        assert json.loads(ask(server, "/state")[1]) == {"panic": count}
    server.stop()


def test_panic_comes_through_while_other_commands_take_long(slot):
    go_on, done = threading.Event(), []

    def execute(name, arguments):
        if name == "preset":
            assert go_on.wait(WAIT_S)
        done.append(name)
        return name

    server = ControlServer(slot, free_port(21_000, 1000), dict, execute)
    server.start()
    slow = [threading.Thread(target=ask, args=(server, "/command/preset", "POST")) for _ in range(40)]
    for thread in slow:
        thread.start()
    assert ask(server, "/command/panic", "POST")[0] == 200
    assert done == ["panic"]
    go_on.set()
    for thread in slow:
        thread.join()
    server.stop()


def test_too_many_commands_are_refused_but_never_panic(server, desk):
    answers = [ask(server, "/command/next-face", "POST")[0] for _ in range(COMMANDS_AT_ONCE + 60)]
    assert answers[:COMMANDS_AT_ONCE] == [200] * COMMANDS_AT_ONCE
    assert 429 in answers
    assert ask(server, "/command/panic", "POST")[0] == 200


def test_figures_are_there_for_prometheus(server):
    _, body, headers = ask(server, "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = body.decode().splitlines()
    assert 'live_rate_hertz{of="out x"} 29.5' in lines
    assert 'live_latency_seconds{output="x",quantile="0.50"} 0.012' in lines


def test_the_interface_describes_every_command(server):
    described = json.loads(ask(server, "/openapi.json")[1])["paths"]
    page = ask(server, "/api")[1].decode()
    for command in COMMANDS:
        assert f"/command/{command.name}" in described
        assert html.escape(command.help) in page


def test_a_face_is_shown_small_and_an_unknown_one_is_not(slot, desk):
    def thumbnail(name):
        if name != "Ada L":
            raise UsageError(f"no face {name}")
        return b"jpeg"

    server = served(slot, desk, thumbnail=thumbnail)
    server.start()
    assert ask(server, "/faces/Ada%20L.jpg")[:2] == (200, b"jpeg")
    assert ask(server, "/faces/..%2fsecret.jpg")[0] == 404
    server.stop()


def test_a_photo_arrives_with_its_name_and_consent(slot, desk):
    got = []
    server = served(slot, desk, add_face=lambda *given: got.append(given) or "added")
    server.start()
    photo = b"x" * 100_000
    status, body, _ = ask(server, "/faces?name=me&consent=self", "POST", photo, Content_Type="image/jpeg")
    assert (status, json.loads(body)) == (200, {"said": "added"})
    assert got == [(photo, "me", "self")]
    assert ask(server, "/faces?name=me&consent=self", "POST", photo, Content_Type="text/plain")[0] == 415
    assert (
        ask(server, "/faces?name=me", "POST", photo, Content_Type="image/png", Origin="http://evil.example")[0] == 403
    )
    assert len(got) == 1
    server.stop()


def test_a_photo_that_is_too_large_is_refused_before_it_is_read(slot, desk):
    server = served(slot, desk, add_face=lambda *given: "added")
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
        head = f"POST /faces?name=me HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: image/png\r\n"
        connection.sendall(f"{head}Content-Length: {PHOTO_BYTES + 1}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(200)
    server.stop()


def test_the_picture_as_captured_is_taken_only_while_somebody_looks_and_never_in_panic(slot, desk):
    taps, panic = Taps(), threading.Event()
    server = served(slot, desk, before=Before(taps, panic))
    server.start()
    assert taps.before is None
    viewer = Viewer(server, "/before.mjpg")
    until_s = time.monotonic() + WAIT_S
    while taps.before is None:
        assert time.monotonic() < until_s
    done = threading.Event()

    def capture():
        while not done.wait(0.02):
            if (tap := taps.before) is not None:
                tap(picture(120))

    thread = threading.Thread(target=capture)
    thread.start()
    while abs(viewer.next() - 120) > 2:
        assert time.monotonic() < until_s
    panic.set()
    while abs(viewer.next() - 120) <= 2:
        assert time.monotonic() < until_s
    viewer.close()
    panic.clear()
    while taps.before is not None:
        assert time.monotonic() < until_s
    done.set()
    thread.join()
    server.stop()


def test_the_picture_as_captured_can_be_forbidden(server):
    assert ask(server, "/before.mjpg")[0] == 404


def test_a_websocket_gives_the_state_and_takes_commands(server, desk):
    state, answers = talk(
        server,
        '{"id": 7, "command": "face", "arguments": ["Ada"]}',
        '{"id": 8, "command": "unknown"}',
        "{",
        '{"command": "face", "arguments": [1]}',
        "[" * 2000,
    )
    assert state["state"]["face"] == "Ada"
    assert answers[0] == {"id": 7, "said": "face done"}
    assert answers[1] == {"id": 8, "error": "no command unknown; there are: panic"}
    assert all("write" in answer["error"] for answer in answers[2:])
    assert desk.heard == [("face", ["Ada"])]
