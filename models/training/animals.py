"""Fur and bare skin that detectors take for faces: heads, ears and paws of animals, arms and knees. See `things`."""

import cv2
import numpy as np

from models.training import augment, surfaces
from models.training.drawing import SIDE_PX, cut_out, ellipse, empty, grid, relief
from models.training.surfaces import warm

Spot = tuple[float, float]


def outline(random: np.random.Generator, middle: Spot, wide: float, high: float) -> np.ndarray:
    """Return the mask of a round head with two ears, pointed or hanging."""
    mask = empty()
    ellipse(mask, *middle, wide, high)
    pointed, spread = random.random() < 0.6, random.uniform(0.26, 0.42) * wide
    ear_px, lean = wide * random.uniform(0.25, 0.5), random.uniform(-0.1, 0.6)
    for side in (-1, 1):
        root = np.array([middle[0] + side * spread, middle[1] - high * random.uniform(0.25, 0.42)])
        if pointed:
            tip = root + np.array([side * lean, -1.0]) * ear_px * 1.3
            feet = [root + np.array([x, 0.35]) * ear_px for x in (-0.5, 0.5)]
            cv2.fillPoly(mask, [np.round([feet[0], tip, feet[1]]).astype(np.int32)], 255)
        else:
            x, y = root + np.array([side * 0.3, random.uniform(-0.3, 0.9)]) * ear_px
            ellipse(mask, x, y, ear_px * 0.7, ear_px * 1.4, side * 25)
    return mask


def coat(random: np.random.Generator, middle: Spot, wide: float, high: float) -> np.ndarray:
    """Return a (128, 128, 3) float picture of fur: rough or smooth, with cheeks and a muzzle of other colours."""
    fur = surfaces.fur(random, SIDE_PX, SIDE_PX).astype(np.float32)
    if random.random() < 0.5:
        fur = cv2.GaussianBlur(fur, (0, 0), random.uniform(1, 5))
    fur = fur * random.uniform(0.8, 1.6)
    if random.random() < 0.5:  # light cheeks, dark mask or the other way round
        cheeks = empty()
        for side in (-1, 1):
            x, y = middle[0] + side * wide * 0.22, middle[1] + high * random.uniform(0, 0.25)
            ellipse(cheeks, x, y, wide * 0.5, high * 0.6)
        fur[cheeks > 0] = fur[cheeks > 0] * 0.3 + 0.7 * random.uniform(30, 235)
    muzzle = empty()
    y = middle[1] + high * random.uniform(0.12, 0.28)
    ellipse(muzzle, middle[0], y, wide * random.uniform(0.3, 0.55), high * random.uniform(0.3, 0.5))
    tone = fur[muzzle > 0].mean(axis=0) * random.uniform(0.6, 1.8)
    fur[muzzle > 0] = 0.6 * tone + 0.4 * fur[muzzle > 0]
    return fur


def animal(random: np.random.Generator) -> np.ndarray:
    """The head of a cat, a dog, a bear, a sheep: fur, ears above, round eyes far apart, a muzzle with a dark nose."""
    wide = random.uniform(60, 92)
    high, middle = wide * random.uniform(0.75, 1.2), (64.0, 74.0)
    mask = outline(random, middle, wide, high)
    picture = coat(random, middle, wide, high) * (relief(random, mask, np.ones(3) * 190.0) / 190.0).clip(0.2, 1.5)

    def dab(x: float, y: float, across: float, down: float, colour: np.ndarray | float) -> None:
        part = empty()
        ellipse(part, middle[0] + x, y, across, down)
        picture[part > 0] = colour

    eye_y, eye_x = middle[1] - high * random.uniform(0.02, 0.2), wide * random.uniform(0.18, 0.3)
    eye_px, slit = wide * random.uniform(0.06, 0.16), random.uniform(0.25, 0.8)
    iris = random.uniform(0, 60, 3) if random.random() < 0.5 else np.array([60, 170, 200]) * random.uniform(0.4, 1.1)
    for side in (-1, 1):
        dab(side * eye_x, eye_y, eye_px * 1.1, eye_px, iris)
        dab(side * eye_x, eye_y, eye_px * slit, eye_px * 0.85, 8.0)
        dab(side * eye_x - eye_px * 0.2, eye_y - eye_px * 0.2, eye_px * 0.25, eye_px * 0.25, 220.0)
    nose_y = middle[1] + high * random.uniform(0.02, 0.22)
    dab(0, nose_y, wide * random.uniform(0.1, 0.22), high * random.uniform(0.07, 0.14), random.uniform(5, 60))
    foot = (64, int(nose_y + high * 0.16))
    cv2.line(picture, (64, int(nose_y)), foot, (15, 15, 15), 2)
    for side in (-1, 1):
        cv2.ellipse(picture, ((64 + side * wide * 0.08, foot[1]), (wide * 0.16, high * 0.1), 0.0), (15, 15, 15), 1)
    return cut_out(cv2.blur(picture, (2, 2)), mask)


def ear_or_paw(random: np.random.Generator) -> np.ndarray:
    """A piece of fur with a fold: an animal's ear, flank or paw."""
    mask = augment.blob_mask(random, SIDE_PX)
    if random.random() < 0.5:
        corners = np.array([[64 + random.uniform(-30, 30), 8], [14, 120], [114, 120]]) + random.normal(0, 8, (3, 2))
        mask = empty()
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255)
        inner = np.round(corners * 0.6 + (26, 40)).astype(np.int32)
    else:
        inner = np.round(random.uniform(30, 98, (3, 2))).astype(np.int32)
    picture = surfaces.fur(random, SIDE_PX, SIDE_PX) * (relief(random, mask, np.ones(3) * 190.0) / 190.0)
    part = empty()
    cv2.fillPoly(part, [inner], 255)
    soft = cv2.blur(part, (9, 9)).astype(np.float32)[..., None] / 255
    return cut_out(picture * (1 - soft) + soft * warm(random) * random.uniform(0.3, 1.2), mask)


def limb(random: np.random.Generator) -> np.ndarray:
    """Bare skin that is no face: an arm, a knee, a shoulder, a belly, crossed by a sleeve's edge."""
    mask, points = empty(), random.uniform(20, 108, (4, 2))
    path = np.stack([np.interp(np.linspace(0, 3, 40), range(4), points[:, axis]) for axis in (0, 1)], axis=1)
    path = cv2.GaussianBlur(path.astype(np.float32), (1, 15), 5)
    first, last = random.uniform(8, 36, 2)
    for share, (x, y) in zip(np.linspace(0, 1, 40), path, strict=True):
        cv2.circle(mask, (int(x), int(y)), int(first + (last - first) * share), 255, -1)
    tone = np.array([130.0, 160.0, 215.0]) * random.uniform(0.25, 1.15) * np.exp(random.normal(0, 0.1, 3))
    picture = relief(random, mask, tone, random.uniform(0, 0.5))
    if random.random() < 0.5:
        x, y = grid()
        way, where = random.uniform(0, 2 * np.pi), random.uniform(-0.4, 0.5)
        sleeve = (x * np.cos(way) + y * np.sin(way)) > where
        picture[sleeve] = surfaces.cloth(random, SIDE_PX, SIDE_PX)[sleeve]
    return cut_out(picture, mask)
