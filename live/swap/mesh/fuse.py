"""Several photos of one person made into one view: colours averaged, detail from whichever photo shows it best.

Works band by band (multi-band blending, Burt and Adelson 1983): an average in fine bands would blur, a choice in
coarse ones would show seams. Knows flattened views; knows nothing about photos or holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from live.swap.mesh.canvas import Canvas
from live.swap.mesh.flatten import levelled
from live.swap.mesh.maps import SIZE_PX, soft, wide_blur
from live.swap.mesh.unwrap import View
from live.values import Floats

_WIDTHS = (10.0, 30.0, 100.0)
"""Blurs that part the bands, in parts of the side."""
_WIDE = 50.0  # coarser blurs are done at a quarter of the size
_CHOICES = (1, 4, 16, 32)
"""How decidedly the better photo is chosen in each band, from the coarsest: powers of the weights."""
_FLOW_PX, _FLOW_SMOOTH, _FLOW_MOST = 256, 16.0, 0.012  # side of the maps, sigma in px of it, shares of the side


def fused(views: Sequence[View], covered: Sequence[Floats], canvas: Canvas) -> tuple[View, Floats]:
    """Return one view of all, and what is covered (SIZE, SIZE) in every one of them."""
    if len(views) == 1:
        return views[0], covered[0]
    worth = np.array([view.worth for view in views], np.float32)
    share = worth / worth.sum()
    neutral = np.array([view.neutral for view in views], np.float32)
    neutral /= neutral.sum()
    best, skin = views[int(worth.argmax())], np.einsum("n,nkc->kc", share, np.stack([view.skin for view in views]))
    layers, known, clear = [], [], (1 - covered[int(worth.argmax())]) * best.facing
    for view, cover in zip(views, covered):
        layer, open_ = levelled(view, skin, canvas).pixels, 1 - cover
        if view is not best:
            shift = _shift(layer, best, open_ * view.facing * clear)
            layer, open_ = _moved(layer, shift), _moved(open_, shift)
        layers.append(layer)
        known.append(open_)
    weights = [part * open_ * (view.facing + 1e-3) + 1e-6 * (view is best)
               for part, open_, view in zip(worth / worth.max(), known, views)]  # fmt: skip
    joined = replace(
        best,
        pixels=_blended(layers, known, weights),
        facing=np.max([view.facing * open_ for view, open_ in zip(views, known)] + [best.facing * 1e-3], axis=0),
        skin=skin.astype(np.float32),
        depth=float(share @ [view.depth for view in views]),
        worth=float(worth.max()),
        proportions=np.einsum("n,nvx->vx", neutral, np.stack([view.proportions for view in views])).astype(np.float32),
        opening=float(neutral @ [view.opening for view in views]),
    )
    return joined, 1 - np.max(known, axis=0)


def _blended(layers: Sequence[Floats], known: Sequence[Floats], weights: Sequence[Floats]) -> Floats:
    """Blend layers (SIZE, SIZE, 3) by weights (SIZE, SIZE); what is not known of them stays out of their blurs."""
    coarser = [[_known_blur(layer, part, width) for width in _WIDTHS] for layer, part in zip(layers, known)]
    total = np.zeros_like(layers[0])
    for band, choice in enumerate(_CHOICES):
        parts = []
        for layer, blurs in zip(layers, coarser):
            upper = [*blurs, layer][band]
            parts.append(upper - blurs[band - 1] if band else upper)
        total += _mixed(parts, weights, choice, _WIDTHS[min(band, len(_WIDTHS) - 1)])
    return total


def _mixed(parts: Sequence[Floats], weights: Sequence[Floats], power: int, width: float) -> Floats:
    """Return the mean of a band's parts, weighted by powers of weights that change softly over the band's width."""
    highest = np.max(weights, axis=0)
    sharpened = [_blur((weight / highest) ** power, width) * np.minimum(weight / highest * 4, 1) for weight in weights]
    total = np.sum(sharpened, axis=0)
    mixed: Floats = np.sum([part * (one / total)[..., None] for part, one in zip(parts, sharpened)], axis=0)
    return mixed


def _known_blur(layer: Floats, known: Floats, width: float) -> Floats:
    share = (known + 1e-4)[..., None]
    blurred: Floats = _blur(layer * share, width) / _blur(share[..., 0], width)[..., None]
    return blurred


def _blur(map_: Floats, width: float) -> Floats:
    return wide_blur(map_, SIZE_PX / width) if width < _WIDE else soft(map_, width)


def _shift(layer: Floats, best: View, sure: Floats) -> Floats:
    """Return where each place of a layer has to be looked up to lie as in the best view, (SIZE, SIZE, 2) px off.

    Landmarks of two photos differ by a percent of the face; optical flow (DIS, Kroeger 2016), smoothed until only that
    is left, takes it back.
    """
    there, here = (_grey(pixels) for pixels in (best.pixels, layer))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(there, here, None)
    weight = cv2.resize(sure, (_FLOW_PX, _FLOW_PX), interpolation=cv2.INTER_AREA) + np.float32(0.01)
    smooth = cv2.GaussianBlur(flow * weight[..., None], (0, 0), _FLOW_SMOOTH)
    smooth /= cv2.GaussianBlur(weight, (0, 0), _FLOW_SMOOTH)[..., None]
    most = np.float32(_FLOW_MOST * _FLOW_PX)
    bounded = most * np.tanh(smooth / most)
    shift: Floats = cv2.resize(bounded, (SIZE_PX, SIZE_PX)) * np.float32(SIZE_PX / _FLOW_PX)
    return shift


def _grey(pixels: Floats) -> Floats:
    small = cv2.resize(np.clip(pixels, 0, 255).astype(np.uint8), (_FLOW_PX, _FLOW_PX), interpolation=cv2.INTER_AREA)
    grey: Floats = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return grey


def _moved(map_: Floats, shift: Floats) -> Floats:
    rows, columns = np.indices((SIZE_PX, SIZE_PX), dtype=np.float32)
    moved: Floats = cv2.remap(
        map_, columns + shift[..., 0], rows + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved
