"""The time of every picture and packet of sound of one input: rising, whatever the container says.

Pure arithmetic. Good time stamps pass through as they are; missing, repeated and jumping ones are repaired, and
a clip that starts over goes on where it ended.
"""

from __future__ import annotations

SMALLEST_STEP_S = 0.001
"""Between two pictures with the same or a slightly earlier stamp: the finest step common containers keep apart."""
JUMP_BACK_S = 1.0
JUMP_AHEAD_S = 60.0
"""A gap from which on the clock was changed (a broken or spliced file), not a picture shown for long."""


class MediaClock:
    """Turns a container's time stamps into times that rise from picture to picture."""

    def __init__(self, period_s: float) -> None:
        """`period_s`: seconds from picture to picture where the container does not say."""
        self._period_s = period_s
        self._offset_s = 0.0
        self._first_s: float | None = None
        self._last_s: float | None = None

    def frame_s(self, stamp_s: float | None) -> float:
        """The time of the next picture, s; greater than that of the one before."""
        if self._last_s is None:
            self._last_s = self._first_s = 0.0 if stamp_s is None else stamp_s
            return self._last_s
        next_s = self._last_s + self._period_s
        at_s = next_s if stamp_s is None else stamp_s + self._offset_s
        if not self._last_s - JUMP_BACK_S < at_s < self._last_s + JUMP_AHEAD_S:
            self._offset_s += next_s - at_s
            at_s = next_s
        self._last_s = max(at_s, self._last_s + SMALLEST_STEP_S)
        return self._last_s

    def restart(self) -> None:
        """The same clip begins again: its first picture comes one period after the last one."""
        if self._last_s is not None and self._first_s is not None:
            self._offset_s = self._last_s + self._period_s - self._first_s

    @property
    def offset_s(self) -> float:
        """What is added to the container's stamps now; sound is shifted by it too."""
        return self._offset_s
