"""Pictures for people who watch in a browser: each encoded once for all of them, and only while somebody watches.

Knows slots and JPEG, nothing about HTTP. A slot that is not filled any more shows the slate: what stands there may no
longer be the truth.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor

import cv2

from live.output.web import Slot
from live.pixels.host import thumbnail, to_bgr
from live.pixels.slate import draw_slate
from live.values import Frame, Pixels

RATE_HZ = 30.0
WIDEST_PX = 1280
QUALITY = 85
SILENCE_S = 1.0
"""A slot filled longer ago than this belongs to a session that hangs; it is filled ten times a second."""
REPEAT_S = 1.0
"""A picture that does not change is sent again so often: whoever left is noticed."""


def encode_jpeg(frame: Frame) -> bytes:
    """A frame as JPEG, at most 1280 px wide."""
    if frame.width_px > WIDEST_PX:
        picture = thumbnail(frame, WIDEST_PX, max(1, round(frame.height_px * WIDEST_PX / frame.width_px)))
    else:
        picture = to_bgr(frame)
    return _jpeg(picture)


def slate_jpeg(text: str) -> bytes:
    """A slate of 640x360 as JPEG."""
    return _jpeg(draw_slate(640, 360, text))


class Encoder:
    """Turns a slot into a sequence of JPEGs. Everything but the encoding runs on one event loop."""

    def __init__(self, slot: Slot, executor: Executor) -> None:
        self._slot = slot
        self._executor = executor
        self._changed = asyncio.Condition()
        self._shown: tuple[int, bool] | None = None
        self._jpeg = b""
        self._number = 0
        self._viewers = 0
        self._task: asyncio.Task[None] | None = None
        self.encoded = 0
        """Pictures encoded so far."""

    async def pictures(self) -> AsyncIterator[bytes]:
        """JPEGs as they come, the newest first; whoever is slow misses some."""
        self._viewers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._encode_while_watched())
        seen = 0
        try:
            while True:
                async with self._changed:
                    try:
                        await asyncio.wait_for(self._newer_than(seen), REPEAT_S)
                    except TimeoutError:
                        if not self._jpeg:
                            continue
                    seen, jpeg = self._number, self._jpeg
                yield jpeg
        finally:
            self._viewers -= 1

    async def picture(self) -> bytes:
        """The newest JPEG."""
        await self._refresh()
        return self._jpeg

    async def _newer_than(self, seen: int) -> None:
        while self._number == seen:
            await self._changed.wait()

    async def _encode_while_watched(self) -> None:
        while self._viewers:
            began_s = time.monotonic()
            await self._refresh()
            await asyncio.sleep(max(0.0, 1 / RATE_HZ - (time.monotonic() - began_s)))

    async def _refresh(self) -> None:
        """Encode the slot's picture if it is not the one encoded last."""
        count, put_s, frame = self._slot.newest()
        stale = frame is None or time.monotonic() - put_s > SILENCE_S
        if self._shown == (count, stale):
            return
        self._shown = (count, stale)
        loop = asyncio.get_running_loop()
        if frame is None or stale:
            text = "waiting for a picture" if frame is None else "face hidden"
            jpeg = await loop.run_in_executor(self._executor, slate_jpeg, text)
        else:
            jpeg = await loop.run_in_executor(self._executor, encode_jpeg, frame)
        self.encoded += 1
        async with self._changed:
            self._jpeg = jpeg
            self._number += 1
            self._changed.notify_all()


def _jpeg(picture: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError("this picture cannot be encoded as JPEG")
    return bytes(data)
