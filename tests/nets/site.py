"""A real HTTP server and a real forward proxy on the loopback, in threads of their own, with faults on request."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self

from aiohttp import web

Answer = Callable[["Site", web.Request], Awaitable[web.StreamResponse]]
WAIT_S = 20.0


class Loop:
    """An event loop in a thread."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_S)
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(WAIT_S)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Site(Loop):
    """Serves one file under every path. `faults` are used up one per request, before it behaves."""

    def __init__(self, data: bytes, *faults: Answer, etag: str = '"one"', tls: ssl.SSLContext | None = None) -> None:
        self.data, self.etag, self.faults, self.tls = data, etag, list(faults), tls
        self.ranges: list[str] = []
        """The Range header of each request; empty: the whole file."""
        self.hosts: list[str] = []
        self.agents: set[str] = set()
        self.stalled, self.go_on = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.go_on.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.ranges.append(request.headers.get("Range", ""))
        self.hosts.append(request.headers.get("Host", ""))
        self.agents.add(request.headers.get("User-Agent", ""))
        return await (self.faults.pop(0) if self.faults else whole)(self, request)


def asked(site: Site, request: web.Request) -> int:
    """Where the client wants to go on; 0 when its part is of another version."""
    span = request.headers.get("Range", "")
    if not span or request.headers.get("If-Range", site.etag) != site.etag:
        return 0
    return int(span.removeprefix("bytes=").removesuffix("-"))


async def whole(site: Site, request: web.Request) -> web.StreamResponse:
    start, total = asked(site, request), len(site.data)
    headers = {"ETag": site.etag} if site.etag else {}
    if start >= total > 0:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{total}"})
    if start:
        headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
    return web.Response(body=site.data[start:], status=206 if start else 200, headers=headers)


def status(code: int, **headers: str) -> Answer:
    async def answer(site: Site, request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text="no", headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def page(site: Site, request: web.Request) -> Awaitable[web.StreamResponse]:
    async def answer() -> web.StreamResponse:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    return answer()


def no_ranges(site: Site, request: web.Request) -> Awaitable[web.StreamResponse]:
    async def answer() -> web.StreamResponse:
        return web.Response(body=site.data)

    return answer()


def redirect(target: Callable[[Site], str]) -> Answer:
    async def answer(site: Site, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": target(site)})

    return answer


def part(share: float, *, announced: int | None = None, hold: bool = False, chunked: bool = False) -> Answer:
    """Send a share of what was asked for (above 1: more than there is), then break off, or hold still."""

    async def answer(site: Site, request: web.Request) -> web.StreamResponse:
        start, total = asked(site, request), len(site.data)
        rest = (site.data[start:] + bytes(total))[: round((total - start) * share)]
        response = web.StreamResponse(status=206 if start else 200, headers={"ETag": site.etag} if site.etag else {})
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{total - 1}/{announced or total}"
        if not chunked:
            response.content_length = (announced or total) - start
        await response.prepare(request)
        await response.write(rest)
        if hold:
            site.stalled.set()
            await asyncio.to_thread(site.go_on.wait, WAIT_S)
        if not chunked:
            assert request.transport is not None
            request.transport.close()
        return response

    return answer


class Proxy(Loop):
    """A forward proxy: sends requests and tunnels for any host on to one site, or refuses tunnels."""

    def __init__(self, site: Site, refusal: str = "") -> None:
        self._site, self._refusal = site, refusal
        self.lines: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.lines.append(f"{method} {target}")
        if method == "CONNECT" and self._refusal:
            writer.write(f"HTTP/1.1 {self._refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        onward, sender = await asyncio.open_connection("127.0.0.1", self._site.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            sender.write(head.replace(target.encode(), b"/" + target.split("/", 3)[3].encode(), 1))
        await asyncio.gather(_flow(reader, sender), _flow(onward, writer))


async def _flow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
