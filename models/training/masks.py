"""The masker's samples: a cache of labelled face crops on disk, and jittered, covered, augmented patches cut from it.

Knows the patch geometry, labels and covers; knows nothing about the network that learns from them.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from models.training import augment, clothes, covers, cutouts, faces, glasses, limbs, locks, patches, turning
from models.training.covers import SIDE_PX, Patch
from models.training.mask_labels import Teacher, clean, disc
from models.training.patches import CropInfo

SIDES = 1.5  # patch side / longer side of the upright box of the mesh
RISE = 0.06  # of the same side: the patch lies higher than the mesh, for the forehead
HANDS_AT_FACES = "clip_intel"  # the teacher takes hands for faces
STRANGE_LEVELS, STRANGE_REACH_PX = 28, 5  # away from the clip's median face: something is before it
MOST_HAIR = 500
COVER_SHARE = 0.7  # of the samples
COVER_COUNTS = (0.7, 0.25, 0.05)
CHANCES = {
    "glasses": 0.17, "strands": 0.11, "wig": 0.2, "face_mask": 0.06, "scarf": 0.04, "hat": 0.08,
    "microphone": 0.05, "stick": 0.05, "thing": 0.08, "real_hand": 0.08, "drawn_hand": 0.08,
}  # fmt: skip
"""In the order in which they are laid: from the skin outwards."""


@dataclass(frozen=True)
class MaskCache:
    """Labelled crops ready for training; the large arrays are memory-mapped files."""

    crops: np.ndarray
    """(N, 240, 240, 3) uint8 BGR"""
    labels: np.ndarray
    """(N, 240, 240) uint8 0..255: visible face"""
    weights: np.ndarray
    """(N, 240, 240) uint8 0..255: how much the label weighs"""
    landmarks: np.ndarray
    """(N, 478, 3) float32 px of the crop"""
    corners: np.ndarray
    """(N, 4, 2) float32 px of the crop: the corners of the picture it was cut from"""
    hair: np.ndarray
    """(H, 240, 240, 4) uint8: hair in its place"""
    hair_landmarks: np.ndarray
    """(H, 478, 2) float32 px of the faces it grew over"""
    hands: np.ndarray
    """(K, 128, 128, 4) uint8"""
    infos: tuple[CropInfo, ...]


def mask_square(landmarks: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return (centre (2,) px, side px, angle rad) of the masker's patch of one face."""
    centre, side_px, angle_rad = faces.patch_square(landmarks)
    mesh_px = side_px / faces.PATCH_SCALE
    up = np.array([np.sin(angle_rad), -np.cos(angle_rad)])
    return centre + up * RISE * mesh_px, mesh_px * SIDES, angle_rad


def strange(crops: np.ndarray) -> np.ndarray:
    """Return (N, S, S) bool: where aligned crops (N, S, S, 3) of one clip differ from their median."""
    usual = cv2.GaussianBlur(np.median(crops, axis=0).astype(np.float32), (0, 0), 2)
    away = [np.abs(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), 2) - usual).max(axis=2) for crop in crops]
    return np.stack([cv2.dilate((a > STRANGE_LEVELS).astype(np.uint8), disc(STRANGE_REACH_PX)) > 0 for a in away])


def doubt_hands(rows: dict[str, list], infos: list[CropInfo]) -> None:
    """Take the weight from what passes before the faces of the signers' clips."""
    clips = {info.name.split("/")[0] for info in infos if info.group == HANDS_AT_FACES}
    for clip in clips:
        numbers = [i for i, info in enumerate(infos) if info.name.split("/")[0] == clip]
        hidden = strange(np.stack([rows["crops"][i] for i in numbers]))
        for number, where in zip(numbers, hidden, strict=True):
            rows["weights"][number][where] = 0


def turned_row(random: np.random.Generator, row: dict[str, np.ndarray], triangles: np.ndarray) -> dict[str, np.ndarray]:
    """Return a labelled crop with its face turned, the label with it."""
    yaw_rad = np.radians(random.uniform(-patches.TURN_YAW_DEG, patches.TURN_YAW_DEG))
    pitch_rad = np.radians(random.uniform(-patches.TURN_PITCH_DEG, patches.TURN_PITCH_DEG))
    crop, landmarks = turning.turn_face(row["crops"], row["landmarks"], triangles, yaw_rad, pitch_rad)
    flat = np.dstack([row["labels"], row["weights"]])
    flat, _ = turning.turn_face(flat, row["landmarks"], triangles, yaw_rad, pitch_rad)
    label, weight = np.ascontiguousarray(flat[..., 0]), np.where(flat[..., 1] > 127, 255, 0).astype(np.uint8)
    return {**row, "crops": crop, "labels": label, "weights": weight, "landmarks": landmarks}


def labelled_rows(
    data: Path, clip_labels: Path, config: dict, random: np.random.Generator, threads: int
) -> Iterator[tuple[dict[str, np.ndarray], CropInfo]]:
    """Yield every labelled face, and a turned copy of each training picture's, as (arrays of the cache, info)."""
    teacher = Teacher(data / "teachers" / "face_skin_unet256.onnx", threads)
    triangles = faces.mesh_triangles(data / "mesh" / "canonical_face_model.obj")
    for group, labelled in patches.labelled_faces(data, clip_labels, config["picture_sets"]):
        for face in labelled.faces:
            crop, landmarks, corners = patches.cut_crop(labelled.image, face)
            opinion = teacher.label(crop, landmarks, config["looks"].get(group, 3))
            label, weight = clean(opinion, crop, landmarks)
            row = {"crops": crop, "labels": label, "weights": weight, "landmarks": landmarks, "corners": corners}
            yield row, CropInfo(labelled.name, group, labelled.held_out)
            if not labelled.held_out and not group.startswith("clip_"):
                turned = CropInfo(labelled.name, f"{group}_turned", held_out=False)
                yield turned_row(random, row, triangles), turned


def build_cache(data: Path, clip_labels: Path, config: dict, folder: Path, seed: int, threads: int) -> None:
    """Label every face, cut out hair and hands, and write the cache's files; the last one says that it is whole."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("crops", "labels", "weights", "landmarks", "corners")}
    infos: list[CropInfo] = []
    hair, hair_landmarks = [], []
    for row, info in tqdm(labelled_rows(data, clip_labels, config, random, threads), desc="faces", mininterval=10):
        for name, values in rows.items():
            values.append(row[name])
        infos.append(info)
        if info.group in config["hair_from"] and not info.held_out:
            cut_out = cutouts.hair_of(row["crops"], row["labels"], row["landmarks"], row["corners"])
            if cut_out is not None:
                hair.append(cut_out)
                hair_landmarks.append(row["landmarks"][:, :2])
    doubt_hands(rows, infos)
    hands = cutouts.hands_of(faces.read_clip_frames(data / "clips", clip_labels, pattern=config["hands_from"]))
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in rows.items():
        kind = np.uint8 if values[0].dtype == np.uint8 else np.float32
        np.save(folder / f"{name}.npy", np.stack(values).astype(kind, copy=False))
    chosen = random.permutation(len(hair))[:MOST_HAIR]
    np.save(folder / "hair.npy", np.stack([hair[i] for i in chosen]))
    np.save(folder / "hair_landmarks.npy", np.stack([hair_landmarks[i] for i in chosen]).astype(np.float32))
    np.save(folder / "hands.npy", hands)
    (folder / "infos.json").write_text(json.dumps([asdict(info) for info in infos]))


def load_cache(folder: Path) -> MaskCache:
    """Open a cache that build_cache wrote; pixels stay on disk until touched."""
    infos = tuple(CropInfo(**info) for info in json.loads((folder / "infos.json").read_text()))
    names = ("crops", "labels", "weights", "landmarks", "corners", "hair", "hair_landmarks", "hands")
    return MaskCache(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names), infos)


def jitter_matrix(random: np.random.Generator, landmarks: np.ndarray) -> np.ndarray:
    """Return the (2, 3) matrix crop -> patch: off the true square as far as a landmarker errs, sometimes farther."""
    centre, side_px, angle_rad = mask_square(landmarks)
    wide = random.random() < 0.3
    angle_rad += np.radians(np.clip(random.normal(0, 7.0 if wide else 2.0), -20, 20))
    scale = random.uniform(0.86, 1.2) if wide else np.exp(random.normal(0, 0.03))
    shift = np.clip(random.normal(0, 0.035 if wide else 0.012, 2), -0.1, 0.1)
    return faces.square_matrix(centre + shift * side_px, side_px * scale, angle_rad, SIDE_PX)


def with_covers(random: np.random.Generator, patch: Patch, cache: MaskCache) -> Patch:
    """Return a patch with one to three different covers."""
    chances = np.array(list(CHANCES.values()))
    count = 1 + random.choice(len(COVER_COUNTS), p=COVER_COUNTS)
    chosen = random.choice(len(chances), count, replace=False, p=chances / chances.sum())
    plain = {"face_mask": clothes.face_mask, "scarf": clothes.scarf, "hat": clothes.hat, "thing": covers.thing}
    plain |= {"microphone": covers.microphone, "stick": covers.stick, "glasses": glasses.glasses}
    plain |= {"strands": locks.strands, "drawn_hand": limbs.drawn_hand}
    for name in (list(CHANCES)[number] for number in sorted(chosen)):
        if name == "wig":
            cover = locks.wig(random, patch, cache.hair, cache.hair_landmarks)
        elif name == "real_hand":
            cover = limbs.real_hand(random, patch, cache.hands)
        else:
            cover = plain[name](random, patch)
        patch = covers.lay(random, patch, cover)
    return patch


def outside_filled(random: np.random.Generator, patch: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return a patch whose part outside the picture is black, as a frame's edge is at run time, or a texture."""
    filling = np.zeros_like(patch) if random.random() < 0.5 else augment.texture(random, SIDE_PX, SIDE_PX)
    return np.where(outside[..., None], filling, patch)


class MaskDataset(Dataset):
    """Patch number i of an endless, seeded sequence: the same number always gives the same patch."""

    def __init__(self, cache: MaskCache, weights: np.ndarray, mirror: np.ndarray, seed: int):
        """Args: weights (N,) chance of each crop; mirror (478,) permutation."""
        self.cache, self.mirror, self.seed = cache, mirror, seed
        self.cumulative = np.cumsum(weights)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return patch (128, 128, 3) uint8 BGR, label and its weight (128, 128) uint8 0..255."""
        random = np.random.default_rng((self.seed, number))
        chosen = min(int(np.searchsorted(self.cumulative, random.random())), len(self.cumulative) - 1)
        patch = self.cut(random, chosen, jitter_matrix(random, self.cache.landmarks[chosen]))
        if random.random() < COVER_SHARE:
            patch = with_covers(random, patch, self.cache)
        return augment.photometric(random, patch.image), *as_bytes(patch)

    def cut(self, random: np.random.Generator, number: int, matrix: np.ndarray) -> Patch:
        """Return the patch of crop `number`, mirrored half of the time."""
        cache, size = self.cache, (SIDE_PX, SIDE_PX)
        image = cv2.warpAffine(cache.crops[number], matrix, size, borderMode=cv2.BORDER_REPLICATE)
        face, trust = (cv2.warpAffine(layer[number], matrix, size) for layer in (cache.labels, cache.weights))
        corners = faces.move_points(cache.corners[number], matrix)
        inside = np.zeros(size, np.uint8)
        cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
        outside = inside == 0
        if random.random() < 0.6:
            image = outside_filled(random, image, outside)
        face[outside], trust[outside] = 0, 255
        landmarks = faces.move_points(cache.landmarks[number], matrix)[:, :2]
        if random.random() < 0.5:
            image, face, trust = (np.ascontiguousarray(layer[:, ::-1]) for layer in (image, face, trust))
            landmarks = landmarks[self.mirror] * (-1, 1) + (SIDE_PX - 1, 0)
        share = np.float32(1 / 255)
        return Patch(image, face * share, trust * share, landmarks.astype(np.float32))


def as_bytes(patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    """Return label and weight of a patch, (128, 128) uint8 0..255 each."""
    return np.round(patch.face * 255).astype(np.uint8), np.round(patch.trust * 255).astype(np.uint8)
