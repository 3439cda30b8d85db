"""Light taken out of a view: what falls from one side, hard shadows and highlights.

Knows the canvas and a view; knows nothing about hair or other photos.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from live.swap.mesh import light
from live.swap.mesh.canvas import GRID, Canvas, hair_zone, outline_depth, ramp
from live.swap.mesh.maps import SIZE_PX, field, field_of, logarithm, spread_vertices, upscaled, wide_blur
from live.swap.mesh.unwrap import View
from live.values import Floats

_EVEN = 0.85  # how much of the light's left-right difference is taken out
_BEARD = (1.0, 3.0)  # canonical units below the eyes: from the nose down darkness may be a beard, and stays
_CALM = 0.15  # log units of shading that an evenly lit face has beside its smooth colour


def flattened(view: View, canvas: Canvas) -> View:
    """Even out light from the side, hard shadows and highlights; the view's smooth colour follows."""
    own = field(view.skin, canvas)
    odd = (own - own[:, ::-1]) / 2 * _EVEN
    flat: Floats = (own - odd).reshape(GRID * GRID, 3)[canvas.cells].astype(np.float32)
    skin = light.fit(flat, np.ones(len(flat), np.float32), canvas)
    return replace(view, pixels=_softened(view.pixels * upscaled(np.exp(-odd)), skin, view, canvas), skin=skin)


def levelled(view: View, skin: Floats, canvas: Canvas) -> View:
    """Bring a view's smooth colour to coefficients (K, 3)."""
    return replace(view, pixels=view.pixels * upscaled(np.exp(field(skin - view.skin, canvas))), skin=skin)


def _softened(pixels: Floats, skin: Floats, view: View, canvas: Canvas) -> Floats:
    """Take back hard shadows and highlights above the mouth to what an evenly lit face has; others pass unchanged."""
    upper = 1 - ramp(canvas.topology.positions[:, 1], *_BEARD)
    plain = cv2.resize(canvas.spread(canvas.skin[:, None]), (SIZE_PX, SIZE_PX)) * (outline_depth(SIZE_PX) > 0)
    plain *= spread_vertices(upper, canvas)
    if view.open is not None:
        plain *= ramp(view.open, 0.2, 0.6)  # a shadow lowers what the masker sees, too
    off = (logarithm(pixels) - field_of(skin, canvas)).mean(axis=2)
    amount = wide_blur(plain, SIZE_PX / 40)
    off = wide_blur(off.clip(-1, 1) * plain, SIZE_PX / 40) / np.maximum(amount, 0.02)
    middle = plain * (1 - spread_vertices(hair_zone(canvas.topology), canvas))
    spread = float(np.sqrt((off * off * middle).sum() / max(float(middle.sum()), 1.0)))
    excess = max(0.0, 1 - _CALM / max(spread, 1e-3))
    return pixels * np.exp(-excess * off * ramp(amount, 0.02, 0.2))[..., None]
