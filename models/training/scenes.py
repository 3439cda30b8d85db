"""The detector's samples: thumbnails composed of backgrounds, whole pictures and pasted faces, with exact boxes.

Knows labels and what lies where; knows nothing about the network that learns from them.
"""

import cv2
import numpy as np
from torch.utils.data import Dataset

from models.training import augment
from models.training.stock import Scene, SceneStock
from models.training.thumbnails import (
    HEIGHT_PX,
    LARGEST_FACE_PX,
    SMALLEST_FACE_PX,
    WIDTH_PX,
    corners_of,
    lay,
    letterboxed,
    mirrored,
    move,
    region_of,
    similarity,
    targets,
    warped,
)

FACELESS_SHARE = 0.4
"""Of the thumbnails show no face at all"""
WHOLE_SHARE = 0.5
"""Of the others start from a whole picture with its own faces"""
MOST_OVERLAP = 0.3  # share of a pasted face that an earlier face may cover
MOST_HIDDEN = 0.08  # share of a face that a thing lying about may cover
THINGS_PX = (8.0, 220.0)


def face_scale(random: np.random.Generator, points: np.ndarray) -> float:
    """Draw a scale that makes a face (473, 2) px between the smallest and the largest size, evenly in its logarithm."""
    size_px = (points.max(axis=0) - points.min(axis=0)).max()
    return float(np.exp(random.uniform(np.log(SMALLEST_FACE_PX + 1), np.log(LARGEST_FACE_PX))) / size_px)


def roll(random: np.random.Generator) -> float:
    """Draw an in-plane rotation, rad: mostly slight, sometimes up to 45 degrees."""
    return float(np.radians(random.uniform(-45, 45) if random.random() < 0.25 else random.normal(0, 6)))


def paste_mask(random: np.random.Generator, scene: Scene) -> np.ndarray:
    """Return the (H, W) uint8 mask of what is pasted: the whole picture, as on a wall or screen, or the head softly."""
    mask = np.zeros(scene.image.shape[:2], np.uint8)
    if random.random() < 0.4:
        mask[2:-2, 2:-2] = 255
        return mask
    low, high = scene.points[0].min(axis=0), scene.points[0].max(axis=0)
    middle = (low + high) / 2 - (0, 0.1 * (high - low)[1])
    size = (high - low) * random.uniform((1.2, 1.25), (1.6, 1.7))
    cv2.ellipse(mask, (middle.tolist(), size.tolist(), 0.0), 255, -1)
    return cv2.blur(mask, (9, 9))


class Composer:
    """Makes one thumbnail with its faces from a stock and a random generator."""

    def __init__(self, stock: SceneStock, random: np.random.Generator):
        self.stock, self.random = stock, random
        self.found: list[np.ndarray] = []  # (473, 2) px each

    def pick(self, scenes: tuple) -> Scene | np.ndarray:
        """Draw one of a tuple."""
        return scenes[self.random.integers(0, len(scenes))]

    def background(self) -> np.ndarray:
        """Return a thumbnail without faces."""
        random = self.random
        if random.random() < 0.15:
            thumbnail = augment.texture(random, HEIGHT_PX, WIDTH_PX)
        else:
            picture = self.pick(self.stock.negatives.pictures)
            size = np.array(picture.shape[1::-1])
            fit = max(WIDTH_PX / size[0], HEIGHT_PX / size[1])
            target = np.array([WIDTH_PX, HEIGHT_PX]) * random.uniform(0.35, 0.65, 2)
            thumbnail = warped(picture, similarity(fit * random.uniform(0.8, 2.0), roll(random), size / 2, target))
        if random.random() < 0.25:
            self.clutter(thumbnail)
        return thumbnail

    def clutter(self, thumbnail: np.ndarray) -> None:
        """Lay 3 to 20 pieces of other backgrounds into the thumbnail, turned, at any scale."""
        random = self.random
        for _ in range(int(random.integers(3, 21))):
            picture = self.pick(self.stock.negatives.pictures)
            width_px, height_px = np.exp(random.uniform(np.log(8), np.log(120), 2)).astype(int)
            x, y = random.integers(0, WIDTH_PX - 4), random.integers(0, HEIGHT_PX - 4)
            region = (int(x), int(y), min(int(x + width_px), WIDTH_PX), min(int(y + height_px), HEIGHT_PX))
            source = random.uniform(0.1, 0.9, 2) * picture.shape[1::-1]
            matrix = similarity(
                np.exp(random.normal(-0.7, 0.7)), random.uniform(-np.pi, np.pi), source, np.array([x, y])
            )
            thumbnail[region[1] : region[3], region[0] : region[2]] = warped(
                picture, matrix, region, cv2.BORDER_REFLECT_101
            )

    def strew(self, thumbnail: np.ndarray, count: int) -> None:
        """Lay things that are no faces into the thumbnail, at the sizes faces have, beside the faces in it."""
        random = self.random
        for _ in range(count):
            thing = self.pick(self.stock.negatives.things)
            size_px = np.exp(random.uniform(*np.log(THINGS_PX)))
            angle_rad = roll(random) if random.random() < 0.7 else random.uniform(-np.pi, np.pi)
            target = random.uniform((0, 0), (WIDTH_PX, HEIGHT_PX))
            matrix = similarity(size_px / len(thing), angle_rad, np.full(2, len(thing) / 2), target)
            if random.random() < 0.5:
                matrix = matrix @ np.array([[-1, 0, len(thing) - 1], [0, 1, 0], [0, 0, 1]])
            region = region_of(corners_of(thing), matrix)
            if region[0] >= region[2] or region[1] >= region[3]:
                continue
            laid = warped(thing, matrix, region, cv2.BORDER_CONSTANT)
            if self.hidden(region, laid[..., 3]) <= MOST_HIDDEN:
                lay(thumbnail, region, laid[..., :3], laid[..., 3])

    def hidden(self, region: tuple[int, int, int, int], cover: np.ndarray) -> float:
        """Return the largest share of any face that a cover (h, w) uint8 over a region would hide."""
        most = 0.0
        for points in self.found:
            x, y = np.round(points[::4]).astype(int).T
            inside = (x >= region[0]) & (x < region[2]) & (y >= region[1]) & (y < region[3])
            share = (cover[y[inside] - region[1], x[inside] - region[0]] > 64).sum() / len(x)
            most = max(most, float(share))
        return most

    def whole(self) -> np.ndarray:
        """Return a picture with its own faces, scaled and shifted as one."""
        random = self.random
        scene = self.pick(self.stock.wholes if random.random() < 0.55 else self.stock.portraits)
        face = scene.points[random.integers(0, len(scene.points))]
        size = np.array(scene.image.shape[1::-1])
        if random.random() < 0.5:  # as a camera frames it
            scale = min(WIDTH_PX / size[0], HEIGHT_PX / size[1]) * random.uniform(0.85, 1.6)
            source, target = size / 2, np.array([WIDTH_PX, HEIGHT_PX]) * random.uniform(0.35, 0.65, 2)
        else:
            scale, source = face_scale(random, face), face.mean(axis=0)
            target = np.array([WIDTH_PX, HEIGHT_PX]) * random.uniform(0.1, 0.9, 2)
        matrix = similarity(scale, roll(random), source, target)
        self.found += [move(points, matrix) for points in scene.points]
        picture = warped(scene.image, matrix)
        if random.random() < 0.5:
            inside = warped(np.full(scene.image.shape[:2], 255, np.uint8), matrix, border=cv2.BORDER_CONSTANT)
            picture = np.where(inside[..., None] > 127, picture, self.background())
        return picture

    def paste(self, thumbnail: np.ndarray) -> None:
        """Paste one portrait into the thumbnail, unless it would hide an earlier face."""
        random = self.random
        scene = self.pick(self.stock.portraits)
        face = scene.points[0]
        target = np.array([WIDTH_PX, HEIGHT_PX]) * random.uniform(0.0, 1.0, 2)
        matrix = similarity(face_scale(random, face) * 0.7, roll(random), face.mean(axis=0), target)
        mask = paste_mask(random, scene)
        region = region_of(corners_of(mask), matrix)
        if region[0] >= region[2] or region[1] >= region[3]:
            return
        cover = warped(mask, matrix, region, cv2.BORDER_CONSTANT)
        if self.hidden(region, cover) <= MOST_OVERLAP:
            self.found.append(move(face, matrix))
            lay(thumbnail, region, warped(scene.image, matrix, region), cover)

    def faceless(self) -> np.ndarray:
        """Return a (192, 320, 3) uint8 BGR thumbnail without any face."""
        thumbnail = self.background()
        self.strew(thumbnail, int(self.random.integers(0, 9)))
        return augment.photometric(self.random, thumbnail)

    def compose(self) -> np.ndarray:
        """Return a (192, 320, 3) uint8 BGR thumbnail; its faces are in self.found."""
        random, pasted = self.random, 0
        if random.random() < FACELESS_SHARE:
            return self.faceless()
        if random.random() < WHOLE_SHARE:
            thumbnail = self.whole()
            pasted = int(random.random() < 0.35) + int(random.random() < 0.2)
        else:
            thumbnail = self.background()
            pasted = int(random.choice([1, 2, 3, 4, 5], p=[0.35, 0.27, 0.18, 0.11, 0.09]))
        for _ in range(pasted):
            self.paste(thumbnail)
        for points in self.found:
            if random.random() < 0.2:
                middle, size_px = points.mean(axis=0), float((points.max(axis=0) - points.min(axis=0)).max())
                thumbnail = augment.occlude(random, thumbnail, middle, size_px)
        if random.random() < 0.5:
            self.strew(thumbnail, int(random.integers(1, 4)))
        return augment.photometric(random, thumbnail)


class SceneDataset(Dataset):
    """Thumbnail number i of an endless, seeded sequence: the same number always gives the same thumbnail."""

    def __init__(self, stock: SceneStock, seed: int):
        self.stock, self.seed = stock, seed

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return thumbnail (192, 320, 3) uint8 BGR, boxes (8, 4), points (8, 5, 2) float32 px; see targets."""
        random = np.random.default_rng((self.seed, number))
        composer = Composer(self.stock, random)
        thumbnail, found = composer.compose(), composer.found
        if random.random() < 0.5:
            thumbnail, found = mirrored(thumbnail, found)
        size_px = (WIDTH_PX, HEIGHT_PX)
        if random.random() < 0.35:
            thumbnail, size_px = letterboxed(random, thumbnail)
        return thumbnail, *targets(found, size_px)
