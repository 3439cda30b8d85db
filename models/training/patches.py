"""The landmarker's samples: a cache of face crops on disk, and jittered, augmented patches cut from it.

Knows the patch geometry and the labels; knows nothing about the network that learns from them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from models.training import augment, faces, lids

PATCH_PX = 128
CROP_PX = 240
CROP_SCALE = 1.8  # crop side / patch side, so that a patch is 133 px of the crop: room for jitter
TURN_YAW_DEG, TURN_PITCH_DEG = 45.0, 20.0
FACELESS_SHARE = 0.67
TAUGHT_DEG = (42.0, 58.0)
TAUGHT_OFF = 0.05  # of the face's longer side


@dataclass(frozen=True)
class CropInfo:
    """What the cache knows of one crop besides pixels and landmarks."""

    name: str
    group: str
    """Picture set or clip family: the unit of sampling weight."""
    held_out: bool


@dataclass(frozen=True)
class PatchCache:
    """Crops ready for training, in memory-mapped files."""

    crops: np.ndarray
    """(N, 240, 240, 3) uint8 BGR"""
    landmarks: np.ndarray
    """(N, 478, 3) float32 px of the crop"""
    corners: np.ndarray
    """(N, 4, 2) float32 px of the crop: the corners of the picture that the crop was cut from"""
    infos: tuple[CropInfo, ...]


def cut_crop(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the upright crop around one face; returns the crop, its landmarks (478, 3) and corners (4, 2)."""
    centre, side_px, angle_rad = faces.patch_square(landmarks)
    matrix = faces.square_matrix(centre, side_px * CROP_SCALE, angle_rad, CROP_PX)
    if side_px * CROP_SCALE > 2 * CROP_PX:  # shrink by area first: bilinear sampling would alias
        shrink = CROP_PX / (side_px * CROP_SCALE)
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        small = move_to_small(matrix, shrink)
        crop = cv2.warpAffine(image, small, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    else:
        shrink = 1.0
        crop = cv2.warpAffine(image, matrix, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    height_px, width_px = np.array(image.shape[:2]) / shrink
    corners = np.array([[0, 0], [width_px, 0], [width_px, height_px], [0, height_px]], np.float32)
    return crop, faces.move_points(landmarks, matrix), faces.move_points(corners, matrix)


def move_to_small(matrix: np.ndarray, shrink: float) -> np.ndarray:
    """Return the (2, 3) matrix for a picture shrunk by area, whose pixel centres lie at shrink * (p + 0.5) - 0.5."""
    grow = np.array([[1 / shrink, 0, 0.5 / shrink - 0.5], [0, 1 / shrink, 0.5 / shrink - 0.5], [0, 0, 1]])
    return matrix @ grow


def labelled_faces(data: Path, clip_labels: Path, picture_sets: list[str]) -> Iterator[tuple[str, faces.Labelled]]:
    """Yield (group, picture) of all picture sets, then of all labelled clips."""
    for picture_set in picture_sets:
        for labelled in faces.read_pictures(data, picture_set):
            yield picture_set, labelled
    for labelled in faces.read_clip_frames(data / "clips", clip_labels):
        yield "clip_" + labelled.name.split("_")[0], labelled


def load_cache(folder: Path) -> PatchCache:
    """Open a cache that build_cache wrote, with the teacher's second look; pixels stay on disk until touched."""
    infos = tuple(CropInfo(**info) for info in json.loads((folder / "infos.json").read_text()))
    landmarks, corners = np.load(folder / "landmarks.npy"), np.load(folder / "corners.npy")
    if (folder / "teacher.npy").exists():
        landmarks = taught(landmarks, np.load(folder / "teacher.npy") + faces.LABEL_SHIFT_PX)
    return PatchCache(np.load(folder / "crops.npy", mmap_mode="r"), landmarks, corners, infos)


def taught(exact: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Return labels (N, 478, 3): the teacher's where it sees well, the exact ones where it does not.

    A turned face's outline lies where the teacher puts it, which is not where the mesh turns to; but the teacher fails
    on profiles. Between TAUGHT_DEG its labels fade out; where it is far off, or NaN, the exact ones stay.
    """
    across = exact[:, 454] - exact[:, 234]
    yaw_deg = np.degrees(np.arctan2(np.abs(across[:, 2]), np.hypot(across[:, 0], across[:, 1])))
    mesh = exact[:, : faces.MESH_LANDMARKS, :2]
    side_px = (mesh.max(axis=1) - mesh.min(axis=1)).max(axis=1)
    off = np.linalg.norm(teacher[..., :2] - exact[..., :2], axis=-1).mean(axis=1) / side_px
    trust = np.clip((TAUGHT_DEG[1] - yaw_deg) / (TAUGHT_DEG[1] - TAUGHT_DEG[0]), 0, 1)
    trust = np.where(np.nan_to_num(off, nan=1.0) < TAUGHT_OFF, trust, 0.0)[:, None, None]
    return (exact + trust * (np.nan_to_num(teacher) - exact)).astype(np.float32)


def sampling_weights(cache: PatchCache, group_shares: dict[str, float]) -> np.ndarray:
    """Return (N,) chances that sum to 1: each group's share spread over its training crops, held-out crops 0."""
    groups = np.array([info.group for info in cache.infos])
    trained = ~np.array([info.held_out for info in cache.infos])
    weights = np.zeros(len(groups))
    for group, share in group_shares.items():
        members = (groups == group) & trained
        if members.any():
            weights[members] = share / members.sum()
    return weights / weights.sum()


def jitter_matrix(random: np.random.Generator, landmarks: np.ndarray, *, astray: bool = False) -> np.ndarray:
    """Return the (2, 3) matrix crop -> patch: near the true square, sometimes far from it, never in it when astray."""
    centre, side_px, angle_rad = faces.patch_square(landmarks)
    if astray:
        way, reach = random.uniform(0, 2 * np.pi), random.uniform(0.55, 0.9)
        shift = np.array([np.cos(way), np.sin(way)]) * reach
        return faces.square_matrix(
            centre + shift * side_px, side_px * np.exp(random.normal(0, 0.3)), random.normal(0, 0.5), PATCH_PX
        )
    wide = random.random() < 0.4
    angle_rad += np.radians(np.clip(random.normal(0, 10.0 if wide else 3.0), -30, 30))
    scale = random.uniform(0.8, 1.3) if wide else np.exp(random.normal(0, 0.04))
    shift = np.clip(random.normal(0, 0.05 if wide else 0.015, 2), -0.14, 0.14)
    return faces.square_matrix(centre + shift * side_px, side_px * scale, angle_rad, PATCH_PX)


def warp_patch(crop: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Cut the (128, 128, 3) patch out of a crop by its (2, 3) matrix."""
    return cv2.warpAffine(crop, matrix, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE)


def unit_landmarks(landmarks: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return landmarks (478, 3) in units of the patch side; times 128 they are px as cv2.warpAffine counts them."""
    return faces.move_points(landmarks, matrix) / PATCH_PX


def mirrored(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Mirror unit landmarks (478, 3) left to right: the first pixel's centre, 0, becomes the last one's, 127 / 128."""
    points = points[mirror]
    points[:, 0] = (PATCH_PX - 1) / PATCH_PX - points[:, 0]
    return points


class PatchDataset(Dataset):
    """Patch number i of an endless, seeded sequence: the same number always gives the same patch."""

    def __init__(
        self,
        cache: PatchCache,
        weights: np.ndarray,
        mirror: np.ndarray,
        seed: int,
        negative_share: float,
        faceless: Callable[[np.random.Generator], np.ndarray] | None = None,
        closed_share: float = 0.0,
    ):
        """Args: weights (N,) chance of each crop; mirror (478,) permutation; negative_share of patches without face;
        faceless: draws two thirds of those, (128, 128, 3); the others are made from crops; closed_share of faces whose
        eyes are closed.
        """
        self.cache, self.mirror, self.seed, self.negative_share = cache, mirror, seed, negative_share
        self.faceless, self.closed_share = faceless, closed_share
        self.cumulative = np.cumsum(weights)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.float32]:
        """Return patch (128, 128, 3) uint8 BGR, landmarks (478, 3) float32 in patch sides, 1 if it shows a face."""
        random = np.random.default_rng((self.seed, number))
        chosen = min(int(np.searchsorted(self.cumulative, random.random())), len(self.cumulative) - 1)
        cache = self.cache
        crop, landmarks, corners = cache.crops[chosen], cache.landmarks[chosen], cache.corners[chosen]
        astray = random.random() < self.negative_share
        if astray and self.faceless is not None and random.random() < FACELESS_SHARE:
            patch = augment.photometric(random, self.faceless(random))
            points = unit_landmarks(landmarks, jitter_matrix(random, landmarks))
            return patch, points.astype(np.float32), np.float32(0)
        if not astray and random.random() < self.closed_share:
            crop, landmarks = lids.closed(random, crop, landmarks)
        if astray and random.random() < 0.75:
            crop = erase_face(random, crop, landmarks)
            matrix = jitter_matrix(random, landmarks)
        else:
            matrix = jitter_matrix(random, landmarks, astray=astray)
        patch = warp_patch(crop, matrix)
        if random.random() < 0.5:
            patch = replace_outside(random, patch, faces.move_points(corners, matrix))
        points = unit_landmarks(landmarks, matrix)
        if random.random() < 0.5:
            patch = np.ascontiguousarray(patch[:, ::-1])
            points = mirrored(points, self.mirror)
        if random.random() < 0.3:
            middle = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
            patch = augment.occlude(random, patch, middle * PATCH_PX, PATCH_PX / faces.PATCH_SCALE)
        return augment.photometric(random, patch), points.astype(np.float32), np.float32(not astray)


def replace_outside(random: np.random.Generator, patch: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Fill what lies outside the original picture (corners (4, 2) px) with a texture."""
    inside = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 255)
    filling = augment.texture(random, *patch.shape[:2])
    return np.where(inside[..., None] > 0, patch, filling)


def erase_face(random: np.random.Generator, crop: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a crop without its face: a texture, its own surroundings shuffled, or the face smoothed or covered."""
    kind = random.integers(0, 4)
    if kind == 0:
        return augment.texture(random, CROP_PX, CROP_PX)
    if kind == 1:  # 12 x 12 tiles in random order: the same colours and edges, no face
        tiles = crop.reshape(12, 20, 12, 20, 3).swapaxes(1, 2).reshape(144, 20, 20, 3)
        tiles = tiles[random.permutation(144)].reshape(12, 12, 20, 20, 3).swapaxes(1, 2)
        return np.ascontiguousarray(tiles.reshape(CROP_PX, CROP_PX, 3))
    outline = cv2.convexHull(np.round(landmarks[list(faces.FACE_OVAL), :2]).astype(np.int32))
    mask = np.zeros((CROP_PX, CROP_PX), np.uint8)
    cv2.fillConvexPoly(mask, outline, 255)
    mask = cv2.blur(cv2.dilate(mask, np.ones((9, 9), np.uint8)), (9, 9)).astype(np.float32)[..., None] / 255.0
    if kind == 2:  # skin without features: the face blurred away
        few_px = int(random.integers(6, 13))
        few = cv2.resize(crop, (few_px, few_px), interpolation=cv2.INTER_AREA)
        filling = cv2.resize(few, (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    else:
        shift = random.integers(CROP_PX // 3, CROP_PX * 2 // 3, 2)
        filling = np.roll(crop, shift, axis=(0, 1)).astype(np.float32)
    return (crop * (1 - mask) + filling * mask).astype(np.uint8)
