"""A window that shows the pictures and passes on the keys pressed in it.

The window lives on the main thread of a child process (`live.output.window_child`): OpenCV aborts the whole process
when the screen goes away, and macOS allows windows on a main thread only. Knows nothing about what the keys mean;
closing the window counts as the key `q`.
"""

from __future__ import annotations

import os
import sys

from live.errors import OutputError, UsageError
from live.output.child import Child
from live.output.contract import LARGEST_PX, SMALLEST_PX, Format
from live.pixels.host import convert, fit
from live.values import Frame, PixelFormat, Sound

CHILD = "live.output.window_child"


def open(rest: str, format: Format) -> Window:
    """Open a window; it has no options.

    Raises: UsageError if anything follows `window`; OutputError when there is no screen or the window does not open.
    """
    if rest:
        raise UsageError(f"output window takes nothing after the colon, got {rest!r}")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise OutputError(
            "no window possible: there is no screen (DISPLAY is not set); choose web, a file or virtualcam"
        )
    return Window(format)


class Window:
    """Feeds the child that shows the window."""

    live = True

    def __init__(self, format: Format) -> None:
        largest = max(format.width_px, format.height_px)
        scale = min(1.0, LARGEST_PX / largest)
        self._size = (
            max(SMALLEST_PX, round(format.width_px * scale)),
            max(SMALLEST_PX, round(format.height_px * scale)),
        )
        settings = {"width_px": self._size[0], "height_px": self._size[1], "title": "live"}
        self._child = Child(CHILD, "window", PixelFormat.BGR, *self._size, settings)
        self.name = "window"
        self.keys = self._child.keys

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._child.pid

    def send(self, frame: Frame) -> None:
        """Show one picture. Raises: OutputError when the window's process is gone."""
        self._child.send(convert(fit(frame, *self._size), PixelFormat.BGR))

    def sound(self, sound: Sound) -> None:
        """A window has no sound."""

    def close(self) -> None:
        """Close the window. May be called twice."""
        self._child.close()
