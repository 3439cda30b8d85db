"""What the HTTP server answers: the page, the pictures, the state, faces and the commands.

Knows one run's slot, state and commands; who may ask is for the server. The state is any dict; it is made at most ten
times a second, however many ask.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from live.control import openapi, prometheus
from live.control.before import Before
from live.control.guard import COOKIE, Bucket, RefusedError
from live.control.stream import Encoder
from live.control.talk import Talk, checked_arguments
from live.errors import LiveError
from live.output.web import Slot

VIEWERS = 8
"""Streams at the same time; more are refused."""
PHOTO_BYTES = 16 * 2**20
COMMANDS_HZ, COMMANDS_AT_ONCE = 50.0, 100
COMMAND = re.compile(r"[a-z][a-z0-9-]{0,31}")
STATE_S, CLOSE_S = 0.1, 0.5
AT_ONCE = ("panic", "pause", "quit")
"""Commands that wait for no thread and no limit."""
BOUNDARY = "picture"
PAGE = Path(__file__).with_name("page")
FILES = {"page.css": "text/css", "page.js": "text/javascript"}

State = Callable[[], dict[str, Any]]
Commands = Callable[[str, list[str]], str]

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
        "script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run offers beside its state and commands; each may be missing."""

    before: Before | None = None
    thumbnail: Callable[[str], bytes] | None = None
    """A source face as JPEG."""
    add_face: Callable[[bytes, str, str], str] | None = None
    """Photo, name, consent; returns what to tell."""


class Site:
    """One run's pages. All but the constructor belongs to the server's loop."""

    def __init__(self, slot: Slot, state: State, commands: Commands | None, extras: Extras) -> None:
        """Args: as ControlServer's."""
        self._slot, self._make_state, self._commands, self._extras = slot, state, commands, extras
        self._page = {name: (PAGE / name).read_text("utf-8") for name in ("page.html", *FILES)}
        self._spoken = Bucket(COMMANDS_HZ, COMMANDS_AT_ONCE)
        self._state: tuple[float, str] = (float("-inf"), "")
        self._viewers: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Begin, on the loop."""
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="control")
        self._encoder = Encoder(self._slot, self._executor)
        before = self._extras.before
        self._bare = Encoder(before.slot, self._executor) if before else None
        self._adding = asyncio.Lock()
        self._talk = Talk(self._state_json, self._run)

    def close(self) -> None:
        """Free the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def dismiss(self) -> None:
        """Drop everybody who watches or talks, within half a second."""
        for viewer in self._viewers:
            viewer.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._talk.close(), CLOSE_S)

    def routes(self) -> list[web.RouteDef]:
        """What is answered. After `open`."""
        return [
            web.get("/", self._show_page),
            web.get("/{name:page[.](?:css|js)}", self._show_file),
            web.get("/stream.mjpg", self._show_stream, allow_head=False),
            web.get("/picture.jpg", self._show_picture),
            web.get("/before.mjpg", self._show_before, allow_head=False),
            web.get("/faces/{name}.jpg", self._show_face),
            web.post("/faces", self._add_face),
            web.get("/state", self._show_state),
            web.get("/log", self._show_log),
            web.get("/metrics", self._show_metrics),
            web.get("/api", self._show_api),
            web.get("/openapi.json", self._show_openapi),
            web.get("/ws", self._talk.handle, allow_head=False),
            web.post("/command/{name}", self._run_command),
        ]

    async def _show_page(self, request: web.Request) -> web.Response:
        if "token" in request.query:  # out of the address and its history, into a cookie
            away = web.Response(status=303, headers={**HEADERS, "Location": "/"})
            away.set_cookie(COOKIE, request.query["token"], httponly=True, samesite="Strict", path="/")
            return away
        return web.Response(text=self._page["page.html"], content_type="text/html", headers=HEADERS)

    async def _show_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.Response(text=self._page[name], content_type=FILES[name], headers=HEADERS)

    async def _show_picture(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._encoder.picture(), content_type="image/jpeg", headers=HEADERS)

    async def _show_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, self._encoder)

    async def _show_before(self, request: web.Request) -> web.StreamResponse:
        before = self._extras.before
        if before is None or self._bare is None:
            return _refusal(404, "the picture as captured is not served; control.before allows it")
        return await self._stream(request, self._bare, before)

    async def _stream(self, request: web.Request, encoder: Encoder, before: Before | None = None) -> web.StreamResponse:
        if len(self._viewers) >= VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{VIEWERS} people watch already\n", headers=HEADERS)
        task = asyncio.current_task()
        assert task is not None
        self._viewers.add(task)
        try:
            kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
            response = web.StreamResponse(headers={**HEADERS, "Content-Type": kind})
            await response.prepare(request)
            await response.write(f"--{BOUNDARY}\r\n".encode())
            with before.watched() if before is not None else nullcontext():
                async for jpeg in encoder.pictures():
                    # The closing boundary goes out with its picture: browsers show a part when it ends.
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    await response.write(head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode())
            return response
        except ConnectionResetError:
            return response
        finally:
            self._viewers.discard(task)

    async def _show_face(self, request: web.Request) -> web.Response:
        if self._extras.thumbnail is None:
            return _refusal(404, "no faces here")
        try:
            loop = asyncio.get_running_loop()
            jpeg = await loop.run_in_executor(self._executor, self._extras.thumbnail, request.match_info["name"])
        except LiveError as error:
            return _refusal(404, str(error))
        return web.Response(body=jpeg, content_type="image/jpeg", headers=HEADERS)

    async def _add_face(self, request: web.Request) -> web.Response:
        """Take a photo. Its type keeps pages of other sites out: they may not send one without being asked first."""
        if self._extras.add_face is None:
            return _refusal(404, "no faces can be added here")
        if not request.content_type.startswith("image/"):
            return _refusal(415, "the body has to be a photo, with its Content-Type: image/...")
        if (request.content_length or 0) > PHOTO_BYTES:
            return _refusal(413, f"a photo of more than {PHOTO_BYTES >> 20} MiB; send a smaller one")
        name, consent = request.query.get("name", ""), request.query.get("consent", "")
        if self._adding.locked():
            return _refusal(429, "another photo is being added; try again in a second")
        async with self._adding:
            photo = bytearray()
            async for part in request.content.iter_any():
                photo += part
                if len(photo) > PHOTO_BYTES:
                    return _refusal(413, f"a photo of more than {PHOTO_BYTES >> 20} MiB; send a smaller one")
            try:
                loop = asyncio.get_running_loop()
                said = await loop.run_in_executor(None, self._extras.add_face, bytes(photo), name, consent)
            except LiveError as error:
                return _refusal(400, str(error))
        self._state = (float("-inf"), "")
        return web.json_response({"said": said}, headers=HEADERS)

    async def _show_state(self, request: web.Request) -> web.Response:
        return web.Response(text=await self._state_json(), content_type="application/json", headers=HEADERS)

    async def _state_json(self) -> str:
        """The state as JSON, at most STATE_S old; made anew after every command."""
        if time.monotonic() - self._state[0] > STATE_S:
            made_s = time.monotonic()
            state = await asyncio.get_running_loop().run_in_executor(self._executor, self._make_state)
            self._state = (made_s, json.dumps(state, default=str))
        return self._state[1]

    async def _show_log(self, request: web.Request) -> web.Response:
        lines = json.loads(await self._state_json()).get("log", [])
        return web.json_response(lines, headers=HEADERS)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        text = prometheus.metrics(json.loads(await self._state_json()))
        return web.Response(body=text.encode(), headers={**HEADERS, "Content-Type": prometheus.KIND})

    async def _show_api(self, request: web.Request) -> web.Response:
        return web.Response(text=openapi.page(), content_type="text/html", headers=HEADERS)

    async def _show_openapi(self, request: web.Request) -> web.Response:
        return web.json_response(openapi.description(), headers=HEADERS)

    async def _run_command(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self._commands is None or not COMMAND.fullmatch(name):
            return _refusal(404, "no such command")
        try:
            arguments = _arguments(request, await request.read())
        except ValueError as error:
            return _refusal(400, str(error))
        try:
            said = await self._run(name, arguments)
        except RefusedError as refused:
            return _refusal(refused.status, str(refused))
        except LiveError as error:
            return _refusal(400, str(error))
        return web.json_response({"said": said}, headers=HEADERS)

    async def _run(self, name: str, arguments: list[str]) -> str:
        """Carry out a command. Raises: LiveError; RefusedError when there are too many."""
        if self._commands is None:
            raise RefusedError(404, "no such command")
        try:
            if name in AT_ONCE:
                return self._commands(name, arguments)
            if not self._spoken.take(time.monotonic()):
                raise RefusedError(429, f"more than {COMMANDS_HZ:g} commands a second")
            # Some take seconds: they may not hold up the pictures, which have threads of their own.
            return await asyncio.get_running_loop().run_in_executor(None, self._commands, name, arguments)
        finally:
            self._state = (float("-inf"), "")


def _arguments(request: web.Request, body: bytes) -> list[str]:
    """The command's arguments: a JSON list of short strings, or nothing. Raises: ValueError for anything else."""
    if not body:
        return []
    if request.content_type != "application/json":
        raise ValueError("arguments must be application/json: a list of strings")
    try:
        arguments = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("arguments must be a JSON list of strings") from error
    return checked_arguments(arguments)


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers=HEADERS)
