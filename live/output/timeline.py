"""When a picture and a packet of sound belong in a recording: pure arithmetic on their times.

Knows neither files nor codecs. A recording of a file keeps the file's own times (variable frame rate included); a
recording of something live takes the times at which the pictures came.
"""

from __future__ import annotations

from live.values import Frame

LATE_START_S = 1.0
"""A clip whose first picture comes later than this (a broadcast's clock) is moved to start at 0."""
REWIND_S = 1.0
"""A step back of at least this is a clip that started over; a smaller one is a broken time stamp."""
SOUND_SLACK_S = 0.3
"""Sound follows the pictures' clock when the two have drifted this far apart. Below it, jitter of live arrival."""


class Timeline:
    """Turns times of frames and sound into seconds since the start of the recording."""

    def __init__(self, *, live: bool, fps: float) -> None:
        self._live = live
        self._step_s = 1.0 / fps if fps > 0 else 0.04
        self._origin_s: float | None = None
        self._last_s = 0.0
        self._sound_shift_s: float | None = None

    def frame_s(self, frame: Frame) -> float:
        """Seconds since the start; at least the previous frame's, except for a broken time stamp."""
        given_s = frame.time_s if self._live or frame.media_s is None else frame.media_s
        if self._origin_s is None:
            keeps_times = not self._live and frame.media_s is not None and 0 <= given_s <= LATE_START_S
            self._origin_s = 0.0 if keeps_times else given_s
        elif given_s - self._origin_s < self._last_s - REWIND_S:
            self._origin_s = given_s - self._last_s - self._step_s
        self._last_s = max(0.0, given_s - self._origin_s)
        self._follow(frame)
        return self._last_s

    def sound_s(self, media_s: float) -> float | None:
        """Seconds since the start; None before the first picture, or when the sound belongs before it began."""
        if self._sound_shift_s is None:
            return None
        at_s = media_s + self._sound_shift_s
        return at_s if at_s >= 0 else None

    def _follow(self, frame: Frame) -> None:
        """Learn how far container time lies from recording time."""
        if frame.media_s is None:
            return
        shift_s = self._last_s - frame.media_s
        if not self._live or self._sound_shift_s is None or abs(shift_s - self._sound_shift_s) > SOUND_SLACK_S:
            self._sound_shift_s = shift_s
