"""The target's irises in the source's colour: the look, the lids and the catch-lights stay the target's own.

An iris is looked at before it is painted: where lids or something else hide it, or the eye is closed (the landmarks
close it by half only), what is there is not darker than skin, and nothing is painted. Knows one picture and landmarks;
knows nothing about textures or time.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from live.swap.contract import Visible
from live.swap.mesh.canvas import Canvas, ramp, step
from live.swap.mesh.light import OFFSET
from live.swap.mesh.mask import look_up
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, VERTICES
from live.values import Floats, Photo, Pixels

EYES = np.array((EYE_LEFT, EYE_RIGHT))
POINTS = 10
"""Landmarks 468 to 477: of each eye, left and right in the picture, the iris's middle and four of its rim."""
_ANGLES = np.arange(16, dtype=np.float32) * (np.pi / 8)
SPOTS = (
    np.array((0.5, 0.65, 0.8), np.float32)[:, None, None] * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
).reshape(-1, 2)
"""(48, 2) where an iris's colour is looked at, in its radii: beyond the pupil, before the dark rim."""
OPEN = (0.2, 0.45)  # share of the spots between the lids: hidden, and seen
DARKER = (0.25, 0.5)  # log units below the skin: skin, and surely an iris
GLINT = (0.3, 0.7)  # log units above the iris: still iris, and a catch-light
EDGE = (0.85, 1.1)  # radii: where painting ends
REACH = 1.3  # radii: nothing beyond is looked at
MOST = 1.2  # log units: no channel is changed by more
COVERED = (0.3, 0.8)  # of the masker's mask


def colour_of(photos: Sequence[Photo], skin_tone: float) -> Floats | None:
    """Return the colour (3,), logarithms, of the irises of the first photo that shows any; None if none does.

    Args: skin_tone: mean logarithm of the skin's colour in the photos.
    """
    for photo in photos:
        seen = [look(photo.image, *eye, skin_tone) for eye in eyes_of(photo.landmarks)]
        total = sum(share for _, share in seen)
        if total > 0.5:
            mean: Floats = (np.sum([share * colour for colour, share in seen], axis=0) / total).astype(np.float32)
            return mean
    return None


def in_light(colour: Floats, gain: Floats, canvas: Canvas) -> Floats:
    """Return an iris's colour (3,), logarithms, as the texture around it is worn.

    Args: gain (GRID, GRID, 3): what the texture is multiplied by.
    """
    there = look_up(gain, canvas.topology.canvas[EYES].mean(axis=1)[None])[0]
    lit: Floats = colour + np.log(np.maximum(there, np.float32(1e-3))).mean(axis=0)
    return lit


def eyes_of(landmarks: Floats) -> list[tuple[Floats, float, Floats]]:
    """Return of each eye the iris's middle (2,), its radius and the opening (16, 2), px; none without irises.

    Args: landmarks (478, 3) px.
    """
    if len(landmarks) < VERTICES + POINTS:
        return []
    irises = landmarks[VERTICES : VERTICES + POINTS, :2].reshape(2, 5, 2)
    radii = np.linalg.norm(irises[:, 1:] - irises[:, :1], axis=2).mean(axis=1)
    return [(iris[0], float(radius), landmarks[eye, :2]) for iris, radius, eye in zip(irises, radii, EYES)]


def look(picture: Pixels, middle: Floats, radius: float, opening: Floats, skin_tone: float) -> tuple[Floats, float]:
    """Return an iris's colour (3,), logarithms, and how surely it is seen, 0..1.

    Args: picture (H, W, 3) BGR; middle (2,), radius and opening (16, 2) px of it; skin_tone: see `colour_of`.
    """
    places = (middle + radius * SPOTS).astype(np.float32)
    found = cv2.remap(picture, places[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    colours = np.log(found.astype(np.float32) + np.float32(OFFSET))
    between = np.clip(-outside(opening, places), 0, 1)
    rough = (between @ colours) / max(float(between.sum()), 1e-3)
    dull = between * (1 - ramp(colours.mean(axis=1) - rough.mean(), *GLINT))
    colour = ((dull @ colours) / max(float(dull.sum()), 1e-3)).astype(np.float32)
    share = step(float(between.mean()), *OPEN) * step(skin_tone - float(colour.mean()), *DARKER)
    return colour, share


def repainted(
    region: Pixels, landmarks: Floats, wanted: Floats, skin_tone: float, amount: float, visible: Visible | None
) -> tuple[Pixels, Pixels]:
    """Return the region (H, W, 3) with its irises led to another colour, and a mask (H, W) 255 around them.

    Args: landmarks (478, 3) px; wanted (3,) logarithms; skin_tone: mean logarithm of the target's skin; amount 0..1.
    """
    result, mask = region.copy(), np.zeros(region.shape[:2], np.uint8)
    for middle, radius, opening in eyes_of(landmarks):
        colour, share = look(region, middle, radius, opening, skin_tone)
        if visible is not None:
            share *= step(_uncovered(visible, middle), *COVERED)
        low = np.maximum(np.floor(middle - REACH * radius).astype(int), 0)
        high = np.minimum(np.ceil(middle + REACH * radius).astype(int) + 1, np.array(region.shape[1::-1]))
        if share <= 0 or (high <= low).any():
            continue
        inside = slice(low[1], high[1]), slice(low[0], high[0])
        places = np.stack(np.meshgrid(*(np.arange(*ends, dtype=np.float32) for ends in zip(low, high))), axis=2)
        away = np.linalg.norm(places - middle, axis=2) / np.float32(max(radius, 1e-3))
        values = np.log(region[inside].astype(np.float32) + np.float32(OFFSET))
        painted = 1 - ramp(away, *EDGE)
        painted[painted > 0] *= np.clip(-outside(opening, places[painted > 0]), 0, 1)
        painted *= 1 - ramp(values.mean(axis=2) - colour.mean(), *GLINT)
        change = np.float32(amount * share) * np.clip(wanted - colour, -MOST, MOST)
        values = np.exp(values + painted[..., None] * change) - np.float32(OFFSET)
        result[inside] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        mask[inside] = np.maximum(mask[inside], np.rint(255 * (1 - ramp(away, EDGE[1], REACH))).astype(np.uint8))
    return result, mask


def outside(ring: Floats, points: Floats) -> Floats:
    """Return the distance (...) of points (..., 2) to a ring (P, 2), negative inside."""
    edge_x, edge_y = (np.roll(ring, -1, axis=0) - ring).T
    x, y = points[..., :1] - ring[:, 0], points[..., 1:] - ring[:, 1]  # (..., P)
    along = (x * edge_x + y * edge_y) / np.maximum(edge_x * edge_x + edge_y * edge_y, np.float32(1e-6))
    np.clip(along, 0, 1, out=along)
    off_x, off_y = x - along * edge_x, y - along * edge_y
    distance = np.sqrt((off_x * off_x + off_y * off_y).min(axis=-1))
    crossing = y * (edge_x / np.where(edge_y == 0, 1, edge_y))
    inside = np.logical_xor.reduce(((y >= 0) != (y >= edge_y)) & (x < crossing), axis=-1)
    signed: Floats = np.where(inside, -distance, distance).astype(np.float32)
    return signed


def _uncovered(visible: Visible, place: Floats) -> float:
    """Return what the masker sees at a place (2,) px of the region, 0..1."""
    at = (visible.matrix[:, :2] @ place + visible.matrix[:, 2]).astype(np.float32)
    found = cv2.remap(visible.mask, at[None, None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(found[0, 0])
