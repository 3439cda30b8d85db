"""How each pixel format lays out a picture, and what its numbers mean as colours.

Stands below the operations of host.py. Knows formats and colour matrices; knows nothing about what a region shows.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from live.values import Box, Colour, Floats, Frame, PixelFormat, Pixels

LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""(red, blue) weights, ITU-R BT.601-7 and BT.709-6."""

CHROMA_STEP = {
    PixelFormat.I420: (2, 2),
    PixelFormat.NV12: (2, 2),
    PixelFormat.I422: (2, 1),
    PixelFormat.YUYV: (2, 1),
    PixelFormat.I444: (1, 1),
}
"""Luma pixels per chroma sample, (across, down)."""


def plane_shapes(format: PixelFormat, width_px: int, height_px: int) -> list[tuple[int, ...]]:
    """Shapes of the planes of a picture; chroma sizes round up."""
    if format is PixelFormat.BGR:
        return [(height_px, width_px, 3)]
    if format is PixelFormat.GRAY:
        return [(height_px, width_px)]
    if format is PixelFormat.YUYV:
        return [(height_px, width_px + width_px % 2, 2)]
    across, down = CHROMA_STEP[format]
    chroma = (-(-height_px // down), -(-width_px // across))
    if format is PixelFormat.NV12:
        return [(height_px, width_px), (*chroma, 2)]
    return [(height_px, width_px), chroma, chroma]


@lru_cache(maxsize=8)
def to_bgr_matrix(colour: Colour) -> Floats:
    """(3, 4) from Y, U, V, 1 in 0..255 to B, G, R in 0..255. Source: BT.601-7 / BT.709-6, section 3."""
    red, blue = LUMA_WEIGHTS[colour.matrix]
    green = 1.0 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if colour.full_range else (255 / 219, 255 / 224, 16.0)
    rows = np.array(
        [
            [luma, chroma * 2 * (1 - blue), 0.0],
            [luma, -chroma * 2 * blue * (1 - blue) / green, -chroma * 2 * red * (1 - red) / green],
            [luma, 0.0, chroma * 2 * (1 - red)],
        ]
    )
    offset = -rows @ np.array([black, 128.0, 128.0])
    return np.hstack([rows, offset[:, None]]).astype(np.float32)


@lru_cache(maxsize=8)
def from_bgr_matrix(colour: Colour) -> Floats:
    """(3, 4), the inverse of `to_bgr_matrix`."""
    forward = to_bgr_matrix(colour).astype(np.float64)
    inverse = np.linalg.inv(forward[:, :3])
    return np.hstack([inverse, -inverse @ forward[:, 3:]]).astype(np.float32)


def take(frame: Frame, box: Box) -> tuple[Pixels, Pixels, Pixels]:
    """Y (h, w), U and V (ch, cw) of a region of a YUV frame: views into planes of their own, else copies.

    Args: box px inside the frame; x1 and y1 even.
    """
    x1, y1, x2, y2 = box
    across, down = CHROMA_STEP[frame.format]
    rows, columns = slice(y1 // down, -(-y2 // down)), slice(x1 // across, -(-x2 // across))
    if frame.format is PixelFormat.YUYV:
        packed = frame.planes[0][y1:y2, x1 : x2 + x2 % 2]
        mixed = cv2.extractChannel(packed, 1).reshape(y2 - y1, -1, 2)
        return cv2.extractChannel(packed, 0)[:, : x2 - x1], *channels(mixed)
    luma = frame.planes[0][y1:y2, x1:x2]
    if frame.format is PixelFormat.NV12:
        return luma, *channels(frame.planes[1][rows, columns])
    return luma, frame.planes[1][rows, columns], frame.planes[2][rows, columns]


def channels(mixed: Pixels) -> tuple[Pixels, Pixels]:
    """The two planes (h, w) of a plane of pairs (h, w, 2)."""
    return cv2.extractChannel(mixed, 0), cv2.extractChannel(mixed, 1)  # in a third of cv2.split's time


def put(frame: Frame, box: Box, luma: Pixels, u: Pixels, v: Pixels) -> None:
    """Write back what `take` gave for the same box and was changed in place; views are there already."""
    x1, y1, x2, y2 = box
    if frame.format is PixelFormat.NV12:
        frame.planes[1][y1 // 2 : -(-y2 // 2), x1 // 2 : -(-x2 // 2)] = cv2.merge([u, v])
    elif frame.format is PixelFormat.YUYV:
        target = frame.planes[0][y1:y2, x1 : x2 + x2 % 2]
        target[:, :, 1] = cv2.merge([u, v]).reshape(target.shape[:2])
        target[:, : x2 - x1, 0] = luma


def grow(chroma: Pixels, size: tuple[int, int], format: PixelFormat) -> Pixels:
    """Chroma (ch, cw) at luma resolution (h, w); size (w, h)."""
    across, down = CHROMA_STEP[format]
    if (across, down) == (1, 1):
        return chroma
    whole = chroma.shape[1] * across, chroma.shape[0] * down
    return cv2.resize(chroma, whole, interpolation=cv2.INTER_LINEAR)[: size[1], : size[0]]


def shrink(plane: Pixels, format: PixelFormat) -> Pixels:
    """A luma-sized plane (h, w) or picture (h, w, 3) at chroma resolution, each sample the mean of its pixels."""
    across, down = CHROMA_STEP[format]
    if (across, down) == (1, 1):
        return plane
    height_px, width_px = plane.shape[:2]
    odd = (height_px % down, width_px % across)
    if any(odd):
        plane = cv2.copyMakeBorder(plane, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE)
    # The same means by both; of two pixels side by side linear interpolation finds them in a fifth of the time.
    means = cv2.INTER_AREA if down == 2 else cv2.INTER_LINEAR
    return cv2.resize(plane, (plane.shape[1] // across, plane.shape[0] // down), interpolation=means)


def to_yuv(bgr: Pixels, format: PixelFormat, colour: Colour) -> tuple[Pixels, Pixels, Pixels]:
    """Y (h, w), U and V (ch, cw) of a BGR picture (h, w, 3)."""
    # OpenCV multiplies by three rows in a third of the time of one or two. Chroma of the shrunk picture is the shrunk
    # chroma, at a fraction of the work.
    matrix = from_bgr_matrix(colour)
    whole, small = cv2.transform(bgr, matrix), shrink(bgr, format)
    chroma = whole if small is bgr else cv2.transform(small, matrix)
    return cv2.extractChannel(whole, 0), cv2.extractChannel(chroma, 1), cv2.extractChannel(chroma, 2)
