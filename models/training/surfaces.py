"""Surfaces drawn from nothing: wood, bricks, cloth, fur, print, lights, leaves and what else lies behind people.

Every function takes a random generator, a height and a width in px and returns an (H, W, 3) uint8 BGR picture in which
there is no face. Shared by the detector's scenes and the landmarker's patches without faces.
"""

from collections.abc import Callable

import cv2
import numpy as np

from models.training import augment

Surface = Callable[[np.random.Generator, int, int], np.ndarray]

EARTH = np.array([[30, 50, 80], [50, 80, 130], [90, 130, 180], [60, 70, 90], [140, 160, 180], [40, 40, 45]], float)
"""BGR of wood, skin, fur, stone: the warm colours that faces have too"""
GREENS = np.array([[20, 60, 30], [40, 110, 60], [60, 150, 110], [30, 80, 70], [90, 170, 150]], float)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """Return a float picture as uint8."""
    return np.clip(picture, 0, 255).astype(np.uint8)


def octaves(random: np.random.Generator, height_px: int, width_px: int, stretch: float = 1.0) -> np.ndarray:
    """Return (H, W) float32 noise of mean 0 and deviation about 1, `stretch` times longer downwards than across."""
    total, fall = np.zeros((height_px, width_px), np.float32), random.uniform(0.5, 0.9)
    for octave in range(1, 7):
        across = min(2**octave * 2, width_px)
        down = max(2, min(int(across / stretch * height_px / width_px), height_px))
        grid = random.standard_normal((down, across), dtype=np.float32)
        total += cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_CUBIC) * np.float32(fall**octave)
    return total / max(float(total.std()), 1e-3)


def warm(random: np.random.Generator) -> np.ndarray:
    """Return a (3,) BGR colour between two of EARTH."""
    first, second = EARTH[random.integers(0, len(EARTH), 2)]
    return first + random.random() * (second - first)


def wood(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Boards with grain, sometimes knots."""
    noise = octaves(random, height_px, width_px, random.uniform(3, 10))
    rings = np.sin(noise * random.uniform(1.5, 6) + np.linspace(0, random.uniform(0, 20), width_px)[None])
    for _ in range(int(random.integers(0, 5))):
        y, x = np.mgrid[:height_px, :width_px].astype(np.float32)
        middle = random.uniform((0, 0), (width_px, height_px))
        away = np.hypot(x - middle[0], (y - middle[1]) * 0.6) / random.uniform(3, 14)
        rings = np.where(away < 4, np.sin(away * 5), rings)
    picture = warm(random) * (1 + np.float32(random.uniform(0.05, 0.3)) * rings[..., None])
    if random.random() < 0.6:
        every = int(random.integers(12, max(13, width_px // 2)))
        picture[:, :: max(every, 2)] *= 0.5
    return np.rot90(to_bytes(picture)).copy() if height_px == width_px and random.random() < 0.5 else to_bytes(picture)


def bricks(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """A wall of bricks or tiles, each of its own shade."""
    high, wide = int(random.integers(5, 36)), int(random.integers(8, 70))
    joint = max(1, int(min(high, wide) * random.uniform(0.05, 0.2)))
    y, x = np.mgrid[:height_px, :width_px]
    row = y // high
    shifted = x + (row % 2) * (wide // 2) * int(random.random() < 0.7)
    shade = random.normal(1, random.uniform(0.02, 0.2), (height_px // high + 2, (width_px + wide) // wide + 2))
    picture = (warm(random) * shade[row, shifted // wide][..., None]).astype(np.float32)
    gaps = (y % high < joint) | (shifted % wide < joint)
    picture[gaps] = random.uniform(40, 230)
    return to_bytes(picture * (1 + 0.1 * octaves(random, height_px, width_px)[..., None]))


def cloth(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Folded cloth: plain, checked, striped or dotted, lit along its folds."""
    y, x = np.mgrid[:height_px, :width_px].astype(np.float32)
    folds = octaves(random, height_px, width_px, random.uniform(1, 6))
    x, y = x + folds * random.uniform(0, 6), y + folds * random.uniform(0, 6)
    picture = np.ones((height_px, width_px, 1), np.float32) * random.uniform(20, 230, 3).astype(np.float32)
    kind, step = random.integers(0, 5), random.uniform(3, 30)
    if kind == 1:
        picture[np.sin(x * np.pi / step) > random.uniform(-0.5, 0.5)] = random.uniform(0, 255, 3)
    elif kind == 2:
        for axis in (x, y):
            picture[np.sin(axis * np.pi / step) > 0] *= random.uniform(0.4, 0.9, 3).astype(np.float32)
    elif kind == 3:
        picture[np.hypot(x % (2 * step) - step, y % (2 * step) - step) < step * random.uniform(0.2, 0.8)] = (
            random.uniform(0, 255, 3)
        )
    light = 1 + cv2.Sobel(folds, cv2.CV_32F, 1, 0, ksize=3) * np.float32(random.uniform(0.05, 0.5))
    return to_bytes(picture * light.clip(0.3, 1.8)[..., None])


def fur(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Hair or fur: strands along a slowly turning direction, in patches of two colours."""
    flow = octaves(random, height_px, width_px) * random.uniform(0.1, 0.9) + random.uniform(0, np.pi)
    noise = random.standard_normal((height_px, width_px), dtype=np.float32)
    y, x = np.mgrid[:height_px, :width_px].astype(np.float32)
    total, reach = np.zeros_like(noise), int(random.integers(3, 10))
    for step in range(-reach, reach + 1):
        total += cv2.remap(
            noise, x + step * np.cos(flow).astype(np.float32), y + step * np.sin(flow).astype(np.float32),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
    patches = 1 / (1 + np.exp(-6 * octaves(random, height_px, width_px) + random.normal(0, 3)))[..., None]
    first, second = warm(random), warm(random) if random.random() < 0.7 else random.uniform(0, 250) * np.ones(3)
    colour = first + patches * (second - first)
    return to_bytes(colour * (1 + total[..., None] / np.sqrt(2 * reach) * np.float32(random.uniform(0.15, 0.45))))


def print_page(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Lines of letters, dark on light or light on dark, with boxes where pictures would be."""
    paper, ink = (random.uniform(190, 255), random.uniform(0, 90))
    if random.random() < 0.3:
        paper, ink = ink, paper
    picture = np.full((height_px, width_px, 3), paper, np.uint8)
    size = np.exp(random.uniform(np.log(0.18), np.log(1.0)))
    line_px = max(5, int(size * random.uniform(22, 34)))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789     .,;:()o0O8:-"))
    for y in range(line_px, height_px + line_px, line_px):
        left = int(random.integers(2, 12))
        text = "".join(random.choice(letters, max(1, int(width_px / size / 16 * random.uniform(0.3, 1.2)))))
        cv2.putText(picture, text, (left, y), int(random.integers(0, 8)), size, (ink,) * 3, max(1, int(size * 2)))
    for _ in range(int(random.integers(0, 4))):
        x, y = random.integers(0, width_px), random.integers(0, height_px)
        wide, high = random.integers(10, max(11, width_px // 2)), random.integers(10, max(11, height_px // 2))
        part = picture[y : y + high, x : x + wide]
        part[:] = cv2.resize(augment.texture(random, 24, 24), (part.shape[1], part.shape[0]))
    return picture


def bokeh(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Lights out of focus, or with rays, before a dark or soft ground."""
    ground = octaves(random, height_px, width_px)[..., None] * random.uniform(3, 20) + random.uniform(5, 90, 3)
    picture = ground.astype(np.float32)
    for _ in range(int(random.integers(2, 40))):
        middle = tuple(int(value) for value in random.uniform((0, 0), (width_px, height_px)))
        radius, colour = int(np.exp(random.uniform(0.7, 3.6))), random.uniform(60, 255, 3) * random.uniform(0.3, 1.0)
        light = np.zeros_like(picture)
        cv2.circle(light, middle, radius, colour.tolist(), -1 if random.random() < 0.8 else 2)
        if random.random() < 0.25:
            for ray_rad in np.linspace(0, np.pi, int(random.integers(3, 9)), endpoint=False) + random.uniform(0, 1):
                way = np.array([np.cos(ray_rad), np.sin(ray_rad)]) * radius * random.uniform(2, 5)
                ends = [tuple(int(v) for v in np.array(middle) + sign * way) for sign in (-1, 1)]
                cv2.line(light, *ends, (colour * 0.7).tolist(), max(1, radius // 5))
        picture += cv2.blur(light, (3, 3))
    return to_bytes(picture)


def foliage(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Leaves and grass: pointed ellipses with a bright side and a vein, far ones first."""
    picture = np.full((height_px, width_px, 3), random.uniform(5, 60), np.uint8)
    green = GREENS if random.random() < 0.7 else EARTH
    longest = random.uniform(0.06, 0.5) * min(height_px, width_px)
    for _ in range(int(random.integers(40, 260))):
        middle, way = random.uniform((0, 0), (width_px, height_px)), random.uniform(0, np.pi)
        long, wide = longest * random.uniform(0.3, 1.0), random.uniform(0.15, 0.5)
        along = np.array([np.cos(way), np.sin(way)])
        across = np.array([-along[1], along[0]]) * wide
        share = np.linspace(-1, 1, 9)
        colour = np.clip(green[random.integers(0, len(green))] * np.exp(random.normal(0, 0.35)), 0, 255)
        for side, light in ((1, random.uniform(0.7, 1.3)), (-1, 1.0)):
            edge = middle + long * (share[:, None] * along + side * (1 - share[:, None] ** 2) * across)
            cv2.fillPoly(picture, [np.round(edge).astype(np.int32)], np.clip(colour * light, 0, 255).tolist())
    return cv2.blur(picture, (3, 3)) if random.random() < 0.4 else picture


def shelves(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """A room's straight things: shelves with books and boxes, window bars, doors, screens."""
    picture = np.full((height_px, width_px, 3), random.uniform(20, 230, 3), np.uint8)
    rows = int(random.integers(1, 6))
    for row in range(rows):
        x, bottom = 0, (row + 1) * height_px // rows
        while x < width_px:
            wide, high = int(random.integers(3, 40)), int(height_px / rows * random.uniform(0.3, 0.95))
            colour = random.uniform(10, 250, 3) if random.random() < 0.6 else warm(random)
            cv2.rectangle(picture, (x, bottom - high), (x + wide, bottom), colour.tolist(), -1)
            if random.random() < 0.5:
                cv2.rectangle(
                    picture, (x, bottom - high // 2), (x + wide, bottom - high // 3), (colour * 0.5).tolist(), -1
                )
            x += wide + int(random.random() < 0.15) * int(random.integers(2, 40))
        cv2.rectangle(picture, (0, bottom - 2), (width_px, bottom + 1), warm(random).tolist(), -1)
    return to_bytes(picture * (1 + 0.08 * octaves(random, height_px, width_px)[..., None]))


SURFACES: tuple[Surface, ...] = (
    augment.texture, augment.leaves, augment.clouds, wood, bricks, cloth, fur, print_page, bokeh, foliage, shelves,
)  # fmt: skip


def surface(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Return one of SURFACES, mostly in muted colours, as most of the world is."""
    picture = SURFACES[random.integers(0, len(SURFACES))](random, height_px, width_px)
    plain = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    share = random.uniform(0, 0.9)
    return cv2.addWeighted(plain, share, picture, 1 - share, 0.0)
