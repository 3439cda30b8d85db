"""A still picture as a capture: shown again and again like a camera that sees nothing move, or once.

Knows nothing about picture formats: `live.pixels.pictures` reads them.
"""

from __future__ import annotations

import threading
import time

from live.errors import UsageError
from live.pixels.host import bgr_frame, convert, duplicate, fit
from live.pixels.pictures import read_picture
from live.values import Frame, PixelFormat

from .contract import CaptureInfo, Wanted
from .path import existing_file

DEFAULT_FPS = 30.0


def open(rest: str, wanted: Wanted) -> PictureCapture:
    """Open the picture file `rest`. Raises: UsageError when it is missing, broken, too large or no picture."""
    path = existing_file(rest)
    frame = bgr_frame(read_picture(path), time_s=0.0, number=0)
    own = f"{frame.width_px}x{frame.height_px}"
    if wanted.width_px or wanted.height_px:
        frame = fit(frame, wanted.width_px or frame.width_px, wanted.height_px or frame.height_px)
    try:
        frame = convert(frame, wanted.format or PixelFormat.BGR)
    except ValueError as error:
        raise UsageError(f"{path.name} cannot be given as {wanted.format}") from error
    fitted = f"{frame.width_px}x{frame.height_px}"
    notes = () if fitted == own else (f"fitted from {own} into {fitted}",)
    return PictureCapture(path.name, frame, wanted, notes)


class PictureCapture:
    """The same picture in every frame, each with planes of its own."""

    def __init__(self, name: str, frame: Frame, wanted: Wanted, notes: tuple[str, ...]) -> None:
        self._frame = frame
        self._period_s = 1 / (wanted.fps or DEFAULT_FPS)
        self._once = not wanted.live and not wanted.loop
        self._live = wanted.live
        self._start_s: float | None = None
        self._number = 0
        self._stop = threading.Event()
        self.info = CaptureInfo(
            name=name,
            width_px=frame.width_px,
            height_px=frame.height_px,
            fps=1 / self._period_s,
            format=frame.format,
            colour=frame.colour,
            live=wanted.live,
            frames=1 if self._once else None,
            notes=notes,
        )

    def read(self) -> Frame | None:
        """The picture, when it is due; None after `close`, or after the only one."""
        if self._stop.is_set() or (self._once and self._number):
            return None
        media_s, time_s = self._number * self._period_s, time.monotonic()
        if self._live:
            if self._start_s is None:
                self._start_s = time_s
            due_s = self._start_s + media_s
            if due_s > time_s and self._stop.wait(due_s - time_s):
                return None
            time_s = due_s
        number, self._number = self._number, self._number + 1
        shown = duplicate(self._frame)
        size = (shown.width_px, shown.height_px)
        return Frame(shown.planes, shown.format, *size, time_s, number, media_s, shown.colour)

    def close(self) -> None:
        """A waiting `read` returns; there is nothing else to free."""
        self._stop.set()
