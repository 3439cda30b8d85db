"""The worn face laid over the target's own picture, which may be bent and have painted irises. Knows pixels only."""

from __future__ import annotations

import cv2
import numpy as np

from live.pixels import affine
from live.swap.mesh.draw import Bent, Drawn
from live.values import Pixels


def bend(own: Pixels, irises: Pixels | None, bent: Bent, pixels: Pixels, alpha: Pixels) -> None:
    """Bend the target's picture (H, W, 3) to the worn face's proportions, into pixels and alpha (H, W) of the region.

    Args: irises (H, W) 255 where the picture itself was painted.
    """
    origin = bent.part.enlarged(bent.origin)
    x1, y1, x2, y2 = bent.part.area
    four = cv2.cvtColor(own, cv2.COLOR_BGR2BGRA)  # remap of 4 channels takes 0.8 ms where 3 take 1.3
    if irises is not None:
        four[..., 3] = irises
    moved = cv2.remap(four, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cv2.cvtColor(moved, cv2.COLOR_BGRA2BGR, dst=pixels[y1:y2, x1:x2])
    alpha[y1:y2, x1:x2] = bent.part.enlarged(bent.share * np.float32(255))
    if irises is not None:
        cv2.max(alpha[y1:y2, x1:x2], moved[..., 3], alpha[y1:y2, x1:x2])


def over(drawn: Drawn, face: Pixels, opacity: Pixels, pixels: Pixels, alpha: Pixels) -> None:
    """Lay the face (h, w, 3) over what is shown of the target, in pixels (H, W, 3) and alpha (H, W) of the region."""
    x1, y1, x2, y2 = drawn.part.area
    if drawn.bent is None and not alpha.any():
        pixels[y1:y2, x1:x2], alpha[y1:y2, x1:x2] = face, opacity
        return
    under, total = pixels[y1:y2, x1:x2], cv2.max(alpha[y1:y2, x1:x2], opacity)
    pixels[y1:y2, x1:x2] = affine.blended(under, face, cv2.divide(opacity, total, scale=255))  # 0 / 0 is 0
    alpha[y1:y2, x1:x2] = total
