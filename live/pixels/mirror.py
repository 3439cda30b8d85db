"""Left and right of a frame changed, in its own format. Knows planes, nothing about why."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from live.values import Frame, PixelFormat, Pixels


def mirrored(frame: Frame) -> Frame:
    """Return a new frame of the same format; its planes are its own."""
    if frame.format is PixelFormat.YUYV:
        return replace(frame, planes=(_mirrored_pairs(frame.planes[0]),))
    return replace(frame, planes=tuple(cv2.flip(plane, 1) for plane in frame.planes))


def _mirrored_pairs(plane: Pixels) -> Pixels:
    """Mirror (H, W, 2): pixels change places, while each pair keeps its U first."""
    height, width = plane.shape[:2]
    pairs = np.ascontiguousarray(plane).reshape(height, width // 2, 4)[:, ::-1]  # Y0 U Y1 V
    return np.ascontiguousarray(pairs[..., (2, 1, 0, 3)]).reshape(height, width, 2)
