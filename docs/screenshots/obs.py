"""The preview's stream as a Media Source in OBS Studio, on a display of its own.

`live` shows the demo person on its web preview, OBS reads /stream.mjpg from there. OBS is asked over its WebSocket for
the scene it composes, which must be what `live` shows; then the whole window is taken.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import obs_files
from picture import ALIKE, PictureError, check_moves, check_shown, difference, pictures_of, save, thumbnail
from PIL import Image
from programs import Programs, last_words, wait_until

from live.pixels.slate import draw_slate

WIDTH_PX, HEIGHT_PX = 1280, 800
START_S = 60.0
SETTLE_S = 3.0
"""Pictures run through OBS's queues, and its window draws itself in its new size."""
TRIES = 10
OBS = ("obs", "--multi", "--disable-updater", "--disable-shutdown-check")
OBS_NAMES = ("--collection", obs_files.NAME, "--profile", obs_files.NAME, "--scene", obs_files.SCENE)


class Obs:
    """The part of OBS's WebSocket protocol that asks and gets answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Args: socket fresh, before the first message."""
        self._socket = socket
        self._number = 0

    async def greet(self) -> None:
        """Say hello, as one without a password."""
        await self._socket.receive_json()
        await self._socket.send_json({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}})
        await self._socket.receive_json()

    async def ask(self, request: str, **data: Any) -> dict[str, Any]:
        """One request. Raises: RuntimeError with OBS's words."""
        self._number += 1
        body = {"requestType": request, "requestId": str(self._number), "requestData": data}
        await self._socket.send_json({"op": 6, "d": body})
        while True:
            answer = (await self._socket.receive_json(timeout=START_S))["d"]
            if answer.get("requestId") == str(self._number):
                break
        if not answer["requestStatus"]["result"]:
            raise RuntimeError(f"{request}: {answer['requestStatus'].get('comment', 'refused')}")
        return dict(answer.get("responseData") or {})

    async def scene(self) -> Image.Image:
        """The scene as OBS composes it now."""
        answer = await self.ask("GetSourceScreenshot", sourceName=obs_files.SCENE, imageFormat="png")
        return Image.open(io.BytesIO(base64.b64decode(answer["imageData"].split(",")[1])))


def make(target: Path) -> None:
    """Make the picture. Raises: SystemExit when a check fails; FileNotFoundError without a program."""
    with tempfile.TemporaryDirectory(prefix="live-obs-") as name, Programs(Path(name)) as programs:
        folder = Path(name)
        preview, websocket = _free_port(), _free_port()
        address = f"http://127.0.0.1:{preview}"
        swap = ["--preset", "fast", "--input", "demo", "--face", "ada", "--output", f"web:{preview}"]
        programs.start("live", [sys.executable, "-m", "live.cli", *swap])
        environment = {
            # OpenCV's wheel points every Qt program started from here to its own plugins.
            **{name: value for name, value in os.environ.items() if not name.startswith("QT_")},
            "DISPLAY": _display(programs, folder),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
            "XDG_CONFIG_HOME": str(folder),
        }
        stream = {"is_local_file": False, "input": f"{address}/stream.mjpg", "input_format": "mpjpeg"}
        obs_files.write(folder, websocket, stream)
        asyncio.run(_wait_for_swap(address))
        programs.start("obs", [*OBS, *OBS_NAMES], environment)
        try:
            picture, lines = asyncio.run(_shoot(address, f"http://127.0.0.1:{websocket}", environment, folder))
        except (PictureError, RuntimeError, SystemExit) as error:
            raise SystemExit(f"{last_words(folder)}{error}") from None
        lines.append(save(picture, target))
    print("\n".join(lines))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _display(programs: Programs, folder: Path) -> str:
    """Start a display and return its name: the first free one."""
    screen = f"{WIDTH_PX}x{HEIGHT_PX}x24"
    programs.start("xvfb", ["Xvfb", "-displayfd", "1", "-screen", "0", screen, "-nolisten", "tcp"])
    log = folder / "xvfb.log"
    wait_until(lambda: log.read_text().strip().isdigit(), START_S, "Xvfb does not start")
    return f":{log.read_text().strip()}"


async def _wait_for_swap(address: str) -> None:
    """Wait until `live` shows a swapped face. Raises: SystemExit when it does not."""
    deadline_s = time.monotonic() + START_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline_s:
            try:
                async with session.get(f"{address}/state") as answer:
                    if "1 of 1" in (await answer.json()).get("proof", ""):
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.2)
    raise SystemExit(f"live shows no swapped face within {START_S:g} s")


async def _shoot(
    address: str, websocket: str, environment: dict[str, str], folder: Path
) -> tuple[Image.Image, list[str]]:
    """OBS's window, and what OBS shows, for people. Raises: PictureError; SystemExit when something does not start."""
    async with aiohttp.ClientSession() as session, await _connect(session, websocket) as connection:
        obs = Obs(connection)
        await obs.greet()
        version = (await obs.ask("GetVersion"))["obsVersion"]
        source = await _media_size(obs)
        _spread(environment)
        await asyncio.sleep(SETTLE_S)
        for left in reversed(range(TRIES)):
            given = await _given(session, address)
            before, window, after = await obs.scene(), _window(environment, folder), await obs.scene()
            try:
                said = _compared(source, given, before, after)
                break
            except PictureError:  # on a machine that is too busy `live` shows the slate
                if not left:
                    raise
                await asyncio.sleep(SETTLE_S)
        rate = (await obs.ask("GetStats"))["activeFps"]
        size = f"{source[0]}x{source[1]}"
        return window, [f"OBS {version}: {obs_files.NAME!r}, {size}, {rate:.1f} frames per second composed", *said]


async def _given(session: aiohttp.ClientSession, address: str) -> Image.Image:
    """What `live` shows now."""
    async with session.get(f"{address}/picture.jpg") as answer:
        return Image.open(io.BytesIO(await answer.read()))


def _compared(source: tuple[int, int], given: Image.Image, before: Image.Image, after: Image.Image) -> list[str]:
    """How alike what OBS shows and what it was given are, for people. Raises: PictureError."""
    if source != given.size:
        raise PictureError(f"OBS's source is {source}, live shows {given.size}")
    slate = Image.fromarray(draw_slate(*given.size)[..., ::-1])
    if difference(thumbnail(given), thumbnail(slate)) < ALIKE:
        raise PictureError("live shows the slate")
    seen, earlier = thumbnail(after), thumbnail(before)
    check_shown(earlier, [thumbnail(given)], "OBS's scene")
    shown = check_shown(seen, [thumbnail(given)], "OBS's scene")
    return [shown, check_moves(seen, earlier, "OBS's scene")]


async def _connect(session: aiohttp.ClientSession, websocket: str) -> aiohttp.ClientWebSocketResponse:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            return await session.ws_connect(websocket, max_msg_size=0)
        except aiohttp.ClientConnectionError:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"OBS does not answer within {START_S:g} s") from None
            await asyncio.sleep(0.2)


async def _media_size(obs: Obs) -> tuple[int, int]:
    """Wait until OBS has a picture of the stream: its size in px."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        try:
            item = await obs.ask("GetSceneItemTransform", sceneName=obs_files.SCENE, sceneItemId=1)
            size = (int(item["sceneItemTransform"]["sourceWidth"]), int(item["sceneItemTransform"]["sourceHeight"]))
            if all(size):
                return size
        except RuntimeError:  # the scene is still being loaded
            pass
        await asyncio.sleep(0.2)
    raise SystemExit(f"OBS gets no picture of the stream within {START_S:g} s")


def _spread(environment: dict[str, str]) -> None:
    """Let OBS's window fill the display."""
    search = ["xdotool", "search", "--onlyvisible", "--name", "^OBS "]
    found = subprocess.run(search, env=environment, check=True, capture_output=True, text=True).stdout.split()
    sides = [str(WIDTH_PX), str(HEIGHT_PX)]
    subprocess.run(
        ["xdotool", "windowmove", found[0], "0", "0", "windowsize", found[0], *sides], env=environment, check=True
    )


def _window(environment: dict[str, str], folder: Path) -> Image.Image:
    """The display."""
    file = folder / "screen.xwd"
    subprocess.run(["xwd", "-root", "-silent", "-out", str(file)], env=environment, check=True)
    return next(pictures_of(file))
