"""A raw input for `live bench speed`: the demo person's frames, drawn ahead of time and played to and fro.

Drawing the person costs as much as half a swap and is no part of what is measured; a camera's driver writes one copy
of each picture, and that is what a frame costs here. Several people stand side by side, each as large as one would be
alone. Knows pictures and the clock; knows nothing about what is done with them.
"""

from __future__ import annotations

import threading
import time
from copy import copy
from dataclasses import replace

import numpy as np

from live.capture import open_capture
from live.capture.contract import CaptureInfo, Wanted
from live.capture.demo import DEFAULT_PERSON
from live.capture.room import HEAD_OF_HEIGHT, HEAD_OF_WIDTH
from live.errors import UsageError
from live.pace import Ahead
from live.pixels import host
from live.pixels.people import people_names
from live.values import Frame, PixelFormat

MOST_BYTES = 250 * 10**6
"""Of all pictures kept: 21 of 3840x2160 NV12, 180 of 1280x720."""
MOST_FRAMES = 240
ROOM_PER_FACE = 0.75
"""Width that one of several people gets at least, in heights of the head: the face with its hair."""


class Reel:
    """The pictures, as a capture. It has no end; a reader that comes late gets the newest picture that is due."""

    def __init__(self, wanted: Wanted, *, faces: int = 1) -> None:
        """Draw the pictures.

        Args: wanted: size and rate must be given; live True paces, False gives every frame as fast as it is taken.
        Raises: UsageError for a size or rate that cannot be, or for more people than fit side by side.
        """
        self._pictures = _drawn(wanted, faces)
        first = self._pictures[0]
        self._period_s = 1 / wanted.fps
        self._ahead = Ahead(self._period_s)
        self._live = wanted.live
        self._begin_s: float | None = None
        self._slot, self._number = -1, 0
        self._stop = threading.Event()
        people = "demo person" if faces == 1 else f"{faces} demo people"
        name, size = f"{people}, drawn ahead", (first.width_px, first.height_px)
        self.info = CaptureInfo(name, *size, wanted.fps, first.format, first.colour, wanted.live)

    def read(self) -> Frame | None:
        """The next picture, when it is due, with planes of its own; None after `close`."""
        if self._stop.is_set():
            return None
        now_s = time.monotonic()
        if self._begin_s is None:
            self._begin_s = now_s
        self._slot += 1
        if self._live:
            self._slot = max(self._slot, int((now_s - self._begin_s) / self._period_s))
        due_s = self._begin_s + self._slot * self._period_s
        if self._live:
            self._stop.wait(max(self._ahead.begin_s - time.monotonic(), 0.0))
        began_s = time.monotonic()
        number, self._number = self._number, self._number + 1
        picture = host.duplicate(self._pictures[_to_and_fro(self._slot, len(self._pictures))])
        self._ahead.given(due_s, time.monotonic() - began_s)
        if not self._live:
            return replace(picture, time_s=time.monotonic(), number=number, media_s=number * self._period_s)
        if self._stop.wait(max(due_s - time.monotonic(), 0.0)):
            return None
        return replace(picture, time_s=due_s, number=number)

    def again(self, *, live: bool) -> Reel:
        """The same pictures from the beginning, paced or not; nothing is drawn."""
        reel = copy(self)
        reel._live, reel._begin_s, reel._slot, reel._number = live, None, -1, 0
        reel._ahead = Ahead(self._period_s)
        reel._stop, reel.info = threading.Event(), replace(self.info, live=live)
        return reel

    def close(self) -> None:
        """A waiting `read` returns None; there is nothing else to free."""
        self._stop.set()


def _to_and_fro(number: int, length: int) -> int:
    """0 .. length - 1 and back again, so that nothing jumps."""
    place = number % max(2 * length - 2, 1)
    return min(place, 2 * length - 2 - place)


def _drawn(wanted: Wanted, faces: int) -> list[Frame]:
    """Draw as many pictures as may be kept. Raises: UsageError."""
    names = [DEFAULT_PERSON, *(name for name in people_names() if name != DEFAULT_PERSON)]
    people = [open_capture(f"demo:{names[i % len(names)]}", replace(wanted, live=False)) for i in range(faces)]
    width_px, height_px = people[0].info.width_px, people[0].info.height_px
    needed_px = ROOM_PER_FACE * min(HEAD_OF_HEIGHT * height_px, HEAD_OF_WIDTH * width_px)
    if faces * needed_px > width_px:
        raise UsageError(
            f"{faces} faces do not fit side by side into {width_px}x{height_px}; ask for at most "
            f"{int(width_px / needed_px)} with --faces, or for a wider --size"
        )
    pictures: list[Frame] = []
    kept_bytes = 0
    while len(pictures) < MOST_FRAMES and kept_bytes < MOST_BYTES:
        frames = [frame for person in people if isinstance(frame := person.read(), Frame)]
        pictures.append(frames[0] if faces == 1 else _side_by_side(frames))
        kept_bytes += sum(plane.nbytes for plane in pictures[-1].planes)
    return pictures


def _side_by_side(frames: list[Frame]) -> Frame:
    """Cut the middle of each of N pictures and put them together: one picture of the same size with N people."""
    width_px, height_px = frames[0].width_px, frames[0].height_px
    edges = [width_px * i // len(frames) // 2 * 2 for i in range(len(frames))] + [width_px]
    strips = []
    for frame, left, right in zip(frames, edges, edges[1:]):
        first = (width_px - (right - left)) // 4 * 2
        strips.append(host.read_region(frame, (first, 0, first + right - left, height_px)))
    whole = host.bgr_frame(np.hstack(strips), time_s=0.0, number=0)
    whole = replace(whole, colour=frames[0].colour)
    return whole if frames[0].format is PixelFormat.BGR else host.convert(whole, frames[0].format)
