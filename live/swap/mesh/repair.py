"""Holes of a texture filled: from the other side of the face, else with skin from around, and beyond the outline.

Brows and lids that were seen on neither side (under sunglasses, a fringe) come from the average of the bundled people.
Knows one view and what is known of it; knows nothing about photos.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from live.pixels.people import people_names, read_person
from live.swap.mesh.canvas import Canvas, features, load_canvas, outline_depth, ramp
from live.swap.mesh.flatten import flattened
from live.swap.mesh.maps import SIZE_PX, exponential, field_of, logarithm, poured, soft, spread_vertices, wide_blur
from live.swap.mesh.unwrap import View, unwrap
from live.values import Floats, Photo

_LIGHT = (6, 12, 24)  # widths on which the sides' light is compared
_MOST_LIGHT = 0.6  # log units
_BETTER = (0.05, 0.55)  # how much better the other side was seen: taken a little, and altogether
_STRETCHED = (0.2, 0.8)  # of what is turned to the camera: below, a few pixels make streaks, with hair in them
_RIM = (0.015, 0.1)  # shares of the canvas: from the outline inward
_BEARD = (2.0, 4.0)  # canonical units below the eyes: from here down darkness at the rim may be a beard
_FINE_PX = 3.0  # sigma below which detail counts as the skin's grain
_CHEEKS = ((0.5, 0.6), (0.25, 0.35))  # rows and columns of the left one, in shares of the side
_LEAST_HOLE = 0.01  # of brows, lids, nose and lips: smaller holes need nobody else's detail
_OVERLAP = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))  # or what was covered shines through both soft edges
_STRENGTH = (0.7, 1.6)
_PEOPLE = 4


def filled(view: View, covered: Floats, canvas: Canvas) -> Floats:
    """Return the view's pixels (SIZE, SIZE, 3) without holes.

    Args: covered (SIZE, SIZE) 0..1: what is not the face.
    """
    # 1) the other side of the face, in this side's light
    seen = view.facing * (1 - covered)
    own, other = logarithm(view.pixels), logarithm(view.pixels[:, ::-1])
    light = poured(own - other, seen * seen[:, ::-1], _LIGHT).clip(-_MOST_LIGHT, _MOST_LIGHT)
    share = soft(ramp(seen[:, ::-1] - seen, *_BETTER), 160)[..., None]
    mixed = own + share * (other + light - own)
    mixed = _levelled_rim(mixed, field_of(view.skin, canvas), 1 - np.minimum(covered, covered[:, ::-1]), canvas)
    # 2) skin, where neither side was seen, or only stretched, and beyond the outline
    depth, expected = outline_depth(SIZE_PX), field_of(view.skin, canvas)
    stretched = 1 - ramp(view.facing, *_STRETCHED)
    unseen = np.minimum(np.maximum(covered, stretched), 1 - seen[:, ::-1])
    unseen = cv2.dilate((unseen * 255).astype(np.uint8), _OVERLAP).astype(np.float32) / 255
    beyond = soft(1 - ramp(depth, 0.004, 0.016), 128)
    hole = np.maximum(soft(unseen, 160), beyond)
    known = (np.clip(1 - 1.5 * hole, 0, 1) * (depth > 0) * (1 - features(SIZE_PX, grow=0.012))).astype(np.float32)
    skin = expected + poured(mixed - expected, known)
    drawn = soft(features(SIZE_PX, grow=0.05), 50)
    if float((unseen * drawn).sum()) > _LEAST_HOLE * float(drawn.sum()):
        detail = average_detail() * drawn[..., None]
        skin = skin + _strength(mixed - expected, detail, np.clip(1 - 2 * unseen, 0, 1)) * detail
    patch = exponential(skin) + _grain(view.pixels, known)
    share = hole[..., None]
    whole: Floats = np.clip(exponential(mixed) * (1 - share) + patch * share, 0, 255).astype(np.float32)
    return whole


def _levelled_rim(pixels: Floats, expected: Floats, seen: Floats, canvas: Canvas) -> Floats:
    """Return logarithms (SIZE, SIZE, 3) whose forehead, temples and sides end in the smooth skin colour.

    What hair does to the skin beside it, shade and stray strands, would otherwise be an arc on the target's forehead.
    Args: seen (SIZE, SIZE) 0..1: where the pixels are the face's.
    """
    rim = 1 - ramp(outline_depth(SIZE_PX), *_RIM)
    rim *= spread_vertices(1 - ramp(canvas.topology.positions[:, 1], *_BEARD), canvas)
    skin = (1 - features(SIZE_PX, grow=0.012)) * seen
    off = wide_blur((pixels - expected) * skin[..., None], SIZE_PX / 40)
    off /= np.maximum(wide_blur(skin, SIZE_PX / 40), np.float32(0.1))[..., None]
    return pixels - rim[..., None] * off


@lru_cache(maxsize=1)
def average_detail() -> Floats:
    """Return what brows, lids, nose and lips add to the smooth skin, (SIZE, SIZE, 3) log units, of nobody's face."""
    canvas, names = load_canvas(), people_names()
    total = np.zeros((SIZE_PX, SIZE_PX, 3), np.float32)
    for name in names[:: max(1, len(names) // _PEOPLE)]:
        person = read_person(name)
        view = flattened(unwrap(Photo(person.image, person.landmarks), canvas, None), canvas)
        detail = logarithm(view.pixels) - field_of(view.skin, canvas)
        total += detail + detail[:, ::-1]
    return total / np.float32(2 * len(names[:: max(1, len(names) // _PEOPLE)]))


def _strength(own: Floats, detail: Floats, known: Floats) -> np.float32:
    """Return what the average's detail is to be multiplied by, to be as strong as what is known of the face's own."""
    amount = float((detail * detail * known[..., None]).sum())
    return np.float32(np.clip((own * detail * known[..., None]).sum() / max(amount, 1.0), *_STRENGTH))


def _grain(pixels: Floats, known: Floats) -> Floats:
    """Return noise (SIZE, SIZE, 3) like the fine detail of the cheeks, as far as they are known."""
    fine = np.abs(pixels - cv2.GaussianBlur(pixels, (0, 0), _FINE_PX)).mean(axis=2)
    (top, bottom), (left, right) = ((int(SIZE_PX * first), int(SIZE_PX * last)) for first, last in _CHEEKS)
    cheeks = [(map_[top:bottom, left:right], map_[:, ::-1][top:bottom, left:right]) for map_ in (fine, known)]
    values, sure = (np.concatenate([one.ravel() for one in pair]) for pair in cheeks)
    strength = float(np.median(values[sure > 0.5])) * 1.5 if (sure > 0.5).any() else 0.0
    noise = np.random.default_rng(0).standard_normal((SIZE_PX, SIZE_PX, 1)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.0)[..., None] / 0.28
    grain: Floats = (noise * min(strength, 4.0)).astype(np.float32)
    return grain
