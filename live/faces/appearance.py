"""How a person looks from afar: the colours of skin, hair and what is beside the face, in nine numbers.

Tells the few people of one scene apart, under one light, for some minutes; it is no recogniser. Measured on 36 people
of the test clips, six of them in one studio: two looks at one person half a second or more apart differ by less than 3
in 95 % of pairs, looks at two people in less than 1 %. The landmarks' proportions told the same pairs apart hardly
better than chance (0.63 of the area under the curve, where colours reach 0.997), so they take no part. Knows thumbnails
and landmarks; knows nothing about time or who is who.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.faces.landmarker import MESH_POINTS
from live.values import Floats, Pixels

OFFSET = 8.0
"""Added to 0..255 before the logarithm: noise in black must not look like light."""
UNITS = np.array((0.02, 0.1, 0.1), np.float32)
"""Log units of difference that count 1: of the skin's tint; of hair, and of the sides, against the skin."""
MOST = 9.0
"""No part counts more."""
BLUR = 0.12
"""Of the face's height. Without, noise and the edges of hair cost a third of what tells people apart."""
LEFT_EYE, RIGHT_EYE = (33, 133), (362, 263)


def _zone(x: tuple[float, float], y: tuple[float, float]) -> Floats:
    """Return places (N, 2) in a rectangle and in its mirror image."""
    columns, rows = np.meshgrid(np.linspace(*x, 5), np.linspace(*y, 5))
    side = np.stack([columns.ravel(), rows.ravel()], axis=1)
    return np.concatenate([side, side * (-1, 1)]).astype(np.float32)


ZONES = np.stack(
    [_zone((0.04, 0.26), (-0.34, 0.34)), _zone((0.04, 0.4), (-0.7, -0.5)), _zone((0.42, 0.54), (-0.4, 0.4))]
)
"""(3, N, 2): skin, hair above the forehead, what is beside the face; in face heights from the face's middle."""
REACH = 0.9
"""Face heights from the middle within which all places lie, however the head leans, with room for the blur."""


def appearance(thumbnail: Pixels, scale: float, landmarks: Floats) -> Floats:
    """Look at a face.

    Args: thumbnail (h, w, 3) BGR of the frame; scale: thumbnail px per frame px; landmarks (478, 3) px of the frame.
    Returns: (3, 3) log units, BGR: the skin's tint; hair, and sides, against the skin.
    """
    mesh = landmarks[:MESH_POINTS, :2] * np.float32(scale)
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    middle, size = (low + high) / 2 - np.float32(0.5), max(float((high - low).max()), 1.0)
    along = landmarks[RIGHT_EYE, :2].mean(axis=0) - landmarks[LEFT_EYE, :2].mean(axis=0)
    along *= size / max(float(np.hypot(*along)), 1e-3)
    limit = np.array(thumbnail.shape[1::-1])
    first = np.clip(np.floor(middle - REACH * size).astype(int), 0, limit - 1)
    last = np.clip(np.ceil(middle + REACH * size).astype(int), first + 1, limit)
    around = thumbnail[first[1] : last[1], first[0] : last[0]]
    soft = cv2.blur(around, (max(1, round(BLUR * size)),) * 2)
    axes = np.array((along, (-along[1], along[0])), np.float32)  # of the face, across and down
    at = ZONES.reshape(-1, 2) @ axes + (middle - first)
    seen = cv2.remap(soft, at[None].astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    colours = np.log(seen.astype(np.float32) + np.float32(OFFSET)).reshape(*ZONES.shape[:2], 3).mean(axis=1)
    looks: Floats = colours - colours[0].mean()
    return looks


def difference(one: Floats, other: Floats) -> Floats:
    """Return how unlike appearances (..., 3, 3) are: (...). Of one person mostly below 3, of two mostly above."""
    parts = np.abs(one - other).mean(axis=-1) / UNITS
    unlike: Floats = np.minimum(parts, np.float32(MOST)).sum(axis=-1)
    return unlike
