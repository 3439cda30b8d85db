"""Maps over the canvas at the texture's size: from cells and vertices to pixels, wide blurs, and pouring into holes.

Pure arithmetic of source face preparation. Knows the canvas; knows nothing about photos.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.swap.mesh import light
from live.swap.mesh.canvas import GRID, Canvas, ramp
from live.values import Floats

SIZE_PX = 640
"""Side of the texture: its middle then has the detail of a face about 500 px wide."""
WIDTHS = (6, 12, 24, 48, 96)
"""Sigmas of the blurs that pour, in parts of the side."""


def field(skin: Floats, canvas: Canvas) -> Floats:
    """Return the smooth logarithmic colour (GRID, GRID, 3) of coefficients (K, 3)."""
    return (canvas.basis_everywhere @ skin).reshape(GRID, GRID, 3)


def field_of(skin: Floats, canvas: Canvas) -> Floats:
    """Return the same at the texture's size, (SIZE, SIZE, 3)."""
    return upscaled(field(skin, canvas))


def upscaled(grid: Floats) -> Floats:
    """Resize a grid (GRID, GRID) or (GRID, GRID, K) to the texture."""
    full: Floats = cv2.resize(cv2.GaussianBlur(grid, (0, 0), 1.0), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
    return full


def spread_vertices(values: Floats, canvas: Canvas) -> Floats:
    """Interpolate values (468,) of the vertices over the texture, continued beyond the face: (SIZE, SIZE)."""
    cells = np.einsum("mc,mc->m", values[canvas.corners], canvas.weights)[:, None]
    spread: Floats = cv2.resize(canvas.spread(cells), (SIZE_PX, SIZE_PX))
    return spread


def logarithm(pixels: Floats) -> Floats:
    """Return the logarithm of colours 0..255, in which light adds."""
    values: Floats = np.log(pixels.clip(0) + np.float32(light.OFFSET))
    return values


def exponential(values: Floats) -> Floats:
    """Undo `logarithm`."""
    pixels: Floats = np.exp(values) - np.float32(light.OFFSET)
    return pixels


def soft(mask: Floats, share: float) -> Floats:
    """Blur a mask (SIZE, SIZE) by a part of the side."""
    blurred: Floats = cv2.GaussianBlur(mask, (0, 0), SIZE_PX / share)
    return blurred


def wide_blur(values: Floats, sigma: float) -> Floats:
    """Gaussian blur, done at a quarter of the size: only for smooth results."""
    wide: Floats = cv2.resize(cv2.GaussianBlur(_quarter(values), (0, 0), sigma / 4), values.shape[1::-1])
    return wide


def poured(values: Floats, weight: Floats, widths: tuple[int, ...] = WIDTHS) -> Floats:
    """Continue values (SIZE, SIZE, 3) into where weight (SIZE, SIZE) is 0.

    Of blurs of falling width the finest that knows; 0 where none does.
    """
    # at a quarter of the size, as the result is smooth
    share = _quarter(weight)[..., None]
    inside = _quarter(values * weight[..., None])
    result = np.zeros_like(inside)
    for width in widths:
        sigma = SIZE_PX / 4 / width
        amount = cv2.GaussianBlur(share, (0, 0), sigma)[..., None]
        here = cv2.GaussianBlur(inside, (0, 0), sigma) / np.maximum(amount, np.float32(1e-4))
        result += ramp(amount, 0.02, 0.25) * (here - result)
    full: Floats = cv2.resize(result, (SIZE_PX, SIZE_PX))
    return full


def _quarter(values: Floats) -> Floats:
    small: Floats = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return small
