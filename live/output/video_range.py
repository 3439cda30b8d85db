"""Full-range YUV (what webcams' JPEG carries) brought into video range, which programs expect of a camera.

Pure arithmetic on planes; knows nothing about devices. Source: BT.601-7, table 3: Y 16..235, U and V 16..240.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from live.values import Frame, PixelFormat, Pixels

_LEVELS = np.arange(256, dtype=np.float64)
LUMA = np.round(16 + _LEVELS * (219 / 255)).astype(np.uint8)
CHROMA = np.clip(np.round(128 + (_LEVELS - 128) * (224 / 255)), 16, 240).astype(np.uint8)
PACKED = np.stack([LUMA, CHROMA], axis=1)[:, None]  # (256, 1, 2)


def in_video_range(frame: Frame) -> Frame:
    """The same picture in video range; the frame itself when it is in it already, or is not YUV."""
    if not frame.colour.full_range or frame.format in (PixelFormat.BGR, PixelFormat.GRAY):
        return frame
    if frame.format is PixelFormat.YUYV:
        planes: tuple[Pixels, ...] = (_look_up(frame.planes[0], PACKED),)
    else:
        planes = (_look_up(frame.planes[0], LUMA), *(_look_up(plane, CHROMA) for plane in frame.planes[1:]))
    return replace(frame, planes=planes, colour=replace(frame.colour, full_range=False))


def _look_up(plane: Pixels, table: Pixels) -> Pixels:
    return np.asarray(cv2.LUT(plane, table), np.uint8)
