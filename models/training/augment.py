"""Photometric change and occlusion: what light, cameras, codecs and hands do to a picture.

Shared by both trainings. Every function takes a random generator and an (H, W, 3) uint8 BGR picture and returns a
picture of the same shape; geometry stays as it is, so labels stay true.
"""

from collections.abc import Callable

import cv2
import numpy as np

Change = Callable[[np.random.Generator, np.ndarray], np.ndarray]

LEVELS = np.arange(256, dtype=np.float32)


def relight(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Exposure, contrast, gamma and the colour of the light, in one look-up table per channel."""
    gamma = np.exp(random.normal(0.0, 0.3))
    gain = np.exp(random.normal(0.0, 0.2)) * np.exp(random.normal(0.0, 0.12, 3))
    contrast, offset = np.exp(random.normal(0.0, 0.2)), random.normal(0.0, 12.0)
    levels = 255.0 * (LEVELS / 255.0) ** gamma
    table = ((levels - 128.0) * contrast + 128.0 + offset)[:, None] * gain[None]
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[:, None])


def darken(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A dark room: a fraction of the light, with a black level."""
    table = LEVELS * random.uniform(0.12, 0.5) + random.uniform(0.0, 12.0)
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8))


def shade(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Light from one side, or through blinds' edge: a soft coloured ramp over the picture."""
    height_px, width_px = image.shape[:2]
    angle_rad, sharpness = random.uniform(0, 2 * np.pi), random.uniform(1.0, 8.0)
    x = np.linspace(-1, 1, width_px, dtype=np.float32)[None] * np.float32(np.cos(angle_rad))
    y = np.linspace(-1, 1, height_px, dtype=np.float32)[:, None] * np.float32(np.sin(angle_rad))
    ramp = 1.0 / (1.0 + np.exp(-sharpness * (x + y + np.float32(random.normal(0.0, 0.4)))))
    low = random.uniform(0.2, 0.8) * np.exp(random.normal(0.0, 0.15, 3))
    high = random.uniform(0.9, 1.4) * np.exp(random.normal(0.0, 0.15, 3))
    light = low.astype(np.float32) + ramp[..., None] * (high - low).astype(np.float32)
    return np.clip(image * light, 0, 255).astype(np.uint8)


def grey(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Take the colour out, wholly or in part."""
    plain = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    share = 1.0 if random.random() < 0.5 else random.uniform(0.3, 1.0)
    return cv2.addWeighted(plain, share, image, 1.0 - share, 0.0)


def soften(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Out of focus: a Gaussian of 0.4 to 2.8 px."""
    return cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 2.8))


def smear(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Motion blur along a straight line of 3 to 13 px (a longer kernel costs more than the rest of a sample)."""
    length_px = int(random.integers(3, 14))
    angle_rad = random.uniform(0, np.pi)
    half = (length_px - 1) / 2
    kernel = np.zeros((length_px, length_px), np.float32)
    reach = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * half
    start, end = np.round(half - reach).astype(int), np.round(half + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def add_noise(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Sensor noise: per channel or of brightness alone, fine or in clumps of two pixels."""
    height_px, width_px = image.shape[:2]
    clump = int(random.integers(1, 3))
    channels = 3 if random.random() < 0.5 else 1
    sigma = random.uniform(2.0, 18.0) if random.random() < 0.8 else random.uniform(18.0, 40.0)
    shape = (-(-height_px // clump), -(-width_px // clump), channels)
    noise = random.standard_normal(shape, dtype=np.float32) * np.float32(sigma)
    if clump > 1:
        noise = cv2.resize(noise, None, fx=clump, fy=clump, interpolation=cv2.INTER_LINEAR)[:height_px, :width_px]
    noise = noise.reshape(height_px, width_px, channels)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def compress(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """JPEG of quality 15..85."""
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(15, 86))])
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


def coarsen(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Low resolution: down by up to 4, and up again."""
    factor = 1.0 / random.uniform(1.3, 4.0)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_LINEAR if random.random() < 0.7 else cv2.INTER_NEAREST
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=way)


PHOTOMETRIC: tuple[tuple[float, Change], ...] = (
    (0.15, coarsen),
    (0.8, relight),
    (0.25, shade),
    (0.15, grey),
    (0.12, darken),
    (0.2, soften),
    (0.12, smear),
    (0.35, add_noise),
    (0.25, compress),
)
"""Chance and change, in the order light, lens, sensor, codec (coarsen stands for distance, first)."""


def photometric(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Apply each change of PHOTOMETRIC with its chance."""
    for chance, change in PHOTOMETRIC:
        if random.random() < chance:
            image = change(random, image)
    return image


def random_colour(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return a (3,) BGR colour: half of the time one that occurs in the picture (skin covers skin), else any."""
    if random.random() < 0.5:
        y, x = random.integers(0, image.shape[0]), random.integers(0, image.shape[1])
        return np.clip(image[y, x] + random.normal(0.0, 12.0, 3), 0, 255)
    return random.uniform(0, 255, 3)


def hand_mask(random: np.random.Generator, size_px: int) -> np.ndarray:
    """Return a (size, size) uint8 mask 0/255 of a rough hand: palm, fingers and thumb, turned at random."""
    mask = np.zeros((size_px, size_px), np.uint8)
    unit = size_px / 10.0
    spread, thick = random.uniform(0.05, 0.25), max(int(unit * random.uniform(0.9, 1.3)), 1)
    palm = np.array([5.0, 6.8]) * unit
    cv2.ellipse(mask, (palm.astype(int).tolist(), (3.6 * unit, 4.0 * unit), 0.0), 255, -1)
    for i in range(4):
        lean_rad = (i - 1.5) * spread
        root = palm + np.array([(i - 1.5) * 0.95, -1.2]) * unit
        tip = root + np.array([np.sin(lean_rad), -np.cos(lean_rad)]) * unit * random.uniform(2.2, 4.2)
        cv2.line(mask, root.astype(int).tolist(), tip.astype(int).tolist(), 255, thick)
    thumb = palm + np.array([-random.uniform(2.0, 3.6), -random.uniform(0.5, 2.0)]) * unit
    cv2.line(mask, palm.astype(int).tolist(), thumb.astype(int).tolist(), 255, thick)
    cv2.line(mask, palm.astype(int).tolist(), [int(palm[0]), size_px], 255, int(unit * 2.6))
    turn = cv2.getRotationMatrix2D((size_px / 2, size_px / 2), random.uniform(-180, 180), 1.0)
    return cv2.warpAffine(mask, turn, (size_px, size_px))


def blob_mask(random: np.random.Generator, size_px: int) -> np.ndarray:
    """Return a (size, size) uint8 mask 0/255 of a box, an ellipse or a star-shaped polygon."""
    mask = np.zeros((size_px, size_px), np.uint8)
    kind, middle = random.integers(0, 3), size_px / 2
    sides = random.uniform(0.35, 1.0, 2) * size_px
    if kind == 0:
        corners = cv2.boxPoints(((middle, middle), sides.tolist(), random.uniform(0, 90)))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    elif kind == 1:
        cv2.ellipse(mask, ((middle, middle), sides.tolist(), random.uniform(0, 180)), 255, -1)
    else:
        angles = np.linspace(0, 2 * np.pi, 9)[:-1]
        radii = random.uniform(0.4, 1.0, 8) * middle
        points = middle + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
        cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    return mask


def occlude(random: np.random.Generator, image: np.ndarray, centre: np.ndarray, face_px: float) -> np.ndarray:
    """Lay a hand, a box or a blob over part of a face.

    Args: centre (2,) px of the face; face_px its longer side. The cover is 0.25..0.9 of it, off the centre.
    """
    size_px = max(int(face_px * random.uniform(0.25, 0.9)), 4)
    mask = hand_mask(random, size_px) if random.random() < 0.5 else blob_mask(random, size_px)
    mask = cv2.blur(mask, (3, 3)).astype(np.float32)[..., None] / 255.0
    angle_rad, reach = random.uniform(0, 2 * np.pi), face_px * random.uniform(0.25, 0.65)
    corner = centre + np.array([np.cos(angle_rad), np.sin(angle_rad)]) * reach - size_px / 2
    left, top = int(corner[0]), int(corner[1])
    height_px, width_px = image.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + size_px, width_px), min(top + size_px, height_px)
    if x1 >= x2 or y1 >= y2:
        return image
    mask = mask[y1 - top : y2 - top, x1 - left : x2 - left]
    ramp = np.linspace(random.uniform(0.6, 1.0), random.uniform(0.8, 1.2), x2 - x1, dtype=np.float32)[None, :, None]
    cover = random_colour(random, image[y1:y2, x1:x2]).astype(np.float32) * ramp
    cover = cover + random.standard_normal((y2 - y1, x2 - x1, 1), dtype=np.float32) * np.float32(random.uniform(0, 12))
    image = image.copy()
    image[y1:y2, x1:x2] = np.clip(image[y1:y2, x1:x2] * (1 - mask) + cover * mask, 0, 255).astype(np.uint8)
    return image


def leaves(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Return a picture of 15..150 overlapping ellipses, boxes and rings in a few colours."""
    colours = random.uniform(0, 255, (int(random.integers(3, 9)), 3))
    image = np.empty((height_px, width_px, 3), np.uint8)
    image[:] = colours[0]
    largest_px = random.uniform(0.08, 0.5) * width_px
    for _ in range(int(random.integers(15, 151))):
        middle = (random.uniform(0, width_px), random.uniform(0, height_px))
        sides = random.uniform(0.1, 1.0, 2) * largest_px * random.uniform(0.2, 1.0)
        colour = np.clip(colours[random.integers(0, len(colours))] + random.normal(0, 20, 3), 0, 255).tolist()
        box, kind = (middle, sides.tolist(), random.uniform(0, 180)), random.integers(0, 4)
        if kind == 0:
            cv2.fillConvexPoly(image, cv2.boxPoints(box).astype(np.int32), colour)
        else:
            cv2.ellipse(image, box, colour, 2 if kind == 1 else -1)
    return image


def clouds(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Return noise of several octaves, coloured or of two colours: bark, foliage, carpets."""
    channels = 3 if random.random() < 0.3 else 1
    fall = random.uniform(0.4, 0.95)
    total = np.zeros((height_px, width_px, channels), np.float32)
    for octave in range(1, 7):
        grid = random.random((2**octave, 2**octave, channels), dtype=np.float32) - np.float32(0.5)
        grown = cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        total += grown.reshape(total.shape) * np.float32(fall**octave)
    share = np.clip(0.5 + total * random.uniform(0.7, 2.5), 0, 1)
    first, second = random.uniform(0, 255, (2, 3)).astype(np.float32)
    return (first + share * (second - first)).astype(np.uint8)


def texture(random: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Return an (height, width, 3) uint8 picture of nothing: a gradient, cloudy noise, stripes or coloured blocks."""
    kind = random.integers(0, 4)
    first, second = random.uniform(0, 255, (2, 3)).astype(np.float32)
    if kind == 0:
        share = np.linspace(0, 1, width_px, dtype=np.float32)[None, :] * np.ones((height_px, 1), np.float32)
    elif kind == 1:
        grid = random.random((int(random.integers(2, 24)), int(random.integers(2, 24))), dtype=np.float32)
        share = cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    elif kind == 2:
        waves_x, waves_y = random.normal(0, 0.4, 2)
        phase = np.arange(width_px)[None, :] * waves_x + np.arange(height_px)[:, None] * waves_y
        share = (0.5 + 0.5 * np.sin(phase)).astype(np.float32)
    else:
        blocks = random.integers(0, 256, (int(random.integers(2, 9)), int(random.integers(2, 9)), 3), dtype=np.uint8)
        return cv2.resize(blocks, (width_px, height_px), interpolation=cv2.INTER_NEAREST)
    return (first + share[..., None] * (second - first)).astype(np.uint8)
