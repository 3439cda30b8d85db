"""A run that does nothing, and those who ask its server."""

from __future__ import annotations

import http.client
import threading

import cv2
import numpy as np

from live.control.server import ControlServer
from live.control.site import Extras
from live.errors import UsageError
from live.output.web import free_port
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


def served(slot, desk, **extras):
    return ControlServer(slot, free_port(21_000, 1000), desk.state, desk.execute, Extras(**extras))


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
