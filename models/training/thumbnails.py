"""Geometry of the detector's thumbnails: moving, scaling and cutting pictures and their labelled faces.

Knows pixels and points; `scenes` decides what goes where.
"""

import cv2
import numpy as np

from models.training import faces

WIDTH_PX, HEIGHT_PX = 320, 192
MOST_FACES = 8
SMALLEST_FACE_PX, LARGEST_FACE_PX = 9.0, 175.0  # longer side of the box; smaller ones are not demanded
LEAST_VISIBLE = 0.5  # share of a face that must lie inside the thumbnail to count
WHOLE_THUMBNAIL = (0, 0, WIDTH_PX, HEIGHT_PX)
Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 px of the thumbnail"""


def similarity(scale: float, angle_rad: float, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the (2, 3) matrix that scales, turns and takes the point source to target."""
    linear = np.array([[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]]) * scale
    return np.column_stack([linear, target - linear @ source])


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a (2, 3) matrix to points (N, 2) px."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def region_of(points: np.ndarray, matrix: np.ndarray) -> Region:
    """Return the part of the thumbnail that the points (N, 2) of a picture span; may be empty."""
    moved = move(points, matrix)
    x1, y1 = np.maximum(np.floor(moved.min(axis=0)).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(moved.max(axis=0)).astype(int) + 1, (WIDTH_PX, HEIGHT_PX))
    return int(x1), int(y1), int(x2), int(y2)


def corners_of(picture: np.ndarray) -> np.ndarray:
    """Return the (4, 2) px corners of a picture."""
    height_px, width_px = picture.shape[:2]
    return np.array([[0, 0], [width_px, 0], [width_px, height_px], [0, height_px]])


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


def lay(thumbnail: np.ndarray, region: Region, layer: np.ndarray, cover: np.ndarray) -> None:
    """Lay a layer (h, w, 3) over a region of the thumbnail, in place; cover (h, w) uint8 is its opacity."""
    share = cover.astype(np.float32)[..., None] / 255.0
    part = thumbnail[region[1] : region[3], region[0] : region[2]]
    part[:] = part * (1 - share) + layer * share


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
