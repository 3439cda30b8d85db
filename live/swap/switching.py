"""A light engine on air while a heavy one is made ready, and the change from one to the other between two frames.

For every slow preparation: building, loading, warming up. A heavy engine that cannot be made, or fails again and again,
leaves the light one on air, and says why once. Knows engines by their contract; knows nothing about networks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from live.swap.contract import Engine, Job, Worn
from live.swap.mesh.canvas import step
from live.swap.readying import Readying
from live.values import Box, Floats, Settings, SourceFace

log = logging.getLogger(__name__)

MOST_FAULTS = 3
"""So many frames in a row may fail; then the light engine is back for good."""


class SwitchingEngine:
    """The engine of the contract. `swap`, `region` and `forget` belong to one thread; `prepare` may run on another."""

    def __init__(
        self,
        light: Engine,
        make: Callable[[], Engine],
        *,
        crossfade_s: float = 0.0,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        """Args: make: makes the heavy engine, ready to run, on a thread of its own; cancel: ends it early."""
        self.name, self.proves = light.name, light.proves
        self._light, self._crossfade_s = light, crossfade_s
        self._readying = Readying(make, light.name, cancel=cancel)
        self._on_heavy = False
        self._between_frames = True
        self._since_s: float | None = None
        self._fading = False
        self._faults = 0

    @property
    def settled(self) -> threading.Event:
        """Set when the heavy engine is ready or given up."""
        return self._readying.settled

    def start(self) -> None:
        """Begin to make the heavy engine."""
        self._readying.start()

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """The part of the frame that the engine on air needs, during the change that of both."""
        self._adopt()
        heavy = self._readying.made
        if heavy is None or not self._on_heavy:
            return self._light.region(landmarks, width_px, height_px)
        box = heavy.region(landmarks, width_px, height_px)
        return _around(box, self._light.region(landmarks, width_px, height_px)) if self._fading else box

    def prepare(self, source: SourceFace) -> None:
        """Prepare with the light engine, and with the heavy one as soon as it is there."""
        self._light.prepare(source)
        self._readying.prepare(source)

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """Swap with the engine on air; during the change with both, one laid over the other."""
        self._adopt()
        self._between_frames = True
        heavy = self._readying.made
        if heavy is None or not self._on_heavy:
            return self._light.swap(jobs, settings)
        share = self._share(jobs)
        try:
            found = heavy.swap(jobs, settings)
        except Exception as error:
            self._fault(error)
            raise
        self._faults = 0
        if share >= 1:
            return found
        return [_mixed(*pair, share) for pair in zip(self._light.swap(jobs, settings), found, strict=True)]

    def forget(self, track: int) -> None:
        """Drop what either remembers of a track."""
        self._light.forget(track)
        heavy = self._readying.made
        if heavy is not None and self._on_heavy:
            heavy.forget(track)

    def close(self) -> None:
        """Give up what is still being made, and free both."""
        self._on_heavy = False
        self._light.close()
        self._readying.close()

    def _adopt(self) -> None:
        """Change over where the heavy engine is ready and no frame is under way."""
        if not self._between_frames:
            return
        self._between_frames = False
        heavy = self._readying.made
        if heavy is not None and not self._on_heavy:
            self._on_heavy, self._fading, self._since_s = True, self._crossfade_s > 0, None
            log.info("engine: %s takes over from %s", heavy.name, self._light.name)
            self.name = heavy.name

    def _share(self, jobs: Sequence[Job]) -> float:
        """How far the heavy engine has taken over, 0..1."""
        if not self._fading or not jobs:
            return 1.0
        now_s = jobs[0].time_s
        if self._since_s is None:
            self._since_s = now_s
        share = (now_s - self._since_s) / self._crossfade_s
        if not 0 <= share < 1:
            self._fading = False
            return 1.0
        return step(share, 0.0, 1.0)

    def _fault(self, error: Exception) -> None:
        """Count a frame that the heavy engine could not swap; after some in a row it has to go."""
        self._faults += 1
        if self._faults < MOST_FAULTS:
            return
        heavy, self._on_heavy, self.name = self._readying.made, False, self._light.name
        log.error("%s is back: %s failed %d times in a row (%s)", self.name, heavy and heavy.name, self._faults, error)
        self._readying.drop()


def _around(one: Box, other: Box) -> Box:
    """The smallest box around two; an empty one does not count."""
    boxes = [box for box in (one, other) if box[2] > box[0] and box[3] > box[1]]
    if len(boxes) < 2:
        return boxes[0] if boxes else one
    low = [min(one[at], other[at]) for at in (0, 1)]
    high = [max(one[at], other[at]) for at in (2, 3)]
    return low[0], low[1], high[0], high[1]


def _mixed(before: Worn, after: Worn, share: float) -> Worn:
    """What is seen on the way from one worn face to another: (1 - share) of one shown, share of the other."""
    old = before.alpha.astype(np.float32) * np.float32(1 - share)
    new = after.alpha.astype(np.float32) * np.float32(share)
    pixels = cv2.blendLinear(before.pixels, after.pixels, old, new)  # divides by the sum of the weights
    alpha = cv2.convertScaleAbs(old + new)
    return Worn(pixels, alpha, min(before.opacity, after.opacity))
