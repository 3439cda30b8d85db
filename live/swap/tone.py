"""Gives a swapped patch the target's colours: brightness, contrast and tint of the face, as one map of all pixels.

Pure. In Y, Cr and Cb mean and spread are matched one by one, which is one affine map of B, G and R: nothing is rounded
on the way. Knows patches, nothing about faces.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.values import Floats, Pixels

_LEAST_PIXELS = 64
_SPREADS = (0.7, 1.4)  # what lies beyond is no light, but a beard, glasses or a hand
_COARSE = 128  # px: statistics are taken of every so many-th pixel of larger patches
# OpenCV's BGR -> Y, Cr, Cb without the constant 128 of Cr and Cb, which cancels.
_TO_YCC = np.array([[0.114, 0.587, 0.299], [-0.0813, -0.4187, 0.5], [0.5, -0.3313, -0.1687]], np.float64)
_TO_BGR = np.linalg.inv(_TO_YCC)

SAME = np.eye(3, 4, dtype=np.float32)
"""The map that changes nothing."""


def tone_map(picture: Pixels, target: Pixels, mask: Floats) -> Floats:
    """The (3, 4) map of B, G, R, 1 that gives a picture the target's colours; `SAME` where too little is seen.

    Args: picture, target (S, S, 3) BGR; mask (S, S): above a half is looked at.
    """
    step = max(1, len(picture) // _COARSE)
    where = (mask[::step, ::step] > 0.5).astype(np.uint8)
    if cv2.countNonZero(where) < _LEAST_PIXELS:
        return SAME
    (mean, spread), (mean_wanted, spread_wanted) = (
        _statistics(part[::step, ::step], where) for part in (picture, target)
    )
    ratio = np.clip(spread_wanted / np.maximum(spread, 1e-3), *_SPREADS)
    linear = _TO_BGR @ np.diag(ratio) @ _TO_YCC
    return np.hstack([linear, (_TO_BGR @ (mean_wanted - ratio * mean))[:, None]]).astype(np.float32)


def toned(picture: Pixels, tone: Floats, strength: float) -> Pixels:
    """A picture (S, S, 3) through so much of a map, 0..1."""
    if strength <= 0:
        return picture
    return cv2.transform(picture, SAME + np.float32(strength) * (tone - SAME))


def _statistics(picture: Pixels, where: Pixels) -> tuple[Floats, Floats]:
    """Mean and spread (3,) of Y, Cr, Cb over a mask."""
    mean, spread = cv2.meanStdDev(cv2.transform(picture.astype(np.float32), _TO_YCC.astype(np.float32)), mask=where)
    return mean[:, 0], spread[:, 0]
