"""What covers the face in a view: hair, glasses, hands; by the masker where there is one, and by colour.

The masker knows things; strands, and shadows of what hangs into the face, only colours show. Knows one flattened view.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from live.swap.mesh.canvas import Canvas, features, hair_zone, outline_depth, ramp
from live.swap.mesh.maps import SIZE_PX, field_of, logarithm, soft, spread_vertices
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIDS_LEFT, LIDS_RIGHT, load_topology
from live.swap.mesh.unwrap import View
from live.values import Floats

_DARKER = (0.2, 0.4)  # log units against the skin around
_BRIGHTER = (0.35, 0.6)
_TINT = (0.13, 0.26)
_LOPSIDED = (0.3, 0.5)  # against the other side of the face, after its light was evened out
_SURELY_DARKER, _SURELY_TINT = (0.35, 0.6), (0.2, 0.35)  # where the masker sees what covers, colours only help
_NEVER = (9.0, 10.0)
_BLUER = (0.1, 0.3)  # blue against red
_LINE = (0.25, 0.5)  # log units against both sides
_COVERED = (0.15, 0.45)  # of the masker: below it is not the face
_DOUBTED = (0.65, 0.92)  # close by: below it is not the face where the colour is none of skin either
_SURE = (0.8, 0.95)  # above, a dark jaw is a beard and not hair
_SMOOTH_PX = 2.0  # sigma
_SPOT_PX = 26
_RIM = 0.01  # beyond the outline, in shares of the side: where covers come in
_HAZED = (0.15, 0.5)  # of the masker's doubt
_LENS = (0.5, 0.8)
_DARK = 0.5  # of the masker, over the eyes: sunglasses
_LEAST_RIM_PX = 60
_THICK, _FINE = 0.18, 0.02  # of the skin around an eye: strange, or dark lines
_LEAST_PX = 500  # of it have to be seen
_THIN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))  # on half the texture's size
_NEAR = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))  # on a quarter of it
_REACH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
_COVER = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (33, 33))
_LASHES, _NOSE_BASE = 159, 2  # vertices


def covered(view: View, canvas: Canvas) -> Floats:
    """Return (SIZE, SIZE) 0..1: where something else than the face is seen, its edges and shadow included."""
    smooth = logarithm(cv2.GaussianBlur(view.pixels, (0, 0), _SMOOTH_PX))
    zone, drawn = spread_vertices(hair_zone(canvas.topology), canvas), features(SIZE_PX, grow=0.012)
    off = smooth - field_of(view.skin, canvas)
    brows = drawn * _above(_LASHES, 0.02)
    frames, masked = np.zeros_like(zone), np.zeros_like(zone)
    darker, tint = _DARKER, _TINT
    if view.open is not None:
        darker, tint = _SURELY_DARKER, _SURELY_TINT
        bearded = ramp(view.open, *_SURE) * (1 - _above(_NOSE_BASE, 0.0))
        zone, brows = zone * (1 - bearded), brows * (1 - ramp(view.open, *_SURE))
        masked, strange = _from_outside(1 - ramp(view.open, *_COVERED)), _strange(off)
        edges = strange * _highest_near(masked) * (1 - drawn) * _above(_NOSE_BASE, 0.0)  # below, a beard would go
        masked = np.maximum(masked, edges)
        frames = _glasses(view, strange, _lines(off, cv2.MORPH_BLACKHAT), 1 - drawn)
    alien = np.maximum(_unlike(off, darker, _BRIGHTER, tint) * zone * (1 - drawn), masked)
    # of two sides that differ it is the one with more that is unlike skin around
    evidence = soft(alien, 20)
    differs = _unlike(smooth - smooth[:, ::-1], _LOPSIDED, _NEVER, _LOPSIDED) * np.maximum(zone, brows)
    differs *= evidence > evidence[:, ::-1] + 0.02
    return _grown(np.maximum(np.maximum(alien, differs), frames))


def _highest_near(map_: Floats) -> Floats:
    """Return the highest value of a map (SIZE, SIZE) within 14 px."""
    small = cv2.resize(map_, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    highest: Floats = cv2.resize(cv2.dilate(small, _NEAR), (SIZE_PX, SIZE_PX))
    return highest


def _from_outside(mask: Floats) -> Floats:
    """Keep the parts of a mask that come in over the outline, as hair and hands do.

    In hard shadows, beside the nose above all, the masker sees holes that are none.
    """
    depth = outline_depth(SIZE_PX)
    _, labels = cv2.connectedComponents(((mask > 0.5) | (depth < -_RIM)).astype(np.uint8))
    mask = mask * (labels == labels[0, 0]) * (depth > -_RIM)
    # the masker's outline and the mesh's differ by a rim, which is no cover
    thick = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_OPEN, _COVER)
    kept: Floats = mask * cv2.dilate(thick, _COVER)
    return kept


def _glasses(view: View, strange: Floats, dark_lines: Floats, plain: Floats) -> Floats:
    """Return (SIZE, SIZE) 0..1: frames, and lenses through which no eyes are seen; 0 where none are worn.

    Measured on 60 portraits, around the eye that is less under glasses: sunglasses and thick frames make 0.25 to 0.98
    of the skin strange, thin ones 0.11 and 0.13, a dark face in shade 0.105, all others from the front 0 to 0.01; of
    the thin ones 0.046 are dark lines, of the face in shade 0.005.
    """
    assert view.open is not None
    thick, thin = [], []
    seen, hazed = view.facing * (1 - view.hidden) > 0.5, ramp(1 - view.open, *_HAZED)
    for eye, lids in ((EYE_LEFT, LIDS_LEFT), (EYE_RIGHT, LIDS_RIGHT)):
        around = _hull(lids, 20) & ~_hull(eye, 3) & seen
        if around.sum() > _LEAST_PX:
            thick.append(float((strange * hazed)[around].mean()))
            thin.append(float((dark_lines * hazed)[around].mean()))
    if not thick or (min(thick) < _THICK and min(thin) < _FINE):
        return np.zeros_like(strange)
    frames = strange * plain * (1 - ramp(-_highest_near(-view.open), *_DOUBTED))
    eyes = (_hull(EYE_LEFT, 0) | _hull(EYE_RIGHT, 0)) & seen
    if eyes.any() and float(view.open[eyes].mean()) < _DARK:
        frames = np.maximum(frames, 1 - ramp(soft(view.open, 50), *_LENS))
    # a rim is found where the masker doubts, and followed where it does not
    rims = ((strange * plain > 0.5) & _hull(LIDS_LEFT + LIDS_RIGHT, 75)).astype(np.uint8)
    _, labels = cv2.connectedComponents(rims)
    found = np.bincount(labels.ravel(), (frames > 0.5).ravel())
    found[0] = 0
    frames = np.maximum(frames, (found > _LEAST_RIM_PX)[labels])
    return frames * _above(_NOSE_BASE, 0.0)


def _hull(ring: tuple[int, ...], grow_px: int) -> NDArray[np.bool_]:
    """Return what vertices enclose on the texture, grown: (SIZE, SIZE)."""
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    places = (load_topology().canvas[list(ring)] * SIZE_PX).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(places), 1)
    return cv2.dilate(mask, np.ones((2 * grow_px + 1, 2 * grow_px + 1), np.uint8)) > 0


def _strange(off: Floats) -> Floats:
    """Return 0..1 how much colours that are off (H, W, 3) the skin around are no shadow.

    A shadow is dark and wide, and not bluer than the skin; a strand or a frame is a line or has another colour.
    """
    blue = ramp(off[..., 0] - off[..., 2], *_BLUER)
    lines = np.maximum(_lines(off, cv2.MORPH_BLACKHAT), _lines(off, cv2.MORPH_TOPHAT))
    return np.maximum(np.maximum(ramp(off.mean(axis=2), *_BRIGHTER), blue), lines)


def _lines(off: Floats, kind: int) -> Floats:
    """Return 0..1: dark (MORPH_BLACKHAT) or bright (MORPH_TOPHAT) lines in colours that are off (H, W, 3)."""
    small = cv2.resize(off.mean(axis=2), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return ramp(cv2.resize(cv2.morphologyEx(small, kind, _THIN), (SIZE_PX, SIZE_PX)), *_LINE)


def _grown(mask: Floats) -> Floats:
    """Drop spots of a mask (moles, freckles) but not lines (strands, frames), and grow what is left."""
    _, labels, about, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    long = about[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) > _SPOT_PX
    long[0] = False
    grown: Floats = cv2.GaussianBlur(
        cv2.dilate(long[labels].astype(np.uint8), _REACH).astype(np.float32), (0, 0), _SMOOTH_PX
    )
    return grown


def _unlike(
    off: Floats, darker: tuple[float, float], brighter: tuple[float, float], tint: tuple[float, float]
) -> Floats:
    """Return 0..1 how much logarithmic differences (H, W, 3) speak against skin; doubt grows from a pair's first."""
    tone = off.mean(axis=2)
    tinted = np.abs(off - tone[..., None]).max(axis=2)
    return np.maximum(np.maximum(ramp(-tone, *darker), ramp(tone, *brighter)), ramp(tinted, *tint))


def _above(vertex: int, by: float) -> Floats:
    """Return (SIZE, 1): 1 above a vertex by a share of the side, else 0."""
    line = (load_topology().canvas[vertex, 1] - by) * SIZE_PX
    above: Floats = (np.arange(SIZE_PX, dtype=np.float32)[:, None] < line).astype(np.float32)
    return above
