"""The animated person with every frame remembered as it was captured, and whether a picture shows that face bare."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from live.capture.demo import DemoCapture
from live.pixels import host
from live.values import Frame, Sound

INNER_FACE = [10, 67, 103, 54, 132, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 361, 284, 332, 297]
"""Landmarks of the face oval."""


class WatchedDemo:
    """The demo person, every frame of it remembered as it was captured."""

    def __init__(self, demo: DemoCapture, spoil: Callable[[int, Frame], None], frames: int) -> None:
        self.demo, self.info, self._spoil, self._frames = demo, demo.info, spoil, frames
        self.captured: dict[int, Frame] = {}

    def read(self) -> Frame | Sound | None:
        frame = self.demo.read()
        if not isinstance(frame, Frame) or frame.number >= self._frames:
            return None
        self._spoil(frame.number, frame)
        self.captured[frame.number] = host.duplicate(frame)
        return frame

    def close(self) -> None:
        self.demo.close()


def is_bare(watched: WatchedDemo, shown: Frame, covered: slice = slice(0)) -> bool:
    """Inner-face pixels equal those of the captured frame: mean absolute difference below 3/255.

    Args: covered: columns in which something lies before the face, and stays there.
    """
    outline = watched.demo.landmarks(shown.number)[INNER_FACE, :2]
    centre = outline.mean(axis=0)
    inner = np.zeros((shown.height_px, shown.width_px), np.uint8)
    cv2.fillConvexPoly(inner, cv2.convexHull(((outline - centre) * 0.7 + centre).astype(np.int32)), 1)
    inner[:, covered] = 0
    if not inner.any():
        return False
    before, after = host.to_bgr(watched.captured[shown.number]), host.to_bgr(shown)
    return float(np.abs(before.astype(int) - after)[inner > 0].mean()) < 3
