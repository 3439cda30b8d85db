"""Colour and light: a face's skin colour as a smooth function of the canonical face, and the step between two faces.

Works on logarithms of colours, where light multiplies skin by adding. Knows the canvas; knows nothing about textures'
details, tracks or time.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor

import cv2
import numpy as np

from live.swap.mesh.canvas import GRID, Canvas, ramp, rows, step
from live.values import Floats, Pixels

OFFSET = 6.0  # added to 0..255 before the logarithm: noise in black must not look like light
_STIFFNESS = 0.02  # ridge per unit of weight
_FIRST_DOUBT = 0.97  # of forehead, temples and sides, until the skin's colour is known from the rest
_ROUNDS = 3
_DOUBT = 0.18  # log units: differences from the smooth field beyond which a cell is probably not skin
_TURNED_AWAY = (0.12, 0.45)  # cosine of the angle to the camera
_KEPT_TONE = 0.7  # log units: a difference in skin tone up to about this is kept, more is exposure and followed
_KEPT_TINT = 0.25  # the same for the channels against each other
_SKIN_TINTS = np.array(((-0.45, -0.12, 0.08), (-0.06, 0.04, 0.48)), np.float32)
"""Log units, BGR: the tints of faces in white light, least and most. Measured: the 2nd and 98th percentiles of 150
generated adults and 160 portraits of all skin tones; what is beyond them is a coloured lamp or a camera's whim."""
_USUAL_TINT = _SKIN_TINTS.mean(axis=0)
_LAMP_TINT = (0.02, 0.2)  # log units beyond them: from white to surely coloured light
_COLOURED = (0.03, 0.12)  # log units between the channels of the target's skin: less is a black-and-white picture
_DARKEST = 20  # the depth is that of every 20th of the cells that are not plain skin
_HAZE = 0.15  # log units
_HAZY, _LEAST_DETAIL = (0.2, 0.75), 0.6
_EDGE_REACH = 0.16  # shares of the canvas: how far in from the outline colours are led over to the target's


def observe(picture: Pixels, points: Floats, canvas: Canvas) -> Floats:
    """Return the logarithm of the colours seen at the face's cells.

    Args: picture (H, W, 3) BGR; points (468, 2) px of it.  Returns: (M, 3) float32.
    """
    columns = np.ascontiguousarray(points.T)
    (left, top), (right, bottom) = columns.min(axis=1).tolist(), columns.max(axis=1).tolist()
    x, y = (min(max(floor(low) - 8, 0), end - 1) for low, end in zip((left, top), picture.shape[1::-1]))
    picture = picture[y : max(ceil(bottom) + 8, y + 1), x : max(ceil(right) + 8, x + 1)]
    small, width = picture, right - left
    while width > 1.5 * GRID and min(small.shape[:2]) > 1:
        size = (small.shape[1] + 1) // 2, (small.shape[0] + 1) // 2
        small = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)  # halving: the mean of 2 x 2
        width /= 2
    scale = np.array((small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0]), np.float32)
    at = canvas.between(points) * scale + (scale * np.array((0.5 - x, 0.5 - y), np.float32) - np.float32(0.5))
    seen = cv2.remap(small, at[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return np.log(seen.astype(np.float32) + np.float32(OFFSET))


def fit(colours: Floats, trust: Floats, canvas: Canvas, known: Floats | None = None) -> Floats:
    """Fit the smooth skin colour under doubt about what is skin.

    Args: colours (M, 3) logarithms; trust (M,) >= 0; known: coefficients (K, 3) of the frame before.
    Returns: coefficients (K, 3) of the canvas's basis.
    Source: ridge regression, reweighted by squared Cauchy weights; the frame before stands for the first rounds.
    """
    basis = canvas.basis
    weight = trust * (1 - _FIRST_DOUBT * canvas.hair)
    total = float(weight.sum()) + 1e-3
    mean = (weight @ colours) / total
    ridge = np.diag((_STIFFNESS * total * canvas.stiffness + 1e-3).astype(np.float32))
    centred = colours - mean
    if known is not None:
        off = colours - basis @ known
        weight = _doubted(trust, (off - (weight @ off) / total).astype(np.float32))
    for last in range(1 if known is not None else _ROUNDS, 0, -1):
        weighted = (basis * weight[:, None]).T
        coefficients = np.linalg.solve(weighted @ basis + ridge, weighted @ centred).astype(np.float32)
        if last > 1:
            weight = _doubted(trust, (centred - basis @ coefficients).astype(np.float32))
    coefficients[0] += mean
    return coefficients


def _doubted(trust: Floats, off: Floats) -> Floats:
    """Return trust (M,) lowered where colours are off (M, 3) the smooth field."""
    distance = np.abs(rows(off)).max(axis=0) * np.float32(1 / _DOUBT)
    return trust / np.square(1 + distance * distance)


def trust_in(facing: Floats, canvas: Canvas, skin: Floats | None = None) -> Floats:
    """Return the weight (M,) of each cell in a fit: plain skin, turned to the camera, and not known to be covered.

    Args: facing (T,) cosine per triangle; skin (M,) 0..1 what is known of hair and other things.
    """
    weight = canvas.skin * ramp(facing[canvas.triangle], *_TURNED_AWAY)
    return weight if skin is None else weight * skin


def depth(colours: Floats, skin: Floats, canvas: Canvas) -> float:
    """Return how deep pupils, nostrils and the line of the lips lie below the skin, log units: haze lifts them.

    Args: colours (M, 3) logarithms; skin (K, 3) the smooth skin colour.
    """
    off = rows(colours - canvas.basis @ skin).mean(axis=0)[canvas.skin < 0.5]
    return float(-np.partition(off, len(off) // _DARKEST)[len(off) // _DARKEST])


def colourfulness(skin: Floats, canvas: Canvas) -> float:
    """Return 0 for a black-and-white picture's skin (K, 3), 1 for any other."""
    mean = mean_colour(skin, canvas)
    return step(float(mean.max() - mean.min()), *_COLOURED)


def detail(target_depth: float, source_depth: float) -> float:
    """Return what share of the source's detail to wear, so that a crisp photo does not glare out of a hazy camera."""
    share = max(target_depth + _HAZE, _HAZE) / max(source_depth + _HAZE, _HAZE)
    return _LEAST_DETAIL + (1 - _LEAST_DETAIL) * step(share, *_HAZY)


def mean_colour(skin: Floats, canvas: Canvas) -> Floats:
    """Return the mean (3,) of a smooth colour (K, 3) over plain skin."""
    mean: Floats = canvas.mean @ skin
    return mean


def skin_tint(colour: Floats) -> Floats:
    """Return what of a mean colour's tint can be skin, (3,) log units around 0; the rest is the colour of the light.

    The more colour the light has, the less is known of the skin, and the nearer it is guessed to the usual one.
    Args: colour (3,) logarithms.
    """
    tint = colour - colour.sum() / 3
    possible = np.minimum(np.maximum(tint, _SKIN_TINTS[0]), _SKIN_TINTS[1])
    known = np.float32(1 - step(float(np.abs(tint - possible).max()), *_LAMP_TINT))
    skin: Floats = _USUAL_TINT + known * (possible - _USUAL_TINT)
    return skin - skin.sum() / 3


def gain(target: Floats, source: Floats, canvas: Canvas, *, colour: float, light: float) -> Floats:
    """Return what the source's texture is to be multiplied by, per cell: (GRID, GRID, 3) float32.

    Args: target, source: coefficients (K, 3); colour 0..1: how far the skin tone follows the target's; light 0..1: how
        far the distribution of light does.
    """
    change = target - source
    mean = mean_colour(change, canvas)
    tone = mean.sum() / 3
    tint = skin_tint(mean_colour(target, canvas)) - skin_tint(mean_colour(source, canvas))
    coloured = np.float32(colourfulness(target, canvas))
    kept = _KEPT_TONE * np.tanh(tone / _KEPT_TONE) + coloured * _KEPT_TINT * np.tanh(tint / _KEPT_TINT)
    steady = np.float32(1 - colour) * kept - np.float32(1 - light) * mean
    logarithm = _applied(canvas, colour, light) @ np.concatenate([change, steady[None]])
    np.minimum(np.maximum(logarithm, -3, out=logarithm), 2, out=logarithm)
    applied: Floats = np.exp(logarithm, out=logarithm).reshape(GRID, GRID, 3)
    return applied


@lru_cache(maxsize=8)
def _applied(canvas: Canvas, colour: float, light: float) -> Floats:
    """Return what makes the logarithm of the gain of a change of light (K, 3) and what stays of it (1, 3).

    The change everywhere, less the source's own share of it: `(1 - colour) kept + (1 - light) (change - mean)`, which
    fades out toward the outline.  Returns: (GRID * GRID, K + 1).
    """
    edge = 1 - ramp(canvas.depth, 0.0, _EDGE_REACH).reshape(-1, 1) if colour > 0 else np.float32(0)
    own = np.broadcast_to(np.float32(1) - edge, (GRID * GRID, 1))
    return np.hstack([canvas.basis_everywhere * (1 - np.float32(1 - light) * own), -own]).astype(np.float32)
