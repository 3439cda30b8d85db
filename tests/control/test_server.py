import http.client
import json
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from live.control.server import VIEWERS, ControlServer
from live.control.stream import encode_jpeg
from live.errors import OutputError, UsageError
from live.output.web import Slot, free_port
from live.pixels.host import bgr_frame

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

    def __init__(self, server):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
        self._connection.request("GET", "/stream.mjpg")
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
    page = body.decode()
    assert "https://" not in page
    assert "{{nonce}}" not in page
    nonce = page.split('nonce="')[1].split('"')[0]
    assert f"'nonce-{nonce}'" in headers["Content-Security-Policy"]
    assert ask(server, "/")[1] != body


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
