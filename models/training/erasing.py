"""Pictures whose faces are gone, and pieces of faces that are none: real surroundings, hair, clothes and hands.

A hole is filled with real texture (other parts of the picture, other pictures, a head seen from behind), never smoothed
over: a detector would learn that smooth patches are where faces were. Knows scenes; knows nothing about networks.
"""

import cv2
import numpy as np

from models.training import faces
from models.training.things import SIDE_PX

EYES_PX, NOSE, MOUTH = (33, 133), (48, 278), (61, 291)
"""Landmarks that span one eye, the nose, the mouth"""
TRIES = 12
FREE_SHARE = 0.97  # of a piece that has to come from outside every head


def head_mask(random: np.random.Generator, shape: tuple[int, ...], points: np.ndarray, reach: float) -> np.ndarray:
    """Return the (H, W) uint8 mask of an uneven outline round a face's points (N, 2), `reach` times its box."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2 - (0, 0.12 * (high - low)[1]), (high - low) / 2 * reach
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    uneven = 1 + np.abs(np.convolve(random.normal(0, 0.18, 26), np.ones(3) / 3, "valid"))
    outline = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * half * uneven[:, None]
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    return mask


def blend(random: np.random.Generator, image: np.ndarray, filling: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lay a filling (H, W, 3) over the image where the mask is, with an edge between hard and soft."""
    width_px = int(random.integers(1, 9)) * 2 - 1
    share = cv2.blur(mask, (width_px, width_px)).astype(np.float32)[..., None] / 255.0
    return (image * (1 - share) + filling * share).astype(np.uint8)


def shifted(random: np.random.Generator, image: np.ndarray, hole: np.ndarray, heads: np.ndarray) -> np.ndarray | None:
    """Return the image moved so that what lies under the hole is none of the heads; None where that is nowhere."""
    rows, columns = hole.nonzero()
    if not len(rows):
        return image
    height_px, width_px = hole.shape
    for _ in range(TRIES):
        down = int(random.integers(-rows.min(), height_px - rows.max()))
        across = int(random.integers(-columns.min(), width_px - columns.max()))
        if (heads[rows + down, columns + across] == 0).mean() >= FREE_SHARE:
            return np.roll(image, (-down, -across), axis=(0, 1))
    return None


def patchwork(random: np.random.Generator, image: np.ndarray, hole: np.ndarray, heads: np.ndarray) -> np.ndarray | None:
    """Return a filling of the hole from small pieces of the rest of the picture; None where there is no rest."""
    free_y, free_x = (heads == 0).nonzero()
    if len(free_y) < 0.2 * heads.size:
        return None
    filling, (height_px, width_px) = image.copy(), heads.shape
    rows, columns = hole.nonzero()
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    size_px = max(4, int(random.uniform(0.12, 0.5) * (bottom - top)))
    for y in range(top, bottom, size_px):
        for x in range(left, right, size_px):
            high, wide = min(size_px, height_px - y), min(size_px, width_px - x)
            for _ in range(TRIES):
                pick = random.integers(0, len(free_y))
                from_y, from_x = min(int(free_y[pick]), height_px - high), min(int(free_x[pick]), width_px - wide)
                if not heads[from_y : from_y + high, from_x : from_x + wide].any():
                    filling[y : y + high, x : x + wide] = image[from_y : from_y + high, from_x : from_x + wide]
                    break
            else:
                filling[y : y + high, x : x + wide] = image[free_y[pick], free_x[pick]]
    return filling


def another(random: np.random.Generator, image: np.ndarray, pictures: list[np.ndarray]) -> np.ndarray:
    """Return one of the pictures, cropped and scaled to the image's size."""
    picture = pictures[random.integers(0, len(pictures))]
    height_px, width_px = image.shape[:2]
    share = random.uniform(0.4, 1.0)
    size = np.maximum((np.array(picture.shape[:2]) * share).astype(int), 2)
    y, x = (random.random(2) * (np.array(picture.shape[:2]) - size)).astype(int)
    return cv2.resize(picture[y : y + size[0], x : x + size[1]], (width_px, height_px), interpolation=cv2.INTER_AREA)


def from_behind(
    random: np.random.Generator, image: np.ndarray, points: np.ndarray, backs: list[np.ndarray]
) -> np.ndarray:
    """Lay a head seen from behind (cut-outs (S, S, 4), the head in the middle) over a face, a little larger."""
    back = backs[random.integers(0, len(backs))]
    low, high = points.min(axis=0), points.max(axis=0)
    middle, size_px = (low + high) / 2, (high - low).max() * random.uniform(2.0, 2.5)
    scale = size_px / back.shape[0]
    matrix = np.array([[scale, 0, middle[0] - size_px / 2], [0, scale, middle[1] - size_px * 0.52]])
    laid = cv2.warpAffine(back, matrix, image.shape[1::-1], flags=cv2.INTER_AREA)
    share = laid[..., 3:].astype(np.float32) / 255.0
    return (image * (1 - share) + laid[..., :3] * share).astype(np.uint8)


def without_faces(
    random: np.random.Generator,
    image: np.ndarray,
    points: np.ndarray,
    pictures: list[np.ndarray],
    backs: list[np.ndarray],
) -> np.ndarray:
    """Return a picture with every face gone.

    Args: points (N, P, 2) px of its faces; pictures without faces and heads from behind to fill the holes with.
    """
    heads = np.zeros(image.shape[:2], np.uint8)
    for face in points:
        heads |= head_mask(random, image.shape, face, 1.5)
    result = image
    for face in points:
        hole = head_mask(random, image.shape, face, random.uniform(1.1, 1.5))
        kind, filling = random.random(), None
        if kind < 0.3:
            filling = shifted(random, image, hole, heads)
        elif kind < 0.55:
            filling = patchwork(random, image, hole, heads)
        filling = another(random, image, pictures) if filling is None else filling
        result = blend(random, result, filling, hole)
        if backs and random.random() < 0.4:
            result = from_behind(random, result, face, backs)
    return result


def piece_of_face(random: np.random.Generator, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a cut-out (128, 128, 4) of one eye, a nose, a mouth, or of a face cut into tiles in another order.

    Never both eyes together, nor eyes and mouth in their places: half hidden faces are faces.
    Args: landmarks (468 or more, 2) px.
    """
    kind = random.random()
    if kind < 0.5:
        first, second = ((33, 133), (263, 362), NOSE, MOUTH)[int(kind * 8)]
        middle, across = (
            (landmarks[first] + landmarks[second]) / 2,
            np.linalg.norm(landmarks[second] - landmarks[first]),
        )
        return square_of(random, image, middle, across * random.uniform(*((1.2, 1.9) if kind < 0.25 else (0.95, 1.3))))
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    whole = square_of(random, image, (low + high) / 2, (high - low).max() * random.uniform(0.9, 1.2))
    count = int(random.integers(3, 8))
    tile_px = SIDE_PX // count
    tiles = [(y, x) for y in range(count) for x in range(count)]
    order = random.permutation(len(tiles))
    while np.mean(order == np.arange(len(tiles))) > 0.3:  # a face with two tiles swapped is still a face
        order = random.permutation(len(tiles))
    mixed = whole.copy()
    for number, place in zip(order, tiles, strict=True):
        (from_y, from_x), (y, x) = np.array(tiles[number]) * tile_px, np.array(place) * tile_px
        part = whole[from_y : from_y + tile_px, from_x : from_x + tile_px, :3]
        mixed[y : y + tile_px, x : x + tile_px, :3] = part[:, ::-1] if random.random() < 0.3 else part
    return mixed


def square_of(random: np.random.Generator, image: np.ndarray, middle: np.ndarray, side_px: float) -> np.ndarray:
    """Return the square of a picture round a point as a cut-out (128, 128, 4), oval or with straight edges."""
    matrix = faces.square_matrix(middle, side_px, 0.0, SIDE_PX)
    part = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    mask = np.full((SIDE_PX, SIDE_PX), 255, np.uint8)
    if random.random() < 0.5:
        mask[:] = 0
        sides = (random.uniform(80, 126), random.uniform(60, 126))
        cv2.ellipse(mask, ((SIDE_PX / 2, SIDE_PX / 2), sides, 0.0), 255, -1)
    return np.dstack([part, cv2.blur(mask, (5, 5))])
