"""One-Euro smoothing of landmarks: still faces do not dance, moving faces are not late. Pure; time comes in.

Source: Casiez, Roussel, Vogel, "1 Euro Filter", CHI 2012.
"""

from __future__ import annotations

import math

import numpy as np

from live.values import Floats

SLOWEST_HZ = 8.0
"""Cut-off of a still point at steadiness 0..1: from here down to `SLOWEST_HZ / 16`."""
SPEED_GAIN = 12.0
"""Hz of cut-off per face width and second: a point that crosses its face in a second passes nearly unfiltered."""
SPEED_CUTOFF_HZ = 3.0


class OneEuro:
    """Smooths the (478, 3) landmarks of one face."""

    def __init__(self, steadiness: float) -> None:
        """Args: steadiness 0 (no smoothing) to 1."""
        self._cutoff_hz = SLOWEST_HZ * 16.0**-steadiness if steadiness > 0 else math.inf
        self._value: Floats | None = None
        self._speed: Floats | None = None
        self._then_s = 0.0

    def smooth(self, landmarks: Floats, now_s: float) -> Floats:
        """The smoothed landmarks; the first ones come back as they are."""
        elapsed_s = now_s - self._then_s
        if self._value is None or self._speed is None or not 0 < elapsed_s < 0.5 or math.isinf(self._cutoff_hz):
            self._value, self._speed = landmarks, np.zeros_like(landmarks)
            self._then_s = now_s
            return landmarks
        width_px = max(float(np.ptp(landmarks[:, 0])), 1.0)
        speed = (landmarks - self._value) / np.float32(elapsed_s)
        self._speed = self._speed + _weight(SPEED_CUTOFF_HZ, elapsed_s) * (speed - self._speed)
        # One cut-off per point, from its speed in the picture: x and y must not be smoothed differently.
        flow = np.hypot(self._speed[:, 0], self._speed[:, 1])[:, None] / width_px
        cutoff_hz = (self._cutoff_hz + SPEED_GAIN * flow).astype(np.float32)
        self._value = (self._value + _weight(cutoff_hz, elapsed_s) * (landmarks - self._value)).astype(np.float32)
        self._then_s = now_s
        return self._value


def _weight(cutoff_hz: Floats | float, elapsed_s: float) -> Floats | float:
    """Weight of the new value in an exponential filter."""
    rate = 2 * math.pi * cutoff_hz * elapsed_s
    return rate / (rate + 1)
