"""The one HTTP server: a thread of its own, its life, and who is let in.

Knows nothing about the session's loop. What is answered is in site.py; who may ask is for guard.py.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from live.control.guard import COOKIE, LOOPBACK, Bucket, Guard, RefusedError
from live.control.site import HEADERS, Commands, Extras, Site, State
from live.errors import OutputError
from live.output.web import Slot

log = logging.getLogger(__name__)

HOST = LOOPBACK
BODY_BYTES = 4096
REQUESTS_HZ, REQUESTS_AT_ONCE = 1000.0, 1000
STOP_S = 2.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlServer:
    """Serves one slot (or none), one state and the commands."""

    def __init__(
        self,
        slot: Slot | None,
        port: int,
        state: State,
        commands: Commands | None = None,
        extras: Extras | None = None,
        guard: Guard | None = None,
        listen: str = HOST,
    ) -> None:
        """Prepare; nothing listens before `start`.

        Args: slot what is shown, None for no picture; state called on a thread of the server; commands called there
        with a name and its arguments, returns what to tell, raises LiveError for a wrong one.
        """
        self.port, self.listen = port, listen
        self.guard = guard or Guard(listen, port)
        shown = HOST if listen == "0.0.0.0" else listen
        self.address = f"http://{shown}:{port}/"
        self._site = Site(slot if slot is not None else Slot(), state, commands, extras or Extras())
        self._asked = Bucket(REQUESTS_HZ, REQUESTS_AT_ONCE)
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
                f"cannot listen on {self.listen}:{self.port}: {self._failure.strerror}; choose another port, web:PORT "
                "or --set control.port=PORT"
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
        self._site.open()
        application = web.Application(middlewares=[self._guarded], client_max_size=BODY_BYTES)
        application.add_routes(self._site.routes())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.3)
        try:
            await runner.setup()
            try:
                await web.TCPSite(runner, self.listen, self.port).start()
            except OSError as error:
                self._failure = error
                return
            finally:
                self._ready.set()
            await self._stopping.wait()
            await self._site.dismiss()
        finally:
            self._ready.set()
            await runner.cleanup()
            self._site.close()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what does not come from this machine's own page or from a person's command line."""
        token = request.query.get("token") or _bearer(request) or request.cookies.get(COOKIE)
        try:
            if not self._asked.take(time.monotonic()):
                raise RefusedError(429, "too many requests")
            self.guard.check(request.method, request.path, request.headers, time.monotonic(), token)
        except RefusedError as refused:
            return web.Response(status=refused.status, text=f"{refused}\n", headers=HEADERS)
        return await handler(request)


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.casefold() == "bearer" and token else None
