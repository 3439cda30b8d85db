"""Blinks and speech of the demo person: at opening, every stage of them is drawn once; a frame then picks stages.

Works on a still picture with its 478 landmarks: moves landmarks, warps the skin triangle by triangle, and draws what
the skin uncovers (the inner mouth) or covers (the eyes). Knows nothing about head movement or time.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from live.values import Box, Floats, Pixels

from .skin import MESH, Skin

BLINKS = 9
"""Stages from open to closed."""
JAWS, WIDTHS = 14, 3
"""Stages from closed to open, and from rounded to spread lips."""
LEFT_UPPER, LEFT_LOWER = (246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)
RIGHT_UPPER, RIGHT_LOWER = (466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)
LEFT_EYE = (33, *LEFT_UPPER, 133, *LEFT_LOWER[::-1])
RIGHT_EYE = (263, *RIGHT_UPPER, 362, *RIGHT_LOWER[::-1])
LEFT_FOLD, RIGHT_FOLD = (247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414)
INNER_UPPER, INNER_LOWER = (191, 80, 81, 82, 13, 312, 311, 310, 415), (95, 88, 178, 87, 14, 317, 402, 318, 324)
INNER_LIPS = (78, *INNER_UPPER, 308, *INNER_LOWER[::-1])
CORNERS = (61, 291)
UPPER_RINGS = (
    *INNER_UPPER, 183, 42, 41, 38, 12, 268, 271, 272, 407,
    184, 74, 73, 72, 11, 302, 303, 304, 408, 185, 40, 39, 37, 0, 267, 269, 270, 409,
)  # fmt: skip
LOWER_RINGS = (
    *INNER_LOWER, 96, 89, 179, 86, 15, 316, 403, 319, 325,
    77, 90, 180, 85, 16, 315, 404, 320, 307, 146, 91, 181, 84, 17, 314, 405, 321, 375,
)  # fmt: skip
CORNER_RINGS = (61, 291, 76, 306, 62, 292, 78, 308)
"""The lips are four rings of landmarks."""
CHIN, FACE_LEFT, FACE_RIGHT = 152, 234, 454
FOLD_FOLLOWS = 0.45
LIDS_MEET = 0.15
"""Where closed lids meet: share of the way from the lower to the upper lid."""
JAW_DROP = 0.125
"""Of the distance between cheek landmarks 234 and 454: the lower lip's way at jaw 1."""
SUPERSAMPLED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """One part of the face in all its stages."""

    box: Box
    """Where they belong in the still picture; even numbers."""
    pictures: Pixels
    """(N, H, W, 3) BGR."""
    landmarks: Floats
    """(N, 478, 2) px of the still picture."""


def skin_of(picture: Pixels, landmarks: Floats) -> Skin:
    """The skin of a still picture with landmarks (478, 2 or 3) px, open at the eyes and between the lips."""
    parted = opened(landmarks[:, :2].astype(np.float32), 1.0, 0.5)
    return Skin(picture, landmarks, parted, (LEFT_EYE, RIGHT_EYE, INNER_LIPS))


def blinked(rest: Floats, closed: float) -> Floats:
    """Landmarks (478, 2) px with the lids `closed` 0..1 of the way."""
    moved = rest.copy()
    for upper, lower, fold in ((LEFT_UPPER, LEFT_LOWER, LEFT_FOLD), (RIGHT_UPPER, RIGHT_LOWER, RIGHT_FOLD)):
        above, below = rest[list(upper)], rest[list(lower)]
        meet = below + (above - below) * LIDS_MEET
        moved[list(upper)] = above + (meet - above) * closed
        moved[list(lower)] = below + (meet - below) * closed
        moved[list(fold)] += (meet - above) * (closed * FOLD_FOLLOWS)
    return moved


def opened(rest: Floats, jaw: float, wide: float) -> Floats:
    """Landmarks (478, 2) px with the jaw `jaw` 0..1 down and the lips rounded (0) to spread (1)."""
    face_px = float(np.linalg.norm(rest[FACE_RIGHT] - rest[FACE_LEFT]))
    left, right = rest[CORNERS[0]], rest[CORNERS[1]]
    middle, half_px = (left + right) / 2, float(np.linalg.norm(right - left)) / 2
    chin_px = float(rest[CHIN, 1] - middle[1])
    across = (rest[:, 0] - middle[0]) / half_px
    down = (rest[:, 1] - middle[1]) / chin_px
    # 1) the jaw turns: full at lower lip and chin, less towards the ears, nothing at the corners and above
    lower = np.zeros(len(rest), np.float32)
    below = down > 0.02
    lower[below] = np.clip(1 - (np.abs(across[below]) / 2.6) ** 2, 0, 1) * _ease((down[below] + 0.15) / 0.45)
    lower *= 1 - 0.2 * np.clip(down, 0, 1)
    bow = np.sqrt(np.clip(1 - across**2, 0, 1))
    lower[list(UPPER_RINGS)] = 0
    lower[list(LOWER_RINGS)] = bow[list(LOWER_RINGS)]
    lower[list(CORNER_RINGS)] = 0.12
    moved = rest.copy()
    moved[:, 1] += JAW_DROP * face_px * jaw * lower
    # 2) the upper lip lifts a little
    moved[list(UPPER_RINGS), 1] -= 0.018 * face_px * jaw * bow[list(UPPER_RINGS)]
    # 3) the corners come together or spread, and what is near goes along
    near = np.exp(-(((np.abs(across) - 0.8) / 0.9) ** 2) - (down / 0.75) ** 2) * np.clip((down + 0.65) / 0.3, 0, 1)
    moved[:, 0] += near * across.clip(-1, 1) * half_px * (0.16 * (wide - 0.5) - 0.10 * jaw)
    moved[MESH:] = rest[MESH:]
    return moved.astype(np.float32)


def blink_stages(skin: Skin) -> Stages:
    """Both eyes from open to closed."""
    moved = np.stack([blinked(skin.rest, stage / (BLINKS - 1)) for stage in range(BLINKS)])
    box = skin.box_of(moved)
    eyes = skin.picture[box[1] : box[3], box[0] : box[2]].astype(np.float32)
    pictures = []
    for number, stage in enumerate(moved):
        closed = number / (BLINKS - 1)
        covered = _lashes(skin.warped(stage, box, taken=_lid_skin(skin.rest, closed)), stage, box, closed)
        hole = np.maximum(*(_hole(stage[list(eye)], box) for eye in (LEFT_EYE, RIGHT_EYE)))
        hole *= min(1.0, 4 * (1 - closed))  # an outline without area still draws a line
        pictures.append(covered + (eyes - covered) * hole[..., None])
    pictures[0] = eyes
    return Stages(box, np.stack(pictures).round().astype(np.uint8), moved)


def _lid_skin(rest: Floats, closed: float) -> Floats:
    """Where closing lids take their skin from: a little off the eye, or its dark would be smeared along the seam."""
    taken = rest.copy()
    for upper, lower, fold in ((LEFT_UPPER, LEFT_LOWER, LEFT_FOLD), (RIGHT_UPPER, RIGHT_LOWER, RIGHT_FOLD)):
        above, below = rest[list(upper)], rest[list(lower)]
        taken[list(upper)] += (rest[list(fold)] - above) * (0.16 * closed)
        taken[list(lower)] += (below - above) * (0.14 * closed)
    return taken


def _lashes(picture: Pixels, stage: Floats, box: Box, closed: float) -> Floats:
    """Mend the seam where lids meet (slivers of triangles) and darken it by the lashes: (H, W, 3)."""
    strength = max(0.0, 4 * closed - 3)
    shape = picture.shape[:2]
    seam, line = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for eye in (LEFT_EYE, RIGHT_EYE):
        curve = np.rint((stage[list(eye[:9])] - box[:2]) * 16).astype(np.int32)
        width_px = float(np.linalg.norm(stage[eye[0]] - stage[eye[8]]))
        cv2.polylines(seam, [curve], False, 255, max(2, round(0.13 * width_px)), cv2.LINE_AA, 4)
        cv2.polylines(line, [curve], False, 255, max(1, round(0.05 * width_px)), cv2.LINE_AA, 4)
    band = cv2.GaussianBlur(seam, (0, 0), 1.0).astype(np.float32)[..., None] * (strength / 255)
    mended = cv2.GaussianBlur(cv2.medianBlur(picture, 5), (0, 0), 0.8).astype(np.float32)
    dark = cv2.GaussianBlur(line, (0, 0), 0.7).astype(np.float32)[..., None] * (0.62 * strength / 255)
    return np.asarray((picture + (mended - picture) * band) * (1 - dark), np.float32)


def speech_stages(skin: Skin) -> Stages:
    """The lower face: stage jaw x WIDTHS + width."""
    pairs = [(jaw / (JAWS - 1), wide / (WIDTHS - 1)) for jaw in range(JAWS) for wide in range(WIDTHS)]
    moved = np.stack([opened(skin.rest, jaw, wide) for jaw, wide in pairs])
    box = skin.box_of(moved)
    pictures = [_spoken(skin, stage, box, jaw) for stage, (jaw, _) in zip(moved, pairs)]
    return Stages(box, np.stack(pictures), moved)


def _spoken(skin: Skin, stage: Floats, box: Box, jaw: float) -> Pixels:
    picture = skin.warped(stage, box, step_px=2)
    if jaw == 0:
        return picture
    lips = stage[list(INNER_LIPS)]
    left, top = np.maximum(np.floor(lips.min(axis=0)).astype(int) - 3, box[:2])
    right, bottom = np.minimum(np.ceil(lips.max(axis=0)).astype(int) + 4, box[2:])
    mouth = (int(left), int(top), int(right), int(bottom))
    part = picture[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
    part[:] = (part + (_inner_mouth(stage, mouth) - part) * _hole(lips, mouth)[..., None]).round()
    return picture


def _inner_mouth(stage: Floats, box: Box) -> Floats:
    """Dark, with the edge of the upper teeth and a tongue: (H, W, 3) BGR for everything in the box."""
    left, right, top, bottom = stage[78], stage[308], stage[13], stage[14]
    width_px, open_px = float(right[0] - left[0]), max(1.0, float(bottom[1] - top[1]))
    y, x = np.mgrid[box[1] : box[3], box[0] : box[2]].astype(np.float32)
    across = (x - (left[0] + right[0]) / 2) / (width_px / 2)
    colours = np.full((*x.shape, 3), (30, 22, 52), np.float32)
    deep = np.clip((y - top[1]) / open_px, 0, 1)
    tongue = np.clip(1.3 - ((across / 0.62) ** 2 + ((y - bottom[1] - 0.1 * open_px) / (0.42 * open_px + 1)) ** 2), 0, 1)
    colours += (np.array((72, 66, 128), np.float32) - colours) * (tongue * deep)[..., None] * 0.8
    # the teeth stand in an arch: their lower edge rises towards the corners, and less light gets there
    edge_y = top[1] + min(0.10 * width_px, 0.45 * open_px) * (1 - 0.5 * across**2)
    teeth = np.clip((edge_y - y) / max(1.0, 0.012 * width_px) + 0.5, 0, 1) * np.clip((0.86 - np.abs(across)) * 6, 0, 1)
    gaps = 1 - 0.10 * np.clip(np.cos(across * np.pi * 4.5 / 0.86 * (1 + 0.25 * across**2)) * 8 - 6.6, 0, 1)
    white = np.array((176, 190, 198), np.float32) * (1 - 0.45 * across**2)[..., None] * gaps[..., None]
    colours += (white * 0.88 - colours) * teeth[..., None]
    return np.asarray(colours * (0.62 + 0.38 * np.clip((y - top[1]) / (0.09 * width_px), 0, 1))[..., None], np.float32)


def _hole(outline: Floats, box: Box) -> Floats:
    """(H, W) 0..1: the part of each pixel inside the outline (P, 2) px."""
    size = (box[3] - box[1]) * SUPERSAMPLED, (box[2] - box[0]) * SUPERSAMPLED
    mask = np.zeros(size, np.uint8)
    points = (outline - box[:2] + 0.5) * SUPERSAMPLED - 0.5
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    small = cv2.resize(mask, (size[1] // SUPERSAMPLED, size[0] // SUPERSAMPLED), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 0.6), np.float32) / np.float32(255)


def _ease(share: Floats) -> Floats:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
