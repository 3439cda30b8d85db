"""Things that a detector may take for faces, drawn from nothing: animals, coins, cars, bottles, lamps, sockets, limbs.

Every maker takes a random generator and returns a cut-out: (128, 128, 4) uint8, BGR and opacity, the thing filling most
of it. None is a face: where eyes and a mouth are hinted at, the rest of a face is missing or wrong. Masks, statues and
drawn faces are left out on purpose: taking them for faces is no harm. Knows nothing about scenes.
"""

from collections.abc import Callable

import cv2
import numpy as np

from models.training import augment, surfaces
from models.training.animals import animal, ear_or_paw, limb
from models.training.drawing import MIDDLE, SIDE_PX, cut_out, ellipse, empty, grid, relief
from models.training.surfaces import warm

Maker = Callable[[np.random.Generator], np.ndarray]


def coin(random: np.random.Generator) -> np.ndarray:
    """A coin, a medal, a button, a lid: a disc with a rim and a worn relief of blobs and letters."""
    mask, bumps = empty(), empty()
    ellipse(mask, 64, 64, random.uniform(104, 122), random.uniform(96, 122), random.uniform(0, 180))
    for _ in range(int(random.integers(1, 14))):
        place, size = random.uniform(30, 98, 2), random.uniform(6, 44, 2)
        ellipse(bumps, *place, *size, random.uniform(0, 180), int(random.integers(60, 256)))
    for turn in range(int(random.integers(0, 14))):
        way = turn * random.uniform(0.3, 0.5)
        at = (64 + np.array([np.cos(way), np.sin(way)]) * 42 - 5).astype(int)
        cv2.putText(bumps, chr(int(random.integers(65, 91))), tuple(at.tolist()), 0, 0.4, 200, 1)
    height = cv2.GaussianBlur(bumps.astype(np.float32), (0, 0), random.uniform(1, 5)) / 40
    height += surfaces.octaves(random, SIDE_PX, SIDE_PX) * random.uniform(0, 1.0)
    x, y = grid()
    height += 3 * np.exp(-(((np.hypot(x, y) - 0.82) / 0.05) ** 2))
    way = random.uniform(0, 2 * np.pi)
    slope = cv2.Sobel(height.astype(np.float32), cv2.CV_32F, 1, 0) * np.cos(way) + cv2.Sobel(
        height.astype(np.float32), cv2.CV_32F, 0, 1
    ) * np.sin(way)
    metal = warm(random) if random.random() < 0.5 else np.ones(3) * random.uniform(60, 200)
    return cut_out(metal * (1 + slope * random.uniform(0.03, 0.2))[..., None].clip(0.2, 2.2), mask)


def car(random: np.random.Generator) -> np.ndarray:
    """A car from before, behind or above: body, dark windows, lamps, a plate."""
    picture, mask = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32), empty()
    wide, high = random.uniform(60, 110), random.uniform(50, 112)
    left, right, top, bottom = 64 - wide / 2, 64 + wide / 2, 64 - high / 2, 64 + high / 2
    roof, belt = random.uniform(0.55, 0.95), top + high * random.uniform(0.3, 0.5)
    inset = wide * (1 - roof) / 2
    body = [(left + inset, top), (right - inset, top), (right, belt), (right, bottom), (left, bottom), (left, belt)]
    cv2.fillPoly(mask, [np.round(body).astype(np.int32)], 255)
    mask = cv2.threshold(cv2.blur(mask, (15, 15)), 127, 255, cv2.THRESH_BINARY)[1]
    colour = random.uniform(10, 245, 3) if random.random() < 0.5 else np.ones(3) * random.uniform(15, 245)
    picture[:] = relief(random, mask, colour)
    glass = random.uniform(10, 90) * np.array([1.1, 1.0, 0.9])

    def quad(x1: float, y1: float, x2: float, y2: float, narrow: float, tone: np.ndarray) -> None:
        corners = [(x1 + narrow, y1), (x2 - narrow, y1), (x2, y2), (x1, y2)]
        cv2.fillPoly(picture, [np.round(corners).astype(np.int32)], tone.tolist(), cv2.LINE_AA)

    edge = wide * 0.06
    quad(left + inset + edge, top + high * 0.06, right - inset - edge, belt, -inset * 0.6, glass)
    if random.random() < 0.4:
        quad(left + edge, bottom - high * 0.28, right - edge, bottom - high * 0.14, wide * 0.05, glass)
    lamp = np.array([200, 235, 245]) if random.random() < 0.5 else np.array([30, 30, 190])
    lamp_y, lamp_px = belt + (bottom - belt) * random.uniform(0.15, 0.5), wide * random.uniform(0.1, 0.2)
    for x in (left + lamp_px * 0.8, right - lamp_px * 0.8):
        box = ((float(x), float(lamp_y)), (float(lamp_px * 1.3), float(lamp_px * random.uniform(0.5, 1.2))), 0.0)
        cv2.ellipse(picture, box, (lamp * random.uniform(0.7, 1.0)).tolist(), -1)
    grille_y = lamp_y + (bottom - lamp_y) * random.uniform(0.1, 0.5)
    quad(64 - wide * 0.25, grille_y, 64 + wide * 0.25, grille_y + high * random.uniform(0.04, 0.14), 2, glass * 0.6)
    plate = random.uniform(150, 250) * np.ones(3)
    quad(64 - wide * 0.12, bottom - high * 0.13, 64 + wide * 0.12, bottom - high * 0.07, 0, plate)
    return cut_out(picture, mask)


def bottle(random: np.random.Generator) -> np.ndarray:
    """A bottle, a glass, a vase, a cup: a turned outline, bright and dark bands along it, a label, a cap."""
    y = np.linspace(0, 1, 120)
    knots = np.sort(random.uniform(0, 1, 5))
    half = np.interp(y, [0, *knots, 1], random.uniform(8, 50, 7))
    half = cv2.GaussianBlur(half.astype(np.float32)[:, None], (1, 15), 4)[:, 0]
    mask = empty()
    outline = np.concatenate([np.stack([64 - half, y * 120 + 4], 1), np.stack([64 + half, y * 120 + 4], 1)[::-1]])
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    x, _ = grid()
    wide = np.interp(np.arange(SIDE_PX), y * 120 + 4, half)[:, None] / MIDDLE
    across = (x / np.maximum(wide, 0.05)).clip(-1, 1)
    colour = (
        random.uniform(20, 250, 3) if random.random() < 0.6 else random.uniform(150, 240) * np.array([1, 0.97, 0.9])
    )
    bands = sum(
        random.normal(0, 0.35) * np.exp(-(((across - random.uniform(-1, 1)) / random.uniform(0.05, 0.3)) ** 2))
        for _ in range(5)
    )
    waves = 1 + random.uniform(0, 0.2) * np.sin(np.arange(SIDE_PX) * random.uniform(0.05, 0.8))[:, None]
    picture = colour * ((0.7 + 0.3 * (1 - across**2) + bands) * waves)[..., None]
    for _ in range(int(random.integers(0, 4))):
        first = int(random.uniform(5, 110))
        last = first + int(random.uniform(5, 50))
        tint = random.uniform(0, 255, 3)
        picture[first:last] = (
            0.3 * picture[first:last] + 0.7 * tint * (0.6 + 0.4 * (1 - across[first:last] ** 2))[..., None]
        )
    result = cut_out(picture, mask)
    if random.random() < 0.4:  # seen through
        result[..., 3] = (result[..., 3] * random.uniform(0.45, 0.9)).astype(np.uint8)
    return result


def ball(random: np.random.Generator) -> np.ndarray:
    """A ball, a fruit, a spoon, a bulb: a round body that shines, or mirrors what is around it."""
    mask, (x, y) = empty(), grid()
    ellipse(mask, 64, 64, random.uniform(80, 122), random.uniform(70, 122), random.uniform(0, 180))
    if random.random() < 0.5:
        picture = relief(
            random, mask, warm(random) if random.random() < 0.5 else random.uniform(0, 255, 3), random.uniform(0, 0.6)
        )
    else:
        scene = surfaces.surface(random, SIDE_PX, SIDE_PX)
        bend = 1 + random.uniform(0.3, 1.5) * (x**2 + y**2)
        picture = cv2.remap(scene, (x * bend * 40 + 64) % 127, (y * bend * 40 + 64) % 127, cv2.INTER_LINEAR).astype(
            float
        )
        picture *= (1.2 - 0.7 * np.hypot(x, y))[..., None]
    return cut_out(picture, mask)


def socket(random: np.random.Generator) -> np.ndarray:
    """Two dots and a bar: a power socket, a house front, a radio, a washing machine, buttons on a plain surface."""
    mask = augment.blob_mask(random, SIDE_PX)
    if random.random() < 0.7:
        mask = empty()
        sides = random.uniform(70, 118, 2)
        cv2.fillConvexPoly(mask, cv2.boxPoints(((64, 64), sides.tolist(), 0.0)).astype(np.int32), 255)
        round_px = int(random.integers(0, 15)) * 2 + 1
        mask = cv2.threshold(cv2.blur(mask, (round_px, round_px)), 127, 255, cv2.THRESH_BINARY)[1]
    colour = random.uniform(10, 250) * np.ones(3) if random.random() < 0.5 else random.uniform(10, 250, 3)
    picture = relief(random, mask, colour)
    ink = random.uniform(0, 70, 3) if random.random() < 0.75 else random.uniform(0, 255, 3)
    eye_y, eye_x, eye_px = random.uniform(40, 66), random.uniform(12, 32), random.uniform(5, 22)
    straight = random.random() < 0.5
    for side in (-1, 1):
        box = ((64 + side * eye_x, eye_y), (eye_px, eye_px * random.uniform(0.8, 1.4)), 0.0)
        if straight:
            cv2.fillConvexPoly(picture, cv2.boxPoints(box).astype(np.int32), ink.tolist(), cv2.LINE_AA)
        else:
            cv2.ellipse(picture, box, ink.tolist(), -1, cv2.LINE_AA)
    kind, y = random.integers(0, 4), random.uniform(76, 100)
    if kind < 2:
        bar = ((64.0, y), (random.uniform(10, 60), random.uniform(4, 16)), 0.0)
        cv2.fillConvexPoly(picture, cv2.boxPoints(bar).astype(np.int32), ink.tolist(), cv2.LINE_AA)
    elif kind == 2:
        cv2.circle(picture, (64, int(y)), int(random.uniform(4, 14)), ink.tolist(), -1, cv2.LINE_AA)
    return cut_out(picture, mask)


def device(random: np.random.Generator) -> np.ndarray:
    """A phone, a laptop, a screen, a sign: a dark or light frame round print, lights or nothing."""
    picture, mask = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), empty()
    wide, high = random.uniform(50, 122, 2)
    x, y, w, h = int(64 - wide / 2), int(64 - high / 2), int(wide), int(high)
    round_px = int(random.integers(0, 9)) * 2 + 1
    mask[y : y + h, x : x + w] = 255
    mask = cv2.threshold(cv2.blur(mask, (round_px, round_px)), 127, 255, cv2.THRESH_BINARY)[1]
    picture[:] = random.uniform(5, 60) * np.ones(3) if random.random() < 0.7 else random.uniform(100, 240)
    rim = int(random.integers(2, 10))
    if random.random() < 0.75 and w > 3 * rim and h > 3 * rim:
        shown = surfaces.print_page if random.random() < 0.5 else surfaces.surface
        picture[y + rim : y + h - rim, x + rim : x + w - rim] = shown(random, h - 2 * rim, w - 2 * rim)
    return cut_out(picture + augment.texture(random, SIDE_PX, SIDE_PX) * random.uniform(0, 0.15), mask)


def flower(random: np.random.Generator) -> np.ndarray:
    """A flower, a fan, a wheel, a burner: petals or spokes round a middle."""
    picture, mask = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32), empty()
    count, colour = int(random.integers(4, 16)), random.uniform(30, 250, 3)
    long, wide = random.uniform(30, 56), random.uniform(8, 34)
    for petal in random.permutation(count):
        angle_deg = 360 * petal / count + random.normal(0, 4)
        way = np.radians(angle_deg)
        box = ((64 + np.cos(way) * long / 2, 64 + np.sin(way) * long / 2), (long, wide), angle_deg)
        cv2.ellipse(picture, box, (colour * random.uniform(0.6, 1.1)).tolist(), -1, cv2.LINE_AA)
        cv2.ellipse(mask, box, 255, -1)
    if random.random() < 0.4:
        ellipse(mask, 64, 64, 2 * long, 2 * long)
    cv2.circle(picture, (64, 64), int(random.uniform(5, 22)), random.uniform(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    return cut_out(picture, mask)


def piece(random: np.random.Generator) -> np.ndarray:
    """A blob of any surface: cushions, stones, bags, jackets."""
    mask = augment.blob_mask(random, SIDE_PX)
    picture = surfaces.surface(random, SIDE_PX, SIDE_PX) * (relief(random, mask, np.ones(3) * 180.0) / 180.0)
    return cut_out(picture, mask)


MAKERS: tuple[tuple[float, Maker], ...] = (
    (0.16, animal), (0.07, ear_or_paw), (0.12, coin), (0.10, car), (0.10, bottle), (0.08, ball), (0.08, socket),
    (0.08, device), (0.11, limb), (0.05, flower), (0.05, piece),
)  # fmt: skip
"""Share and maker of every kind."""


def draw_thing(random: np.random.Generator) -> np.ndarray:
    """Return one of MAKERS' cut-outs, (128, 128, 4)."""
    shares = np.array([share for share, _ in MAKERS])
    return MAKERS[random.choice(len(MAKERS), p=shares / shares.sum())][1](random)
