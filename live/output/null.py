"""The output that shows nothing: takes every picture, counts it and keeps the newest.

For measuring and for tests; knows nothing about pixels.
"""

from __future__ import annotations

import queue

from live.errors import OutputError, UsageError
from live.output.contract import Format
from live.values import Frame, Sound


def open(rest: str, format: Format) -> NullOutput:
    """Open the null output; it has no options.

    Raises: UsageError if anything follows `null`.
    """
    if rest:
        raise UsageError(f"output null takes nothing after the colon, got {rest!r}")
    return NullOutput(live=format.live)


class NullOutput:
    """Counts pictures and packets of sound."""

    keys: queue.Queue[str] | None = None

    def __init__(self, *, live: bool) -> None:
        self.name = "nothing"
        self.live = live
        self.frames = 0
        self.sounds = 0
        self.last: Frame | None = None
        """The newest picture."""
        self._closed = False

    def send(self, frame: Frame) -> None:
        """Count and keep one picture."""
        if self._closed:
            raise OutputError("the null output is closed already")
        self.frames += 1
        self.last = frame

    def sound(self, sound: Sound) -> None:
        """Count one packet of sound."""
        self.sounds += 1

    def close(self) -> None:
        """Take no more pictures; what was counted stays readable."""
        self._closed = True
