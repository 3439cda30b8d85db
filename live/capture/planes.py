"""From a decoded `av.VideoFrame` to the planes of a `Frame`: the decoder's own format, upright, tightly packed.

Stands between PyAV and every capture that decodes (files, streams, screens, MJPEG cameras). Knows pixel formats, line
sizes and display matrices; knows nothing about containers, time or pacing.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from av import FFmpegError, VideoFormat, VideoFrame
from av.video.reformatter import VideoReformatter

from live.errors import CaptureError
from live.values import Colour, PixelFormat, Pixels

MAX_SIDE_PX = 16384
MAX_PIXELS = 2**27  # 134 217 728
NATIVE = {
    "yuv420p": PixelFormat.I420,
    "yuvj420p": PixelFormat.I420,
    "yuv422p": PixelFormat.I422,
    "yuvj422p": PixelFormat.I422,
    "yuv444p": PixelFormat.I444,
    "yuvj444p": PixelFormat.I444,
    "nv12": PixelFormat.NV12,
    "yuyv422": PixelFormat.YUYV,
    "gray": PixelFormat.GRAY,
    "bgr24": PixelFormat.BGR,
}
AV_NAME = {
    PixelFormat.I420: "yuv420p",
    PixelFormat.I422: "yuv422p",
    PixelFormat.I444: "yuv444p",
    PixelFormat.NV12: "nv12",
    PixelFormat.YUYV: "yuyv422",
    PixelFormat.GRAY: "gray",
    PixelFormat.BGR: "bgr24",
}
# Semi-planar and packed YUV whose nearest relative shares their layout, not only their subsampling.
NEAREST = {
    "nv21": PixelFormat.NV12,
    "p010le": PixelFormat.NV12,
    "uyvy422": PixelFormat.YUYV,
    "yvyu422": PixelFormat.YUYV,
}
SPACES_709 = {1, 7}  # AVCOL_SPC_BT709, SMPTE240M (weights within 0.001 of 709)
SPACES_601 = {4, 5, 6}  # FCC, BT470BG, SMPTE170M
SPACES_2020 = {9, 10}  # BT2020 with constant and non-constant luminance
BT709, RANGE_VIDEO, RANGE_FULL = 1, 1, 2  # AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture before it has a number. Planes as `Frame` promises, writable, owned."""

    planes: tuple[Pixels, ...]
    format: PixelFormat
    width_px: int
    height_px: int
    colour: Colour
    media_s: float | None = None
    """The container's time as it stands there, broken or not; None where it gives none."""


def too_large(width_px: int, height_px: int) -> bool:
    """Whether a picture leaves the bounds of what is decoded at all."""
    return max(width_px, height_px) > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS


def nearest_format(av_name: str) -> PixelFormat:
    """The `PixelFormat` that keeps most of an FFmpeg pixel format: same kind of colour, at least its chroma."""
    if av_name in NATIVE or av_name in NEAREST:
        return NATIVE.get(av_name) or NEAREST[av_name]
    av_format = VideoFormat(av_name)
    if av_format.is_rgb or av_format.has_palette or av_format.is_bayer or av_name.startswith("xyz"):
        return PixelFormat.BGR
    if sum(not component.is_alpha for component in av_format.components) < 3:
        return PixelFormat.GRAY
    across, down = 64 // av_format.chroma_width(64), 64 // av_format.chroma_height(64)
    if across == 1:
        return PixelFormat.I444
    return PixelFormat.I422 if down == 1 else PixelFormat.I420


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """How to turn a decoded picture upright: (transpose, then flip left-right, then flip top-bottom).

    The display matrix maps x' = a x + c y, y' = b x + d y; only its eight axis-aligned cases exist in practice.
    Source: libavutil/display.h, nine 32-bit numbers in the order a b u, c d v, x y w.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX") if frame.side_data else None
    if side_data is None or side_data.buffer_size < 36:
        return False, False, False
    a, b, _, c, d = struct.unpack("=5i", bytes(side_data)[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def colour_of(frame: VideoFrame) -> Colour:
    """Matrix and range as tagged; untagged pictures below 720 lines are BT.601, larger ones BT.709."""
    if frame.colorspace in SPACES_709 | SPACES_2020:
        matrix = "bt709"
    elif frame.colorspace in SPACES_601:
        matrix = "bt601"
    else:
        matrix = "bt601" if frame.height < 720 else "bt709"
    name = frame.format.name
    # Untagged grey is full range everywhere in FFmpeg, untagged YUV is video range, and yuvj is full by its name.
    full_range = frame.color_range == RANGE_FULL or name.startswith("yuvj")
    return Colour(matrix, full_range=full_range or (name.startswith("gray") and frame.color_range != RANGE_VIDEO))


class Unpacker:
    """Turns decoded frames into `Picture`s. Keeps the scaler between frames: making one costs 0.2 ms and more."""

    def __init__(self, wanted: PixelFormat | None = None) -> None:
        self._wanted = wanted
        self._reformatter = VideoReformatter()
        self._rotation: int | None = None
        self._turn = (False, False, False)

    def unpack(self, frame: VideoFrame) -> Picture:
        """Copy one decoded picture out of FFmpeg's buffers, each byte once when its format is native.

        Raises: CaptureError for a picture out of bounds or a pixel format that cannot be converted.
        """
        if too_large(frame.width, frame.height) or not frame.width or not frame.height:
            raise CaptureError(
                f"a picture of {frame.width}x{frame.height} is out of bounds: "
                f"up to {MAX_SIDE_PX} px a side and {MAX_PIXELS // 2**20} megapixels are taken"
            )
        media_s, colour = frame.time, colour_of(frame)
        turn = self._turn_of(frame)
        target = self._target(frame, turn)
        if NATIVE.get(frame.format.name) is not target or frame.colorspace in SPACES_2020:
            frame = self._reformat(frame, target, colour)
        planes = tuple(_turned(plane, turn) for plane in _plane_views(frame, target))
        width_px, height_px = (frame.height, frame.width) if turn[0] else (frame.width, frame.height)
        if target is PixelFormat.BGR:
            colour = Colour()
        return Picture(planes, target, width_px, height_px, colour, media_s)

    def _turn_of(self, frame: VideoFrame) -> tuple[bool, bool, bool]:
        """As `orientation`, asked when FFmpeg's angle changes.

        A frame and its side data hold each other once they are asked for: its pictures, 1.4 MB at 720p, would stay
        until the garbage collector looks, which may be hundreds of frames later.
        """
        if frame.rotation != self._rotation:
            self._rotation, self._turn = frame.rotation, orientation(frame)
        return self._turn

    def _target(self, frame: VideoFrame, turn: tuple[bool, bool, bool]) -> PixelFormat:
        """The format to deliver: the wanted or nearest one, if its chroma survives turning and its width is even."""
        target = self._wanted or nearest_format(frame.format.name)
        if target is PixelFormat.YUYV and (any(turn) or frame.width % 2):
            target = PixelFormat.I422
        if target is PixelFormat.I422 and turn[0]:
            target = PixelFormat.I444
        return target

    def _reformat(self, frame: VideoFrame, target: PixelFormat, colour: Colour) -> VideoFrame:
        """Convert by libswscale; YUV keeps its matrix and range (BT.2020 becomes BT.709), RGB becomes full range."""
        source_range = RANGE_FULL if colour.full_range else RANGE_VIDEO
        source_matrix = frame.colorspace if frame.colorspace in SPACES_2020 else _space_of(colour)
        from_rgb = nearest_format(frame.format.name) is PixelFormat.BGR
        try:
            return self._reformatter.reformat(
                frame,
                format=AV_NAME[target],
                src_colorspace=None if from_rgb else source_matrix,
                dst_colorspace=None if from_rgb and target is PixelFormat.BGR else _space_of(colour),
                src_color_range=None if from_rgb else source_range,
                dst_color_range=RANGE_FULL if target is PixelFormat.BGR else source_range,
                threads=1,
            )
        except (FFmpegError, ValueError) as error:
            raise CaptureError(f"pixel format {frame.format.name} cannot be converted to {target.value}") from error


def _space_of(colour: Colour) -> int:
    return BT709 if colour.matrix == "bt709" else 5


def _plane_views(frame: VideoFrame, format: PixelFormat) -> list[Pixels]:
    """Views into FFmpeg's buffers, (h, w) or (h, w, samples), without the padding at the line ends."""
    depths = {PixelFormat.BGR: (3,), PixelFormat.YUYV: (2,), PixelFormat.NV12: (1, 2)}.get(format, (1, 1, 1))
    views = []
    for plane, depth in zip(frame.planes, depths):
        lines = _lines(plane)[:, : plane.width * depth]
        views.append(lines.reshape(plane.height, plane.width, depth) if depth > 1 else lines)
    return views


def _lines(plane: Any) -> Pixels:
    """(h, |line size|) bytes, top line first."""
    step, height = plane.line_size, plane.height
    if step >= 0:
        return np.frombuffer(plane, np.uint8).reshape(height, step)
    # A negative line size means that the buffer starts at its last line in memory; PyAV's own view would run past it.
    start = plane.buffer_ptr + step * (height - 1)
    memory = (ctypes.c_uint8 * (-step * height)).from_address(start)
    return np.frombuffer(memory, np.uint8).reshape(height, -step)[::-1]


def _turned(view: Pixels, turn: tuple[bool, bool, bool]) -> Pixels:
    """A packed, writable copy of a plane, turned upright."""
    transpose, left_right, top_bottom = turn
    if transpose:
        view = view.swapaxes(0, 1)
    if left_right:
        view = view[:, ::-1]
    if top_bottom:
        view = view[::-1]
    return np.array(view, order="C", copy=True)
