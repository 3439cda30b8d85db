"""The server's WebSocket: gives the state when it changes, takes commands. Knows JSON, nothing about a run."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from live.control.guard import RefusedError
from live.errors import LiveError

log = logging.getLogger(__name__)

STATES_HZ = 5.0
MOST_TALKERS = 16
MESSAGE_BYTES = 4096
HEARTBEAT_S = 10.0
ARGUMENTS, ARGUMENT_CHARACTERS = 8, 200


def checked_arguments(arguments: object) -> list[str]:
    """A bounded list of short strings. Raises: ValueError for anything else."""
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        raise ValueError("arguments must be a JSON list of strings")
    if len(arguments) > ARGUMENTS or any(len(argument) > ARGUMENT_CHARACTERS for argument in arguments):
        raise ValueError(f"at most {ARGUMENTS} arguments of {ARGUMENT_CHARACTERS} characters")
    return arguments


class Talk:
    """All WebSockets of one server."""

    def __init__(
        self,
        state: Callable[[], Awaitable[str]],
        run: Callable[[str, list[str]], Awaitable[str]],
    ) -> None:
        """Args: state: gives it as JSON; run: carries a command out."""
        self._state, self._run = state, run
        self._sockets: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Talk with one client until it leaves."""
        if len(self._sockets) >= MOST_TALKERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_TALKERS} are connected already\n")
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES, heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        self._sockets.add(socket)
        pushing = asyncio.create_task(self._push(socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(json.dumps(await self._answer(message.data)))
        except (ConnectionResetError, asyncio.CancelledError):
            log.debug("a client left")
        finally:
            self._sockets.discard(socket)
            pushing.cancel()
        return socket

    async def close(self) -> None:
        """Take leave of everybody: the server ends."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the run has ended")

    async def _push(self, socket: web.WebSocketResponse) -> None:
        """Send the state whenever it is another one."""
        sent = ""
        try:
            while not socket.closed:
                state = await self._state()
                if state != sent:
                    sent = state
                    await socket.send_str(f'{{"state": {state}}}')
                await asyncio.sleep(1 / STATES_HZ)
        except ConnectionResetError:
            log.debug("a client left")

    async def _answer(self, text: str) -> dict[str, Any]:
        """Carry out a message. Returns: `said` or `error`, with the message's `id`."""
        try:
            message = json.loads(text)
            name, arguments = str(message["command"]), checked_arguments(message.get("arguments", []))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {"error": 'write {"id": 1, "command": "face", "arguments": ["2"]}'}
        number = message.get("id") if isinstance(message.get("id"), int) else None
        try:
            return {"id": number, "said": await self._run(name, arguments)}
        except (LiveError, RefusedError) as error:
            return {"id": number, "error": str(error)}
