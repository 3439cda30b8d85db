"""Frames in the size and format that a device or an encoder takes, in video range. Pure arithmetic on planes."""

from __future__ import annotations

from dataclasses import replace

from live.output.video_range import in_video_range
from live.pixels.host import convert, fit
from live.values import Frame, PixelFormat


def fitted(frame: Frame, pixels: PixelFormat, width_px: int, height_px: int) -> Frame:
    """The frame in another format and an even size, letterboxed; YUV comes out in video range."""
    if (frame.width_px, frame.height_px) != (width_px, height_px):
        frame = _even(frame)
    frame = fit(frame, width_px, height_px)
    return convert(frame if pixels is PixelFormat.BGR else in_video_range(frame), pixels)


def _even(frame: Frame) -> Frame:
    """The frame without an odd last column or row; views of its planes."""
    width_px, height_px = frame.width_px - frame.width_px % 2, frame.height_px - frame.height_px % 2
    if (width_px, height_px) == (frame.width_px, frame.height_px):
        return frame
    planes = []
    for index, plane in enumerate(frame.planes):
        subsampled = index > 0 and frame.format in (PixelFormat.I420, PixelFormat.NV12)
        narrow = index > 0 and frame.format is not PixelFormat.I444
        planes.append(plane[: height_px // 2 if subsampled else height_px, : width_px // 2 if narrow else width_px])
    return replace(frame, planes=tuple(planes), width_px=width_px, height_px=height_px)
