"""The detector's samples: thumbnails composed of backgrounds, whole pictures and pasted faces, with exact boxes.

Knows labels and geometry; knows nothing about the network that learns from them.
"""

import cv2
import numpy as np
from torch.utils.data import Dataset

from models.training import augment, faces
from models.training.stock import Scene, SceneStock

WIDTH_PX, HEIGHT_PX = 320, 192
MOST_FACES = 8
SMALLEST_FACE_PX, LARGEST_FACE_PX = 9.0, 175.0  # longer side of the box; smaller ones are not demanded
MOST_OVERLAP = 0.3  # share of a pasted face that an earlier face may cover
LEAST_VISIBLE = 0.5  # share of a face that must lie inside the thumbnail to count


def similarity(scale: float, angle_rad: float, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the (2, 3) matrix that scales, turns and takes the point source to target."""
    linear = np.array([[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]]) * scale
    return np.column_stack([linear, target - linear @ source])


WHOLE_THUMBNAIL = (0, 0, WIDTH_PX, HEIGHT_PX)
Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 px of the thumbnail"""


def region_of(points: np.ndarray, matrix: np.ndarray) -> Region:
    """Return the part of the thumbnail that the points (N, 2) of a picture span; may be empty."""
    moved = move(points, matrix)
    x1, y1 = np.maximum(np.floor(moved.min(axis=0)).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(moved.max(axis=0)).astype(int) + 1, (WIDTH_PX, HEIGHT_PX))
    return int(x1), int(y1), int(x2), int(y2)


def warped(
    image: np.ndarray, matrix: np.ndarray, region: Region = WHOLE_THUMBNAIL, border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    """Warp onto a region of the thumbnail; shrinks by whole steps first, because bilinear sampling would alias."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    halvings = int(max(0, np.floor(-np.log2(scale) + 0.3)))
    if halvings:
        step = 2**halvings
        width_px, height_px = max(image.shape[1] // step, 1), max(image.shape[0] // step, 1)
        ratio = np.array([image.shape[1] / width_px, image.shape[0] / height_px])
        image = cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA)
        matrix = np.column_stack([matrix[:, :2] * ratio, matrix[:, 2] + matrix[:, :2] @ (ratio / 2 - 0.5)])
    x1, y1, x2, y2 = region
    matrix = matrix - np.array([[0, 0, x1], [0, 0, y1]])
    return cv2.warpAffine(image, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderMode=border)


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
        if random.random() < 0.35:
            thumbnail = augment.texture(random, HEIGHT_PX, WIDTH_PX)
        else:
            picture = self.pick(self.stock.backgrounds)
            size = np.array(picture.shape[1::-1])
            fit = max(WIDTH_PX / size[0], HEIGHT_PX / size[1])
            target = np.array([WIDTH_PX, HEIGHT_PX]) * random.uniform(0.35, 0.65, 2)
            thumbnail = warped(picture, similarity(fit * random.uniform(0.8, 2.0), roll(random), size / 2, target))
        if random.random() < 0.3:
            self.clutter(thumbnail)
        if random.random() < 0.4:  # hands and things that cover no face, so that they do not stand for one
            for _ in range(int(random.integers(1, 5))):
                middle = random.uniform((0, 0), (WIDTH_PX, HEIGHT_PX))
                thumbnail = augment.occlude(random, thumbnail, middle, np.exp(random.uniform(np.log(20), np.log(200))))
        return thumbnail

    def clutter(self, thumbnail: np.ndarray) -> None:
        """Lay 3 to 20 pieces of other backgrounds into the thumbnail, turned, at any scale."""
        random = self.random
        for _ in range(int(random.integers(3, 21))):
            picture = self.pick(self.stock.backgrounds)
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
        height_px, width_px = mask.shape
        corners = np.array([[0, 0], [width_px, 0], [width_px, height_px], [0, height_px]])
        x1, y1, x2, y2 = region = region_of(corners, matrix)
        if x1 >= x2 or y1 >= y2:
            return
        cover = warped(mask, matrix, region, cv2.BORDER_CONSTANT)
        for other in self.found:
            x, y = np.round(other[::4]).astype(int).T
            inside = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
            if (cover[y[inside] - y1, x[inside] - x1] > 64).sum() > MOST_OVERLAP * len(x):
                return
        self.found.append(move(face, matrix))
        share = cover.astype(np.float32)[..., None] / 255.0
        part = thumbnail[y1:y2, x1:x2]
        part[:] = part * (1 - share) + warped(scene.image, matrix, region) * share

    def compose(self) -> np.ndarray:
        """Return a (192, 320, 3) uint8 BGR thumbnail; its faces are in self.found."""
        random = self.random
        if random.random() < 0.45:
            thumbnail = self.whole()
            pasted = int(random.random() < 0.35) + int(random.random() < 0.2)
        else:
            thumbnail = self.background()
            pasted = int(random.choice([0, 1, 2, 3, 4, 5], p=[0.12, 0.3, 0.25, 0.15, 0.1, 0.08]))
        for _ in range(pasted):
            self.paste(thumbnail)
        for points in self.found:
            if random.random() < 0.2:
                middle, size_px = points.mean(axis=0), float((points.max(axis=0) - points.min(axis=0)).max())
                thumbnail = augment.occlude(random, thumbnail, middle, size_px)
        return augment.photometric(random, thumbnail)


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a (2, 3) matrix to points (N, 2) px."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def mirrored(thumbnail: np.ndarray, found: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Flip a thumbnail left to right; the five points swap sides."""
    swap = [*range(faces.MESH_LANDMARKS), *(faces.MESH_LANDMARKS + np.array([1, 0, 2, 4, 3]))]
    flipped = [(points * (-1, 1) + (WIDTH_PX - 1, 0))[swap] for points in found]
    return np.ascontiguousarray(thumbnail[:, ::-1]), flipped


def letterboxed(random: np.random.Generator, thumbnail: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Blacken the right or the bottom, as a frame of another aspect leaves it; returns also the size that stays."""
    width_px, height_px = WIDTH_PX, HEIGHT_PX
    if random.random() < 0.5:
        width_px = int(random.integers(WIDTH_PX * 3 // 5, WIDTH_PX))
    else:
        height_px = int(random.integers(HEIGHT_PX * 3 // 4, HEIGHT_PX))
    thumbnail[:, width_px:] = 0
    thumbnail[height_px:] = 0
    return thumbnail, (width_px, height_px)


def targets(found: list[np.ndarray], picture_size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (8, 4) and points (8, 5, 2) px, NaN where there is no further face.

    A face too small or too far outside to be demanded has a box but no points: it counts neither way.
    Args: picture_size_px: width and height that the picture fills.
    """
    boxes = np.full((MOST_FACES, 4), np.nan, np.float32)
    five = np.full((MOST_FACES, 5, 2), np.nan, np.float32)
    row = 0
    for points in found[:MOST_FACES]:
        mesh = points[: faces.MESH_LANDMARKS]
        low, high = mesh.min(axis=0), mesh.max(axis=0)
        visible = ((mesh >= 0) & (mesh < picture_size_px)).all(axis=1).mean()
        if visible == 0.0:
            continue
        boxes[row] = [*low, *high]
        if visible >= LEAST_VISIBLE and (high - low).max() >= SMALLEST_FACE_PX:
            five[row] = points[faces.MESH_LANDMARKS :]
        row += 1
    return boxes, five


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
