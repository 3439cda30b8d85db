"""Where the worn face shows: the edge, hair over the forehead, and what stays the target's own.

Knows the canvas and what was seen on it; knows nothing about textures or time.
"""

from __future__ import annotations

from math import ceil, floor

import cv2
import numpy as np

from live.swap.contract import Visible
from live.swap.mesh.canvas import Canvas, outline_depth, ramp, rows, step
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIDS_LEFT, LIDS_RIGHT, MESH_IN_CANVAS
from live.values import Floats, Pixels

_HAIR_DARKER = (0.30, 0.65)  # log units against the smooth skin colour
_HAIR_BRIGHTER = (0.40, 0.75)
_HAIR_TINT = (0.16, 0.34)
_EYES = np.array((EYE_LEFT, EYE_RIGHT))
_LIDS = np.array((LIDS_LEFT, LIDS_RIGHT))
_LIDS_OPEN = (0.08, 0.2)  # height by width of the eyes' openings: closed, and open
_LIDS_KEPT = 0.8  # of the way from the lid's edge to its crease
_MOST_LEFT_OUT = 0.15  # of the face's width, at reach 0
_KERNEL = np.ones((3, 3), np.uint8)
_SEEN = (0.15, 0.85)  # of the masker's mask, blurred: from hidden to seen
FINE = 128
"""Side of the opacity's canvas: on the coarse grid the edge would show its cells."""


def skin_seen(colours: Floats, skin: Floats, trust: Floats, canvas: Canvas) -> Floats:
    """Return how much each cell (M,) looks like skin, 0..1, judged only where hair may hang.

    Args: colours (M, 3) logarithms; skin (K, 3) the smooth skin colour; trust (M,) how far each cell took part in it.
    """
    off = rows(colours - canvas.basis @ skin)
    spread = float(np.sqrt((off * off).sum(axis=0) @ trust / (3 * max(float(trust.sum()), 1e-3))))
    slack = np.float32(1 / max(1.0, spread / 0.12))  # noise, freckles and hard light widen what counts as skin
    tone = off.sum(axis=0) / 3
    tint = np.abs(off - tone).max(axis=0) * slack
    tone *= slack
    alien = np.maximum(ramp(-tone, *_HAIR_DARKER), ramp(tone, *_HAIR_BRIGHTER))
    alien = np.maximum(alien, ramp(tint, *_HAIR_TINT))
    bare: Floats = 1 - alien * canvas.hair
    return bare


def edge(*, reach: float, softness: float) -> Floats:
    """Return the opacity that the outline leaves over the canvas, (FINE, FINE) float32 0..1.

    Args: reach: 1: up to the outline, 0: the middle of the face only; softness: width of the soft edge, in shares of
        the face's width.
    """
    start = (1 - reach) * _MOST_LEFT_OUT * MESH_IN_CANVAS
    return ramp(outline_depth(FINE), start, start + max(softness, 0.005) * MESH_IN_CANVAS)


def opacity(edges: Floats, bare: Floats, canvas: Canvas) -> Floats:
    """Return edges (FINE, FINE) without what is not bare (M,) skin."""
    kept = cv2.blur(canvas.spread(bare[:, None]), (3, 3))
    shown: Floats = edges * cv2.resize(kept, (FINE, FINE), interpolation=cv2.INTER_LINEAR)
    return shown


def eye_rings(points: Floats) -> tuple[Floats, float]:
    """Return what is kept of the eyes: the openings, and the more the lids close the more of the lids.

    A closed lid would otherwise be painted with the stretched rim of the source's open eye.

    Args: points (468, 2 or 3) px.  Returns: rings (2, 16, 2) px, and how far the eyes are closed, 0..1.
    """
    inner, outer = points[_EYES, :2], points[_LIDS, :2]
    across = inner[:, (4, 0)] - inner[:, (12, 8)]  # (2, 2, 2): height and width of both eyes' openings
    gap, width = np.sqrt((across * across).sum(axis=2)).sum(axis=0).tolist()
    closed = 1 - step(gap / max(width, 1e-3), *_LIDS_OPEN)
    return inner + np.float32(_LIDS_KEPT * closed) * (outer - inner), closed


def keep(mask: Pixels, rings: Floats, blur_px: float) -> None:
    """Draw openings that stay the target's own into a mask (H, W): 255 inside, softly falling outside.

    Args: rings (N, P, 2) px; blur_px: half the width of the transition.
    """
    around = 2 * ceil(blur_px) + 1
    for ring in rings:
        left, top = (max(floor(value) - around, 0) for value in ring.min(axis=0).tolist())
        right, bottom = (ceil(value) + around + 1 for value in ring.max(axis=0).tolist())
        target = mask[top:bottom, left:right]
        if not target.size or right <= 0 or bottom <= 0:
            continue
        part = np.zeros(target.shape, np.uint8)
        corners = np.rint((ring - np.array((left, top), np.float32)) * 16).astype(np.int32)
        cv2.fillPoly(part, [corners], 255, cv2.LINE_8, 4)
        soft = cv2.blur(cv2.dilate(part, _KERNEL), (around, around))
        cv2.max(target, cv2.max(part, soft), target)


def seen(visible: Visible, own: Floats) -> Floats:
    """Return how much of the target's face is uncovered (H, W) 0..1 at places (H, W, 2) px of its region."""
    where = cv2.transform(own, visible.matrix)
    found = cv2.remap(visible.mask, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return ramp(cv2.blur(found, (3, 3), borderType=cv2.BORDER_REPLICATE), *_SEEN)  # unblurred, edges show steps


def look_up(grid: Floats, at: Floats) -> Floats:
    """Sample a map over the canvas, (S, S) or (S, S, K), at canvas coordinates (H, W, 2) in 0..1."""
    scale = np.float32(grid.shape[0])
    where = at * scale - np.float32(0.5)
    found: Floats = cv2.remap(grid, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found
