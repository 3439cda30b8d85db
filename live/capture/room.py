"""The demo person's still picture: a bundled person with neck and pullover in a softly lit, blurred room.

Runs once, at opening. Everything but the head is drawn here from lines and gradients; knows nothing about movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from live.pixels.people import Person
from live.values import Floats, Pixels

HEAD_OF_HEIGHT = 0.52
"""Hair to chin, as a share of the picture's height; less where the picture is narrow."""
HEAD_OF_WIDTH = 0.5
CHIN, FOREHEAD, CHEEK_LEFT, CHEEK_RIGHT = 152, 10, 234, 454
NECKLINE = 0.19
"""How far the neckline dips, in head heights."""
PULLOVERS_BGR = ((92, 72, 58), (74, 92, 70), (66, 58, 112), (120, 104, 84), (58, 62, 68), (96, 120, 142))
SHADES = 8
"""Sub-pixel bits of drawn outlines."""


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """The person at rest."""

    picture: Pixels
    """(H, W, 3) BGR."""
    landmarks: Floats
    """(478, 3) px of `picture`."""
    head: Floats
    """(H, W) 0..1: what belongs to the head and its hair, down to the collar."""
    head_px: float
    """From the hair's top to the chin."""


def still(person: Person, width_px: int, height_px: int) -> Still:
    """Draw the person at rest, centred, the chin at two thirds of the height."""
    own_head_px = float(person.landmarks[CHIN, 1] - np.flatnonzero(person.matte.max(axis=1) > 128)[0])
    scale = min(HEAD_OF_HEIGHT * height_px, HEAD_OF_WIDTH * width_px) / own_head_px
    chin_x, chin_y = person.landmarks[CHIN, :2]
    right, down = width_px * 0.5 - chin_x * scale, height_px * 0.67 - chin_y * scale
    landmarks = person.landmarks * scale
    landmarks[:, :2] += (right, down)
    matrix = np.array([[scale, 0, right], [0, scale, down]])
    size = (width_px, height_px)
    image, matte = _with_neck(person)
    image = _small_enough(image, scale)
    matrix[:, :2] *= person.image.shape[1] / image.shape[1]
    matte = cv2.resize(matte, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    colours = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(matte, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    head_px = own_head_px * scale
    _hide_own_clothes(alpha, colours, landmarks, head_px)
    picture = room(width_px, height_px)
    picture += (colours - picture) * alpha[..., None]
    top = max(0, int(landmarks[CHIN, 1] - 0.1 * head_px))
    below = landmarks - np.array((0, top, 0), np.float32)
    alpha[top:] *= 1 - _pullover(picture[top:], below, head_px, _cloth_of(person.name))
    return Still(np.clip(picture + 0.5, 0, 255).astype(np.uint8), landmarks, alpha, head_px)


def _hide_own_clothes(alpha: Floats, colours: Pixels, landmarks: Floats, head_px: float) -> None:
    """Clear, in place, what is beside the neck and no hair: the averaged pictures end in a blur of many collars."""
    chin_x, chin_y = landmarks[CHIN, :2]
    top = max(0, int(chin_y - 0.12 * head_px))
    luma = cv2.cvtColor(colours[top:], cv2.COLOR_BGR2GRAY).astype(np.float32)
    beside = np.abs(np.arange(alpha.shape[1], dtype=np.float32) - chin_x) / _neck_px(landmarks)
    long_hair = np.count_nonzero(alpha[int(chin_y - 0.2 * head_px)] > 0.5) > 3.2 * _neck_px(landmarks)
    bright = np.clip((luma - 68) / 20, 0, 1) if long_hair else np.ones_like(luma)
    bright *= np.clip((beside - 0.93) / 0.08, 0, 1)
    face = np.zeros(luma.shape, np.uint8)
    hull = cv2.convexHull(np.ascontiguousarray(landmarks[:468, :2] - np.array((0, top), np.float32)))
    cv2.fillConvexPoly(face, np.rint(hull).astype(np.int32), 1)
    around = (2 * round(0.02 * head_px) + 1,) * 2
    bright[cv2.dilate(face, np.ones(around, np.uint8)) > 0] = 0
    lower = np.clip(np.arange(len(luma), dtype=np.float32) / (0.04 * head_px), 0, 1)[:, None]
    alpha[top:] *= 1 - cv2.GaussianBlur(bright * lower, (0, 0), 1.5)


def _neck_px(landmarks: Floats) -> float:
    """Half the neckline's width."""
    return 0.40 * float(landmarks[CHEEK_RIGHT, 0] - landmarks[CHEEK_LEFT, 0])


def room(width_px: int, height_px: int) -> Floats:
    """A wall in window light, a shelf and a plant, all out of focus: (H, W, 3) float32 BGR."""
    small_h, small_w = 90, round(90 * width_px / height_px)
    y, x = np.mgrid[0 : 1 : 1j * small_h, 0 : 1 : 1j * small_w].astype(np.float32)
    glow = np.exp(-(((x - 0.02) / 0.55) ** 2) - ((y - 0.25) / 0.8) ** 2)[..., None]
    base, lit, low = np.array(((166, 172, 174), (46, 42, 36), (20, 20, 18)), np.float32)
    wall = base + glow * lit - low * y[..., None]

    def box(left: float, top: float, right: float, bottom: float, bgr: tuple[int, int, int]) -> None:
        corner, other = (
            (round(left * small_w), round(top * small_h)),
            (round(right * small_w), round(bottom * small_h)),
        )
        cv2.rectangle(wall, corner, other, bgr, cv2.FILLED)

    box(-0.02, 0.04, 0.13, 0.60, (236, 232, 224))  # window
    box(0.05, 0.04, 0.062, 0.60, (176, 178, 176))
    box(0.80, 0.30, 1.02, 0.33, (92, 112, 134))  # shelf boards
    box(0.80, 0.62, 1.02, 0.65, (88, 106, 128))
    books = (
        ((70, 84, 128), 0.83, 0.13),
        ((128, 116, 84), 0.86, 0.17),
        ((96, 128, 112), 0.885, 0.15),
        ((84, 88, 92), 0.93, 0.18),
    )
    for bgr, left, tall in books:
        box(left, 0.30 - tall, left + 0.02, 0.30, bgr)
    box(0.90, 0.50, 0.95, 0.62, (132, 150, 168))  # pot and leaves
    for dx, dy in ((0.0, 0.0), (-0.03, 0.05), (0.035, 0.04), (0.01, -0.06)):
        centre = (round((0.925 + dx) * small_w), round((0.45 + dy) * small_h))
        cv2.ellipse(wall, centre, (small_w // 40, small_h // 14), 30 * (dx > 0) - 15, 0, 360, (86, 118, 92), cv2.FILLED)
    wall = cv2.GaussianBlur(wall, (0, 0), 2.2)
    return np.asarray(cv2.resize(wall, (width_px, height_px), interpolation=cv2.INTER_CUBIC), np.float32)


def _small_enough(image: Pixels, scale: float) -> Pixels:
    """The image shrunk by area where the frame shows it at less than half its size, so that it does not flicker."""
    if scale >= 0.5:
        return image
    size = (max(2, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _with_neck(person: Person) -> tuple[Pixels, Pixels]:
    """The picture and matte with the neck drawn out downwards: the bundled pictures end just below the chin."""
    extra = person.image.shape[0] // 4
    last = cv2.GaussianBlur(person.image[-24:], (0, 0), 4)[-3:].mean(axis=0, keepdims=True)
    darker = np.linspace(1, 0.9, extra, dtype=np.float32)[:, None, None]
    image = np.concatenate([person.image, (last * darker).astype(np.uint8)])
    matte = np.concatenate([person.matte, np.repeat(person.matte[-4:-3], extra, axis=0)])
    return image, matte


def _cloth_of(name: str) -> tuple[int, int, int]:
    return PULLOVERS_BGR[sum(name.encode()) % len(PULLOVERS_BGR)]


def _pullover(picture: Floats, landmarks: Floats, head_px: float, bgr: tuple[int, int, int]) -> Floats:
    """Draw shoulders in a crew-neck pullover into `picture` (in place). Returns its (H, W) float32 0..1 mask."""
    height, width = picture.shape[:2]
    chin_x, chin_y = landmarks[CHIN, :2]
    neck_px = _neck_px(landmarks)
    collar_y = chin_y + 0.06 * head_px
    body = _outline(chin_x, collar_y, neck_px, head_px, height)
    cloth = _mask(body, picture.shape[:2])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = (x - chin_x) / head_px, (y - collar_y) / head_px
    light = 1.08 - 0.28 * across - 0.35 * np.maximum(np.abs(across) - 0.55, 0) - 0.10 * down
    grain = cv2.GaussianBlur(np.random.default_rng(1).standard_normal((height, width)).astype(np.float32), (0, 0), 1.2)
    folds = cv2.GaussianBlur(
        np.random.default_rng(2).standard_normal((height // 8, width // 8)).astype(np.float32), (0, 0), 5
    )
    folds = cv2.resize(folds, (width, height), interpolation=cv2.INTER_CUBIC)
    light += 0.03 * grain / grain.std() + 0.045 * folds / folds.std()
    # the collar: a ribbed band along the neckline, darker where the neck's shadow falls
    ring = ((x - chin_x) / neck_px) ** 2 + ((y - collar_y) / (NECKLINE * head_px)) ** 2
    band = np.clip((1.42 - ring) * 6, 0, 1) * np.clip((ring - 0.9) * 6, 0, 1)
    light += band * (0.10 + 0.05 * np.sin(np.arctan2(y - collar_y, x - chin_x) * 70))
    light -= 0.22 * np.clip(1 - np.abs(ring - 1.5) * 4, 0, 1) * np.clip(down * 6, 0, 1)
    colours = np.array(bgr, np.float32) * np.clip(light, 0.2, 1.6)[..., None]
    soft = cv2.GaussianBlur(cloth, (0, 0), max(0.7, head_px / 330))
    shadow = 1 - 0.30 * cv2.GaussianBlur(np.roll(cloth, -round(0.015 * head_px), axis=0), (0, 0), head_px / 28) * (
        1 - cloth
    )
    picture *= shadow[..., None]
    picture += (colours - picture) * soft[..., None]
    return soft


def _outline(chin_x: float, collar_y: float, neck_px: float, head_px: float, height: int) -> Floats:
    """The pullover's outline (P, 2) px: neckline from left to right, right shoulder, bottom, left shoulder."""
    angle = np.linspace(np.pi, 0, 40)
    neckline = np.stack([chin_x + neck_px * np.cos(angle), collar_y + NECKLINE * head_px * np.sin(angle)], 1)
    half = np.concatenate(
        [_curve((0, -0.05), (0.28, 0.11), (0.56, 0.17)), _curve((0.56, 0.17), (0.93, 0.26), (1.0, 0.56))]
    )
    half = half * head_px + np.array((neck_px, collar_y))
    right, left = half * (1, 1) + np.array((chin_x, 0)), (half * (-1, 1) + np.array((chin_x, 0)))[::-1]
    bottom = np.array([[right[-1, 0] + 0.02 * head_px, height + 8], [left[0, 0] - 0.02 * head_px, height + 8]])
    return np.concatenate([neckline, right, bottom, left]).astype(np.float32)


def _curve(start: tuple[float, float], pull: tuple[float, float], end: tuple[float, float]) -> Floats:
    """A quadratic Bezier curve, (24, 2)."""
    a, b, c = np.array((start, pull, end), np.float32)
    t = np.linspace(0, 1, 24, dtype=np.float32)[:, None]
    return np.asarray((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c, np.float32)


def _mask(outline: Floats, shape: tuple[int, ...]) -> Floats:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 2**SHADES).astype(np.int32)], 255, cv2.LINE_AA, SHADES)
    return mask.astype(np.float32) / np.float32(255)
