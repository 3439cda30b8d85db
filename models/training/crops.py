"""Building the cache of face crops: every labelled face, turned copies of the pictures', and rendered profiles.

Runs once, from `made`; `patches` reads what this writes.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.training import faces, turning
from models.training.patches import TURN_PITCH_DEG, TURN_YAW_DEG, CropInfo, cut_crop, labelled_faces

TURN_DEPTH = (0.75, 1.05)


def build_cache(
    data: Path,
    clip_labels: Path,
    picture_sets: list[str],
    turned: int,
    profiles: Iterable[faces.Labelled],
    folder: Path,
    seed: int,
) -> None:
    """Write the crops of every labelled face, `turned` turned copies of each training picture's, and profiles."""
    random = np.random.default_rng(seed)
    triangles = faces.mesh_triangles(data / "mesh" / "canonical_face_model.obj")
    crops, landmarks, corners, infos = [], [], [], []

    def add(crop: np.ndarray, points: np.ndarray, edges: np.ndarray, info: CropInfo) -> None:
        crops.append(crop)
        landmarks.append(points)
        corners.append(edges)
        infos.append(info)

    for group, labelled in tqdm(labelled_faces(data, clip_labels, picture_sets), desc="crops", mininterval=5):
        for face in labelled.faces:
            crop, points, edges = cut_crop(labelled.image, face)
            add(crop, points, edges, CropInfo(labelled.name, group, labelled.held_out))
            for _ in range(0 if labelled.held_out or group.startswith("clip_") else turned):
                info = CropInfo(labelled.name, f"{group}_turned", held_out=False)
                add(*turned_crop(random, crop, points, triangles), edges, info)
    for labelled in profiles:
        add(*cut_crop(labelled.image, labelled.faces[0]), CropInfo(labelled.name, "profiles", held_out=False))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "crops.npy", np.stack(crops))
    np.save(folder / "landmarks.npy", np.stack(landmarks).astype(np.float32))
    np.save(folder / "corners.npy", np.stack(corners).astype(np.float32))
    (folder / "infos.json").write_text(json.dumps([asdict(info) for info in infos]))


def turned_crop(
    random: np.random.Generator, crop: np.ndarray, points: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop with its face (478, 3) turned at random, and the turned landmarks."""
    yaw_rad = np.radians(random.uniform(-TURN_YAW_DEG, TURN_YAW_DEG))
    pitch_rad = np.radians(random.uniform(-TURN_PITCH_DEG, TURN_PITCH_DEG))
    # Labels exaggerate the depth of some faces: turned with all of it, noses grow long.
    depth = points * (1.0, 1.0, random.uniform(*TURN_DEPTH))
    picture, turned = turning.turn_face(crop, depth, triangles, yaw_rad, pitch_rad)
    turned[:, 2] -= turned[:, 2].mean()  # as the teacher's
    return picture, turned
