"""The server: its life, and who is let in."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from live.control.guard import COOKIE, Guard
from live.control.server import ControlServer
from live.errors import OutputError
from live.output.web import free_port
from tests.control.asking import Viewer, ask, keep_filled, picture, talk


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


def test_a_websocket_of_another_site_is_refused(server, desk):
    import aiohttp

    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        talk(server, origin="http://evil.example")
