import html
import http.client
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
from live.control.guard import COOKIE, Guard
from live.control.server import ControlServer
from live.control.site import COMMANDS_AT_ONCE, PHOTO_BYTES, VIEWERS, Extras
from live.control.stream import encode_jpeg
from live.errors import OutputError, UsageError
from live.output.web import Slot, free_port
from live.pixels.host import bgr_frame
from live.session import Taps

WAIT_S = 10.0


def picture(number, width_px=64, height_px=48):
    bgr = np.full((height_px, width_px, 3), number % 256, np.uint8)
    return bgr_frame(bgr, time_s=0.0, number=number)


class Desk:
    """The commands and the state of a run that does nothing."""

    def __init__(self):
        self.heard = []

    def execute(self, name, arguments):
        if name == "unknown":
            raise UsageError("no command unknown; there are: panic")
        self.heard.append((name, arguments))
        return f"{name} done"

    def state(self):
        return {"face": "Ada", "measured": {"fps": {"out x": 29.5}, "latency_ms": {"x": {"p50": 12.0}}}}


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def slot():
    return Slot()


@pytest.fixture
def server(slot, desk):
    server = ControlServer(slot, free_port(21_000, 1000), desk.state, desk.execute)
    server.start()
    yield server
    server.stop()


def ask(server, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body=body, headers=names)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


class Viewer:
    """Watches the stream."""

    def __init__(self, server, path="/stream.mjpg"):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
        self._connection.request("GET", path)
        self.answer = self._connection.getresponse()
        if self.answer.status == 200:
            assert self.answer.readline() == b"--picture\r\n"

    def next(self):
        """The next picture's middle level."""
        assert self.answer.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(self.answer.readline().split(b":")[1])
        assert self.answer.readline() == b"\r\n"
        jpeg = self.answer.read(length)
        assert self.answer.readline() == b"\r\n"
        assert self.answer.readline() == b"--picture\r\n"
        return int(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[20, 30, 0])

    def close(self):
        self._connection.close()


def keep_filled(slot, frame):
    """Fill the slot as a session does, until the returned event is set."""
    done = threading.Event()

    def fill():
        while not done.wait(0.03):
            slot.put(frame)

    slot.put(frame)
    threading.Thread(target=fill, daemon=True).start()
    return done


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


@pytest.mark.parametrize("path", ["/", "/picture.jpg", "/state", "/stream.mjpg"])
def test_a_name_that_only_resolves_to_this_machine_is_refused(server, path):
    assert ask(server, path, Host=f"evil.example:{server.port}")[0] == 403
    assert ask(server, path, Host="127.0.0.1:1")[0] == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_names_of_this_machine_are_served(server, name):
    assert ask(server, "/", Host=f"{name}:{server.port}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_neither_steer_nor_look(server, desk, headers):
    assert ask(server, "/command/panic", "POST", **headers)[0] == 403
    assert ask(server, "/picture.jpg", **headers)[0] == 403
    assert not desk.heard


def test_a_link_from_another_site_opens_the_page(server):
    assert ask(server, "/", Sec_Fetch_Site="cross-site")[0] == 200


def test_only_this_machine_is_served(server):
    with socket.socket() as probe:
        probe.settimeout(1.0)
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0


def test_a_taken_port_is_one_line(server, slot, desk):
    other = ControlServer(slot, server.port, desk.state)
    with pytest.raises(OutputError, match=f"127.0.0.1:{server.port}") as error:
        other.start()
    assert "\n" not in str(error.value)
    other.stop()


def test_without_commands_nothing_can_be_steered(slot, desk):
    server = ControlServer(None, free_port(21_000, 1000), desk.state)
    server.start()
    assert ask(server, "/command/panic", "POST")[0] == 404
    server.stop()


def test_stopping_takes_less_than_two_seconds_with_a_viewer(server, slot):
    done = keep_filled(slot, picture(1))
    viewer = Viewer(server)
    viewer.next()
    idle = socket.create_connection(("127.0.0.1", server.port))
    began_s = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began_s < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name == "control server"]
    done.set()
    viewer.close()
    idle.close()


def test_a_wide_picture_is_scaled_down():
    got = cv2.imdecode(np.frombuffer(encode_jpeg(picture(9, 1920, 1080)), np.uint8), cv2.IMREAD_COLOR)
    assert got.shape == (720, 1280, 3)


def served(slot, desk, **extras):
    return ControlServer(slot, free_port(21_000, 1000), desk.state, desk.execute, Extras(**extras))


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


@pytest.fixture
def open_server(slot, desk):
    """One that listens on all addresses, as `control.listen: 0.0.0.0` does."""
    port = free_port(21_000, 1000)
    server = ControlServer(slot, port, desk.state, desk.execute, guard=Guard("0.0.0.0", port), listen="0.0.0.0")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("path", ["/", "/state", "/picture.jpg", "/page.js", "/ws", "/api"])
def test_beyond_this_machine_everything_needs_the_token(open_server, path):
    assert ask(open_server, path)[0] == 401
    assert ask(open_server, path, Authorization="Bearer wrong")[0] == 401


def test_the_token_is_taken_from_header_and_address_and_leaves_the_address(open_server, desk):
    token = open_server.guard.token
    assert ask(open_server, "/command/panic", "POST", Authorization=f"Bearer {token}")[0] == 200
    status, _, headers = ask(open_server, f"/?token={token}")
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask(open_server, "/state", Cookie=f"{COOKIE}={token}")[0] == 200


def test_guessing_the_token_is_slow(open_server):
    answers = [ask(open_server, "/state", Authorization=f"Bearer {number}")[0] for number in range(30)]
    assert answers[:5] == [401] * 5
    assert 429 in answers
    assert ask(open_server, "/state", Authorization=f"Bearer {open_server.guard.token}")[0] == 200


def test_beyond_this_machine_a_strangers_name_is_refused_and_an_address_is_not(open_server):
    with_token = {"Authorization": f"Bearer {open_server.guard.token}"}
    assert ask(open_server, "/state", Host=f"evil.example:{open_server.port}", **with_token)[0] == 403
    assert ask(open_server, "/state", Host=f"192.168.1.7:{open_server.port}", **with_token)[0] == 200
    assert ask(open_server, "/state", Origin="http://evil.example", **with_token)[0] == 403


def talk(server, *messages, origin=None):
    """Say messages over a WebSocket; returns the first state and the answers."""
    import asyncio

    import aiohttp

    async def run():
        headers = {"Origin": origin} if origin else {}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{server.port}/ws", headers=headers) as connection,
        ):
            state, answers = await connection.receive_json(timeout=WAIT_S), []
            for message in messages:
                await connection.send_str(message)
                while "state" in (found := await connection.receive_json(timeout=WAIT_S)):
                    pass
                answers.append(found)
            return state, answers

    return asyncio.run(run())


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


def test_a_websocket_of_another_site_is_refused(server, desk):
    import aiohttp

    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        talk(server, origin="http://evil.example")
