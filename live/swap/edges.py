"""Where a swapped patch shows: soft at its border, inside the face's outline, where the face is not covered.

Knows patches and landmarks; knows nothing about networks or time.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from live.faces.alignment import inverse
from live.swap.contract import Visible
from live.swap.mesh.canvas import ramp
from live.values import Floats

_BOX_SOFT = 0.3  # of half the side: how far in from the border the patch fades
_MOST_LEFT_OUT = 0.15  # of the face's size, at reach 0
_SEEN = (0.15, 0.85)  # of the masker's mask, blurred: from hidden to seen


@lru_cache(maxsize=16)
def box(side_px: int) -> Floats:
    """(S, S) 0..1: 0 on the border, 1 in the middle. Read only."""
    amount = max(1, int(side_px * 0.5 * _BOX_SOFT))
    inner = np.zeros((side_px, side_px), np.float32)
    rim = max(1, amount // 2)
    inner[rim:-rim, rim:-rim] = 1
    soft = cv2.GaussianBlur(inner, (0, 0), amount * 0.25, borderType=cv2.BORDER_CONSTANT)
    soft.setflags(write=False)
    return soft


def outline(points: Floats, side_px: int, *, reach: float, softness: float) -> Floats:
    """Where the face is, (S, S) 0..1; nothing beyond the hull of its landmarks.

    Args: points (468, 2) px of the patch; reach: 1 up to the outline, 0 the middle of the face only; softness: width of
    the soft edge in shares of the face's size.
    """
    hull = cv2.convexHull(np.ascontiguousarray(points, np.float32))[:, 0]
    size = float(np.sqrt(cv2.contourArea(hull)))
    middle = hull.mean(axis=0)
    kept = middle + (hull - middle) * np.float32(1 - 2 * _MOST_LEFT_OUT * (1 - reach))
    filled = np.zeros((side_px, side_px), np.uint8)
    cv2.fillConvexPoly(filled, np.rint(np.clip(kept, -side_px, 2 * side_px) * 16).astype(np.int32), 255, cv2.LINE_8, 4)
    width = 2 * max(1, round(softness * size)) + 1
    soft = cv2.blur(filled, (width, width), borderType=cv2.BORDER_REPLICATE)
    return ramp(soft.astype(np.float32) * np.float32(1 / 255), 0.5, 1.0)  # 0 at the outline, 1 at softness inside it


def seen(visible: Visible, matrix: Floats, side_px: int) -> Floats:
    """How much of the face is uncovered, (S, S) 0..1. Args: matrix (2, 3) region px -> patch px."""
    back, onward = inverse(matrix), visible.matrix
    where = np.hstack([onward[:, :2] @ back[:, :2], onward[:, :2] @ back[:, 2:] + onward[:, 2:]]).astype(np.float32)
    found = cv2.warpAffine(
        visible.mask,
        where,
        (side_px, side_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return ramp(cv2.blur(found, (3, 3), borderType=cv2.BORDER_REPLICATE), *_SEEN)  # unblurred, edges show steps
