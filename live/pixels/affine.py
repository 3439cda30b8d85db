"""Laying one picture into another by an affine map, either way, without aliasing. Knows pixels, nothing about faces."""

from __future__ import annotations

import cv2
import numpy as np

from live.pixels import host
from live.values import Floats, Pixels

_LEAST_SCALE = 0.6
"""Below it a picture is halved first: linear interpolation would leave pixels out."""


def warp(picture: Pixels, matrix: Floats, size: tuple[int, int], *, border: int = cv2.BORDER_REPLICATE) -> Pixels:
    """A picture as seen through a map.

    Args: picture (H, W) or (H, W, 3); matrix (2, 3) picture px -> px of the result; size: (width, height) of the
    result; border: OpenCV's word for what lies around the picture: its last pixels, or BORDER_CONSTANT, black.
    """
    picture, moved = _cropped(picture, np.array(matrix, np.float32), size)
    scale = float(np.sqrt(abs(np.linalg.det(moved[:, :2]))))
    while scale < _LEAST_SCALE and min(picture.shape[:2]) >= 4:
        height_px, width_px = picture.shape[0] // 2, picture.shape[1] // 2
        even = picture[: 2 * height_px, : 2 * width_px]
        picture = cv2.resize(even, (width_px, height_px), interpolation=cv2.INTER_AREA)
        # The centre of pixel i of the halved picture lies at 2 i + 0.5.
        moved[:, 2] += moved[:, :2] @ np.array([0.5, 0.5], np.float32)
        moved[:, :2] *= 2
        scale *= 2
    return cv2.warpAffine(picture, moved, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=0)


def blended(under: Pixels, over: Pixels, alpha: Pixels) -> Pixels:
    """A copy of a picture (H, W, 3) with another laid over it by (H, W) 0..255; exact where alpha is 0 or 255."""
    found = under.copy()
    height_px, width_px = alpha.shape
    host.paste(host.bgr_frame(found, time_s=0.0, number=0), (0, 0, width_px, height_px), over, alpha)
    return found


def _cropped(picture: Pixels, matrix: Floats, size: tuple[int, int]) -> tuple[Pixels, Floats]:
    """The part of a picture that a result of this size can show, and its matrix; the border stays where it is."""
    width_px, height_px = size
    corners = np.array([[0, 0, 1], [width_px, 0, 1], [0, height_px, 1], [width_px, height_px, 1]], np.float32)
    places = corners @ cv2.invertAffineTransform(matrix).T
    limit = np.array([picture.shape[1], picture.shape[0]])
    # As many px more as the halvings may leave out at the end.
    margin = 2 + int(np.ceil(2 / max(float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 1e-3)))
    x1, y1 = np.clip(np.floor(places.min(axis=0)) - margin, 0, limit - 2).astype(int)
    x2, y2 = np.clip(np.ceil(places.max(axis=0)) + margin, np.array([x1 + 2, y1 + 2]), limit).astype(int)
    matrix[:, 2] += matrix[:, :2] @ np.array([x1, y1], np.float32)
    return picture[y1:y2, x1:x2], matrix
