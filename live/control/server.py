"""The one HTTP server: the preview, the state and the commands, for this machine only.

Listens on 127.0.0.1. A page of another site must neither see nor steer: the Host must be this machine's (a stranger's
name that resolves to 127.0.0.1 is refused), requests that browsers mark as coming from elsewhere are refused, and the
answers may not be embedded by others. Runs on a thread of its own, started by `start`; knows nothing about the loop.

State, asked for once a second by the page, is any dict; the page shows `face`, `proof`, `panic`, `pause` and of
`measured` the rates and the median latency, each if it is there. Its buttons send `next-face`, `previous-face`, `pause`
and `panic`; the last two are switches.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web

from live.control.stream import Encoder
from live.errors import LiveError, OutputError
from live.output.web import Slot

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
VIEWERS = 8
"""Streams at the same time; more are refused."""
BODY_BYTES = 4096
ARGUMENTS, ARGUMENT_CHARACTERS = 8, 200
COMMAND = re.compile(r"[a-z][a-z0-9-]{0,31}")
STOP_S = 2.0
BOUNDARY = "picture"

State = Callable[[], dict[str, Any]]
Commands = Callable[[str, list[str]], str]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ControlServer:
    """Serves one slot (or none), one state and the commands."""

    def __init__(self, slot: Slot | None, port: int, state: State, commands: Commands | None = None) -> None:
        """Prepare; nothing listens before `start`.

        Args: slot what is shown, None for no picture; port on 127.0.0.1; state called on a thread of the server;
        commands called there with a name and its arguments, returns what to tell, raises LiveError for a wrong one.
        """
        self.port = port
        self.address = f"http://{HOST}:{port}/"
        self._slot = slot if slot is not None else Slot()
        self._state = state
        self._commands = commands
        self._hosts = {f"{name}:{port}" for name in ("localhost", HOST, "[::1]")}
        self._page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
        self._viewers: set[asyncio.Task[Any]] = set()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """Listen. Raises: OutputError when the port is taken."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="control server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise OutputError(
                f"cannot listen on {HOST}:{self.port}: {self._failure.strerror}; choose another port, web:PORT"
            ) from self._failure

    def stop(self) -> None:
        """Stop listening and drop the viewers, within 2 s. May be called twice, and without `start`."""
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._stopping.set)
            except RuntimeError:  # closed in between
                log.debug("the control server ended by itself")
        if self._thread is not None:
            self._thread.join(STOP_S)

    async def _serve(self) -> None:
        """The server's whole life, on its thread."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="control")
        self._encoder = Encoder(self._slot, self._executor)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.3)
        try:
            await runner.setup()
            try:
                await web.TCPSite(runner, HOST, self.port).start()
            except OSError as error:
                self._failure = error
                return
            finally:
                self._ready.set()
            await self._stopping.wait()
            for viewer in self._viewers:
                viewer.cancel()
        finally:
            self._ready.set()
            await runner.cleanup()
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES)
        application.add_routes(
            [
                web.get("/", self._show_page),
                web.get("/stream.mjpg", self._show_stream, allow_head=False),
                web.get("/picture.jpg", self._show_picture),
                web.get("/state", self._show_state),
                web.post("/command/{name}", self._run_command),
            ]
        )
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what does not come from this machine's own page or from a person's command line."""
        if request.headers.get("Host", "").lower() not in self._hosts:
            raise web.HTTPForbidden(text=f"only {self.address}\n", headers=HEADERS)
        site = request.headers.get("Sec-Fetch-Site", "none")
        # Following a link to the page is fine; everything else must come from the page. `same-site` is another port.
        if site not in ("none", "same-origin") and (request.path != "/" or request.method != "GET"):
            raise web.HTTPForbidden(text="not from another site\n", headers=HEADERS)
        origin = request.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self._hosts}:
            raise web.HTTPForbidden(text="not from another site\n", headers=HEADERS)
        return await handler(request)

    async def _show_page(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
            f"script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return web.Response(
            text=self._page.replace("{{nonce}}", nonce),
            content_type="text/html",
            headers={**HEADERS, "Content-Security-Policy": policy},
        )

    async def _show_picture(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._encoder.picture(), content_type="image/jpeg", headers=HEADERS)

    async def _show_stream(self, request: web.Request) -> web.StreamResponse:
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
            async for jpeg in self._encoder.pictures():
                # The closing boundary goes out with its picture: browsers show a part when it ends.
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                await response.write(head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode())
            return response
        except ConnectionResetError:
            return response
        finally:
            self._viewers.discard(task)

    async def _show_state(self, request: web.Request) -> web.Response:
        state = await asyncio.get_running_loop().run_in_executor(self._executor, self._state)
        return web.json_response(state, dumps=lambda value: json.dumps(value, default=str), headers=HEADERS)

    async def _run_command(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self._commands is None or not COMMAND.fullmatch(name):
            return _refusal(404, "no such command")
        try:
            arguments = _arguments(request, await request.read())
        except ValueError as error:
            return _refusal(400, str(error))
        try:
            loop = asyncio.get_running_loop()
            said = await loop.run_in_executor(self._executor, self._commands, name, arguments)
        except LiveError as error:
            return _refusal(400, str(error))
        return web.json_response({"said": said}, headers=HEADERS)


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
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        raise ValueError("arguments must be a JSON list of strings")
    if len(arguments) > ARGUMENTS or any(len(argument) > ARGUMENT_CHARACTERS for argument in arguments):
        raise ValueError(f"at most {ARGUMENTS} arguments of {ARGUMENT_CHARACTERS} characters")
    return arguments


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers=HEADERS)
