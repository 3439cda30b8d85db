"""The demo person as a capture: a composite person, nobody's likeness, who sits in a room and talks to the webcam.

Stands in for a camera where there is none, and for tests and measurements: what frame n shows depends only on n and
the frame rate, and `landmarks` says where the face is. Knows the clock; the picture comes from puppet.py.
"""

from __future__ import annotations

import threading
import time

from live.errors import UsageError
from live.pixels.host import convert
from live.pixels.people import people_names, read_person
from live.values import Floats, Frame, PixelFormat

from .contract import CaptureInfo, Wanted
from .gestures import gesture_at
from .puppet import Puppet

DEFAULT_PERSON = "jonas"
DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS = 30.0
SMALLEST_PX, LARGEST_PX = 160, 3840
FASTEST_FPS = 240.0


def open(rest: str, wanted: Wanted) -> DemoCapture:
    """Open the demo person; `rest` is a bundled person's name or empty.

    Raises: UsageError for an unknown person, a size or a rate that cannot be.
    """
    name = rest.strip().lower() or DEFAULT_PERSON
    if name not in people_names():
        raise UsageError(f"demo:{rest.strip()} is nobody; demo:NAME takes {', '.join(people_names())}")
    width, height = _size(wanted)
    fps = wanted.fps or DEFAULT_FPS
    if not 0 < fps <= FASTEST_FPS:
        raise UsageError(
            f"the demo person cannot run at {fps:g} fps; more than 0 and up to {FASTEST_FPS:g} can be asked for"
        )
    return DemoCapture(name, width, height, fps, wanted)


def _size(wanted: Wanted) -> tuple[int, int]:
    """The frame's size: as wanted, even, the other side in 16:9 where only one is given."""
    width, height = wanted.width_px, wanted.height_px
    if not width and not height:
        return DEFAULT_SIZE_PX
    width, height = width or round(height * 16 / 9), height or round(width * 9 / 16)
    if not (SMALLEST_PX <= width <= LARGEST_PX and SMALLEST_PX <= height <= LARGEST_PX):
        allowed = f"{SMALLEST_PX} to {LARGEST_PX} px a side"
        raise UsageError(f"the demo person cannot be {width}x{height}; ask for {allowed}, for example 1280x720")
    return width // 2 * 2, height // 2 * 2


class DemoCapture:
    """Frames of the demo person, paced by the clock, or as fast as they are taken where `wanted.live` is false.

    It has no end. A reader that comes late gets the next picture at once and the schedule starts anew from there.
    """

    def __init__(self, name: str, width_px: int, height_px: int, fps: float, wanted: Wanted) -> None:
        self._puppet = Puppet(read_person(name), width_px, height_px)
        self._period_s = 1 / fps
        self._live = wanted.live
        self._format = wanted.format or PixelFormat.I420
        self._due_s: float | None = None
        self._number = 0
        self._stop = threading.Event()
        first = self._frame(0, 0.0)
        asked = (wanted.width_px or width_px, wanted.height_px or height_px)
        odd = f"asked for {asked[0]}x{asked[1]}, got {width_px}x{height_px}: sides are even"
        self.info = CaptureInfo(
            name=f"demo person {name}",
            width_px=width_px,
            height_px=height_px,
            fps=fps,
            format=first.format,
            colour=first.colour,
            live=wanted.live,
            notes=() if asked == (width_px, height_px) else (odd,),
        )

    def read(self) -> Frame | None:
        """The next frame, when it is due; None after `close`."""
        if self._stop.is_set():
            return None
        now_s = time.monotonic()
        if self._live:
            due_s = now_s if self._due_s is None else self._due_s
            if due_s > now_s and self._stop.wait(due_s - now_s):
                return None
            if now_s - due_s > self._period_s:
                due_s = now_s
            self._due_s, now_s = due_s + self._period_s, due_s
        number, self._number = self._number, self._number + 1
        return self._frame(number, now_s)

    def landmarks(self, number: int) -> Floats:
        """Where the face is in frame `number`: (478, 3) px. For tests and measurements."""
        return self._puppet.landmarks(gesture_at(number * self._period_s))

    def close(self) -> None:
        """A waiting `read` returns None; there is nothing else to free."""
        self._stop.set()

    def _frame(self, number: int, time_s: float) -> Frame:
        media_s = number * self._period_s
        planes = self._puppet.planes(gesture_at(media_s), number)
        height, width = planes[0].shape
        frame = Frame(planes, PixelFormat.I420, width, height, time_s, number, None if self._live else media_s)
        return convert(frame, self._format)
