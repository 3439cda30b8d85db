"""Frames as FFmpeg pictures, bit for bit.

Knows PyAV's picture layout; does not encode and does not convert colours.
"""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np

from live.values import Frame, PixelFormat, Pixels

LOSSLESS = {
    PixelFormat.BGR: "bgr0",
    PixelFormat.GRAY: "gray",
    PixelFormat.I420: "yuv420p",
    PixelFormat.I422: "yuv422p",
    PixelFormat.I444: "yuv444p",
    PixelFormat.NV12: "yuv420p",
    PixelFormat.YUYV: "yuv422p",
}
"""The planar FFmpeg format that holds exactly the same samples."""


def even(size_px: int) -> int:
    """The next even size: H.264 4:2:0 has no odd ones."""
    return size_px + size_px % 2


def encoder_picture(frame: Frame, width_px: int, height_px: int) -> Any:
    """A `av.VideoFrame` with a copy of the frame's samples.

    A picture up to one pixel larger than the frame repeats the last column or row.
    """
    picture = av.VideoFrame(width_px, height_px, LOSSLESS[frame.format])
    for plane, samples in zip(picture.planes, _planar(frame)):
        _fill(plane, samples)
    return picture


def _planar(frame: Frame) -> tuple[Pixels, ...]:
    """Y, U, V as (h, w) views; BGR as (H, W, 4)."""
    if frame.format is PixelFormat.BGR:
        return (np.asarray(cv2.cvtColor(frame.planes[0], cv2.COLOR_BGR2BGRA), np.uint8),)
    if frame.format is PixelFormat.NV12:
        return frame.planes[0], frame.planes[1][..., 0], frame.planes[1][..., 1]
    if frame.format is PixelFormat.YUYV:
        packed = frame.planes[0]
        return packed[:, : frame.width_px, 0], packed[:, 0::2, 1], packed[:, 1::2, 1]
    return frame.planes


def _fill(plane: Any, samples: Pixels) -> None:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    height_px, width_px = samples.shape[:2]
    rows[:height_px, : samples[0].size] = samples.reshape(height_px, -1)
    if plane.width > width_px:
        rows[:height_px, width_px] = rows[:height_px, width_px - 1]
    if plane.height > height_px:
        rows[height_px] = rows[height_px - 1]
