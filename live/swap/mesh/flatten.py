"""Light taken out of a view: what falls from one side, hard shadows and highlights.

Knows the canvas and a view; knows nothing about hair or other photos.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from live.swap.mesh import light
from live.swap.mesh.canvas import GRID, Canvas, hair_zone, outline_depth, ramp
from live.swap.mesh.maps import SIZE_PX, exponential, field, field_of, logarithm, spread_vertices, upscaled, wide_blur
from live.swap.mesh.unwrap import View
from live.values import Floats

_EVEN = 0.85  # how much of the light's left-right difference is taken out
_BEARD = (1.0, 3.0)  # canonical units below the eyes: from the nose down darkness may be a beard, and stays
_CALM = 0.15  # log units of shading that an evenly lit face has beside its smooth colour
_WIDTHS = (40, 100)  # first the shadow of half a face, then the lines where light and shadow meet
_BRIGHT = 5.0  # log units: the skin on which a highlight looks as it does in the photo; about 140 of 255
_TINT = 0.1  # log units: skin's tint differs by less from place to place, freckles and flushed cheeks included
_NIGHT = (20.0, 65.0)  # of 255: in skin as dark as this there is nothing but noise, and nothing to notice


def flattened(view: View, canvas: Canvas) -> View:
    """Even out light from the side, hard shadows and highlights; the view's smooth colour follows."""
    own = field(view.skin, canvas)
    odd = (own - own[:, ::-1]) / 2 * _EVEN
    flat: Floats = (own - odd).reshape(GRID * GRID, 3)[canvas.cells].astype(np.float32)
    skin = light.fit(flat, np.ones(len(flat), np.float32), canvas)
    pixels = _without_noise(view.pixels, canvas) * upscaled(np.exp(-odd))
    for width in _WIDTHS:
        pixels = _softened(pixels, skin, view, canvas, width)
    return replace(view, pixels=_dulled(pixels, skin, canvas), skin=skin)


def _without_noise(pixels: Floats, canvas: Canvas) -> Floats:
    """Blur skin in deep shadow: brought to light, its noise would speckle."""
    calm = cv2.GaussianBlur(pixels, (0, 0), SIZE_PX / 100)
    night = _plain(canvas) * (1 - ramp(cv2.cvtColor(calm, cv2.COLOR_BGR2GRAY), *_NIGHT))
    quiet: Floats = pixels + night[..., None] * (calm - pixels)
    return quiet


def levelled(view: View, skin: Floats, canvas: Canvas) -> View:
    """Bring a view's smooth colour to coefficients (K, 3)."""
    return replace(view, pixels=view.pixels * upscaled(np.exp(field(skin - view.skin, canvas))), skin=skin)


def _softened(pixels: Floats, skin: Floats, view: View, canvas: Canvas, width: float) -> Floats:
    """Take back hard shadows and highlights above the mouth to what an evenly lit face has; others pass unchanged.

    Args: width: of the blur that finds them, in parts of the side.
    """
    upper = 1 - ramp(canvas.topology.positions[:, 1], *_BEARD)
    plain = _plain(canvas) * (outline_depth(SIZE_PX) > 0)
    plain *= spread_vertices(upper, canvas)
    if view.open is not None:
        plain *= ramp(view.open, 0.2, 0.6)  # a shadow lowers what the masker sees, too
    amount = wide_blur(plain, SIZE_PX / width)
    off = wide_blur(_tone(pixels, field_of(skin, canvas)).clip(-1, 1) * plain, SIZE_PX / width)
    off /= np.maximum(amount, np.float32(0.02))
    middle = plain * (1 - spread_vertices(hair_zone(canvas.topology), canvas))
    spread = float(np.sqrt((off * off * middle).sum() / max(float(middle.sum()), 1.0)))
    excess = max(0.0, 1 - _CALM / max(spread, 1e-3))
    return pixels * np.exp(-excess * off * ramp(amount, 0.02, 0.2))[..., None]


def _dulled(pixels: Floats, skin: Floats, canvas: Canvas) -> Floats:
    """Take highlights back to what they add to bright skin, and tints to what skin has.

    A highlight adds the lamp's light to the skin's own: on dark skin it is several times as bright as the skin, and
    grey. Multiplied up to a brighter target's skin it would look like metal, and the colours of deep shadow like rust.
    """
    smooth, plain = field_of(skin, canvas), _plain(canvas)
    tone = _tone(pixels, smooth)
    shine = plain * tone.clip(0)
    dark = np.exp(np.minimum(smooth.mean(axis=2) - np.float32(_BRIGHT), 0))
    left = np.log1p(np.expm1(shine) * dark)
    tint = logarithm(pixels) - smooth - tone[..., None]
    tint *= np.where(shine > 1e-3, left / np.maximum(shine, 1e-3), 1)[..., None]
    tint += plain[..., None] * (_TINT * np.tanh(tint / _TINT) - tint)
    tinted = exponential(smooth + tint)
    dulled: Floats = tinted * np.exp(tone - shine + left - _tone(tinted, smooth))[..., None]
    return dulled.clip(0, 255)


def _plain(canvas: Canvas) -> Floats:
    """Return (SIZE, SIZE) 0..1: skin without brows, eyes, nostrils and lips."""
    plain: Floats = cv2.resize(canvas.spread(canvas.skin[:, None]), (SIZE_PX, SIZE_PX))
    return plain


def _tone(pixels: Floats, smooth: Floats) -> Floats:
    """Return how much brighter pixels (H, W, 3) are than logarithmic colours (H, W, 3): (H, W) log units of luma."""
    luma, expected = (cv2.cvtColor(colours.clip(0), cv2.COLOR_BGR2GRAY) for colours in (pixels, exponential(smooth)))
    tone: Floats = logarithm(luma) - logarithm(expected)
    return tone
