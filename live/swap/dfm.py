"""What DeepFaceLive's models want beside their entry: a sharper picture in, a smaller and softer mask out.

Pure. Their networks were trained on sharp pictures, and their masks are a little too large and have hard edges.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.values import Floats, Pixels

_SHARP, _SHARP_SIGMA = 0.75, 2.0  # how much of the fine detail is added, px of the patch
_ERODED = 2  # px, at 256 px a side as at any other: the masks' own resolution is lower
_SOFT_SIGMA = 6.25  # px
_KERNEL = np.ones((3, 3), np.uint8)


def sharpened(patches: Pixels) -> Pixels:
    """Patches (N, S, S, 3) with their fine detail raised."""
    found = np.empty_like(patches)
    for patch, sharp in zip(patches, found):
        blurred = cv2.GaussianBlur(patch, (0, 0), _SHARP_SIGMA)
        cv2.addWeighted(patch, 1 + _SHARP, blurred, -_SHARP, 0, dst=sharp)
    return found


def softened(masks: Floats) -> Floats:
    """Masks (N, S, S) 0..1, a little smaller and with soft edges."""
    found = np.empty_like(masks)
    for mask, soft in zip(masks, found):
        small = cv2.erode(mask, _KERNEL, iterations=_ERODED, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        cv2.GaussianBlur(small, (0, 0), _SOFT_SIGMA, dst=soft, borderType=cv2.BORDER_CONSTANT)
    return found
