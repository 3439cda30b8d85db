"""Pixel operations on the host: converting, fitting, cutting a region out of any pixel format and pasting it back.

Knows regions and patches, nothing about faces; planes.py knows the formats. A paste touches only pixels whose alpha is
not zero: what is outside a face leaves in the camera's own format, bit for bit.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, sqrt

import cv2
import numpy as np

from live.pixels import planes
from live.pixels.planes import plane_shapes as plane_shapes
from live.values import Box, Colour, Floats, Frame, PixelFormat, Pixels


def bgr_frame(bgr: Pixels, *, time_s: float, number: int, media_s: float | None = None) -> Frame:
    """Wrap a (H, W, 3) BGR picture as a frame; the picture is not copied."""
    height_px, width_px = bgr.shape[:2]
    return Frame((bgr,), PixelFormat.BGR, width_px, height_px, time_s, number, media_s)


def to_bgr(frame: Frame) -> Pixels:
    """The whole picture as (H, W, 3) BGR; the frame's own plane when it is BGR already."""
    if frame.format is PixelFormat.BGR:
        return frame.planes[0]
    return read_region(frame, (0, 0, frame.width_px, frame.height_px))


def read_region(frame: Frame, box: Box) -> Pixels:
    """Cut (y2 - y1, x2 - x1, 3) BGR out of a frame; a view when the frame is BGR.

    Args: box px inside the frame; x1 and y1 even.
    """
    x1, y1, x2, y2 = box
    if frame.format is PixelFormat.BGR:
        return frame.planes[0][y1:y2, x1:x2]
    if frame.format is PixelFormat.GRAY:
        return cv2.cvtColor(frame.planes[0][y1:y2, x1:x2], cv2.COLOR_GRAY2BGR)
    luma, u, v = planes.take(frame, box)
    size = (x2 - x1, y2 - y1)
    yuv = cv2.merge([luma, planes.grow(u, size, frame.format), planes.grow(v, size, frame.format)])
    return cv2.transform(yuv, planes.to_bgr_matrix(frame.colour))


def paste(frame: Frame, box: Box, bgr: Pixels, alpha: Pixels) -> None:
    """Blend a (H, W, 3) BGR picture into a frame, in place, by (H, W) alpha 0..255.

    Pixels with alpha 0 keep their exact value (chroma: samples all of whose pixels have alpha 0).
    """
    x, y, width, height = cv2.boundingRect(alpha)
    left, top = x // 2 * 2, y // 2 * 2  # chroma samples stay whole
    part = np.s_[top : y + height, left : x + width]
    box = (box[0] + left, box[1] + top, box[0] + x + width, box[1] + y + height)
    bgr, alpha = bgr[part], alpha[part]
    if not alpha.size:
        return
    x1, y1, x2, y2 = box
    if frame.format is PixelFormat.BGR:
        _blend(frame.planes[0][y1:y2, x1:x2], bgr, alpha)
        return
    if frame.format is PixelFormat.GRAY:
        _blend(frame.planes[0][y1:y2, x1:x2], cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), alpha)
        return
    luma, u, v = planes.take(frame, box)
    new_luma, new_u, new_v = planes.to_yuv(bgr, frame.format, frame.colour)
    _blend(luma, new_luma, alpha)
    small_alpha = planes.shrink(alpha, frame.format)
    _blend(u, new_u, small_alpha)
    _blend(v, new_v, small_alpha)
    planes.put(frame, box, luma, u, v)


def convert(frame: Frame, format: PixelFormat) -> Frame:
    """The same picture in another format; the frame itself when it has it already."""
    if frame.format is format:
        return frame
    if {frame.format, format} == {PixelFormat.NV12, PixelFormat.I420}:
        planes = _swap_nv12_i420(frame)
    elif {frame.format, format} == {PixelFormat.YUYV, PixelFormat.I422} and frame.width_px % 2 == 0:
        planes = _swap_yuyv_i422(frame)
    else:
        planes = _planes_of(to_bgr(frame), format, frame.colour)
    return replace(frame, planes=planes, format=format)


def fit(frame: Frame, width_px: int, height_px: int) -> Frame:
    """Scale a frame into a size, keeping its aspect, black bars around; the frame itself when it has that size."""
    if (frame.width_px, frame.height_px) == (width_px, height_px):
        return frame
    scale = min(width_px / frame.width_px, height_px / frame.height_px)
    inner = (max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale)))
    picture = cv2.resize(to_bgr(frame), inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((height_px, width_px, 3), np.uint8)
    left, top = (width_px - inner[0]) // 2, (height_px - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = picture
    planes = _planes_of(canvas, frame.format, frame.colour)
    return replace(frame, planes=planes, width_px=width_px, height_px=height_px)


def thumbnail(frame: Frame, width_px: int, height_px: int) -> Pixels:
    """The whole picture scaled to (height_px, width_px, 3) BGR; aspect is the caller's business."""
    size = (width_px, height_px)
    if frame.format is PixelFormat.BGR:
        return _scale(frame.planes[0], size)
    if frame.format is PixelFormat.GRAY:
        return cv2.cvtColor(_scale(frame.planes[0], size), cv2.COLOR_GRAY2BGR)
    parts = frame.planes
    if frame.format is PixelFormat.YUYV:
        parts = planes.take(frame, (0, 0, frame.width_px, frame.height_px))
    yuv = cv2.merge([_scale(plane, size) for plane in parts])
    return cv2.transform(yuv, planes.to_bgr_matrix(frame.colour))


def cut_patch(frame: Frame, matrix: Floats, side_px: int) -> Pixels:
    """Cut an aligned (side_px, side_px, 3) BGR patch out of a frame; black outside the frame.

    Args: matrix (2, 3) frame px -> patch px.
    """
    box = _reach(matrix, side_px, (frame.width_px, frame.height_px))
    x1, y1, x2, y2 = box
    if x2 - x1 < 2 or y2 - y1 < 2:
        return np.zeros((side_px, side_px, 3), np.uint8)
    moved = np.array(matrix, np.float32)
    moved[:, 2] += moved[:, :2] @ np.array((x1, y1), np.float32)
    if frame.format is PixelFormat.BGR:
        return _warp(frame.planes[0][y1:y2, x1:x2], moved, side_px)
    if frame.format is PixelFormat.GRAY:
        return cv2.cvtColor(_warp(frame.planes[0][y1:y2, x1:x2], moved, side_px), cv2.COLOR_GRAY2BGR)
    luma, u, v = planes.take(frame, box)
    chroma_matrix = _matrix_of_shrunk(moved, *planes.CHROMA_STEP[frame.format])
    u, v = (_warp(plane, chroma_matrix, side_px, outside=128) for plane in (u, v))
    yuv = cv2.merge([_warp(luma, moved, side_px), u, v])
    return cv2.transform(yuv, planes.to_bgr_matrix(frame.colour))


def duplicate(frame: Frame) -> Frame:
    """A copy with planes of its own."""
    return replace(frame, planes=tuple(plane.copy() for plane in frame.planes))


def _halved(plane: Pixels) -> Pixels:
    """Half the size, each pixel the mean of four: by far the cheapest way to scale without aliasing."""
    height_px, width_px = plane.shape[0] // 2, plane.shape[1] // 2
    return cv2.resize(plane[: 2 * height_px, : 2 * width_px], (width_px, height_px), interpolation=cv2.INTER_AREA)


def _scale(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale (h, w) or (h, w, N) to (width, height), without aliasing; the plane itself when it has that size."""
    if plane.ndim == 3 and plane.shape[2] == 2:
        # Halving two channels takes 7 times the time of twice one. Of colours some samples are enough.
        if plane.shape[1] >= 3 * size[0] and plane.shape[0] >= 3 * size[1]:
            plane = cv2.resize(plane, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_NEAREST)
        return cv2.merge([_scale(channel, size) for channel in planes.channels(plane)])
    if plane.shape[0] >= 8 * size[1]:
        plane = plane[::2]  # lines enough to average are left, and half of a large picture need not be read
    while plane.shape[1] >= 2 * size[0] and plane.shape[0] >= 2 * size[1]:
        plane = _halved(plane)
    if plane.shape[1::-1] == size:
        return plane
    shrinks = plane.shape[1] >= 2 * size[0] or plane.shape[0] >= 2 * size[1]
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _reach(matrix: Floats, side_px: int, size: tuple[int, int]) -> Box:
    """The part of a picture of a size (width, height) that a patch shows, one px more around; x1 and y1 even."""
    (a, b, x), (c, d, y) = cv2.invertAffineTransform(matrix).tolist()  # patch px -> frame px
    x1, x2 = x + side_px * (min(a, 0) + min(b, 0)), x + side_px * (max(a, 0) + max(b, 0))
    y1, y2 = y + side_px * (min(c, 0) + min(d, 0)), y + side_px * (max(c, 0) + max(d, 0))
    left, top = max(floor(x1) - 1, 0) // 2 * 2, max(floor(y1) - 1, 0) // 2 * 2
    return left, top, max(min(ceil(x2) + 1, size[0]), left), max(min(ceil(y2) + 1, size[1]), top)


def _warp(plane: Pixels, matrix: Floats, side_px: int, outside: int = 0) -> Pixels:
    """Cut a patch out of a plane (h, w) or picture (h, w, 3) by a matrix plane px -> patch px; without aliasing."""
    (a, b, _), (c, d, _) = matrix.tolist()
    scale = sqrt(abs(a * d - b * c))
    while scale < 0.6 and min(plane.shape[:2]) >= 4:
        plane, matrix, scale = _halved(plane), _matrix_of_shrunk(matrix, 2, 2), scale * 2
    border = (outside,) * 4
    return cv2.warpAffine(plane, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderValue=border)


def _matrix_of_shrunk(matrix: Floats, across: int, down: int) -> Floats:
    """The matrix for a plane whose pixels are means of `across` x `down` of the first one's, about their middles."""
    shrunk = matrix.copy()
    shrunk[:, 2] += matrix[:, :2] @ np.array(((across - 1) / 2, (down - 1) / 2), np.float32)
    shrunk[:, :2] *= np.array((across, down), np.float32)
    return shrunk


def _blend(target: Pixels, new: Pixels, alpha: Pixels) -> None:
    """In place: target += (new - target) * alpha / 255, exact where alpha is 0 or 255. Shapes (h, w) or (h, w, 3)."""
    # Two scaled 8-bit products take 0.18 ms where cv2.blendLinear takes 0.96 (438 x 372); they may be off by one.
    if target.ndim == 3:
        alpha = cv2.merge([alpha] * 3)
    rest = cv2.multiply(target, cv2.bitwise_not(alpha), scale=1 / 255)
    target[...] = cv2.add(rest, cv2.multiply(new, alpha, scale=1 / 255))


def _planes_of(bgr: Pixels, format: PixelFormat, colour: Colour) -> tuple[Pixels, ...]:
    """Planes of a BGR picture in another format."""
    if format is PixelFormat.BGR:
        return (bgr,)
    if format is PixelFormat.GRAY:
        return (cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY),)
    luma, u, v = planes.to_yuv(bgr, format, colour)
    if format is PixelFormat.YUYV and bgr.shape[1] % 2:
        luma = cv2.copyMakeBorder(luma, 0, 0, 0, 1, cv2.BORDER_REPLICATE)
    if format is PixelFormat.NV12:
        return luma, cv2.merge([u, v])
    if format is PixelFormat.YUYV:
        return (_pack_yuyv(luma, u, v),)
    return luma, u, v


def _pack_yuyv(luma: Pixels, u: Pixels, v: Pixels) -> Pixels:
    return cv2.merge([luma, cv2.merge([u, v]).reshape(luma.shape)])


def _swap_nv12_i420(frame: Frame) -> tuple[Pixels, ...]:
    """Between NV12 and I420, lossless."""
    if frame.format is PixelFormat.NV12:
        u, v = cv2.split(frame.planes[1])
        return frame.planes[0], u, v
    return frame.planes[0], cv2.merge([frame.planes[1], frame.planes[2]])


def _swap_yuyv_i422(frame: Frame) -> tuple[Pixels, ...]:
    """Between YUYV and I422 of even width, lossless."""
    if frame.format is PixelFormat.YUYV:
        packed = frame.planes[0]
        return tuple(np.ascontiguousarray(p) for p in (packed[..., 0], packed[:, 0::2, 1], packed[:, 1::2, 1]))
    return (_pack_yuyv(*frame.planes),)
