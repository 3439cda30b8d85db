"""What scenes are made from: pictures with surroundings, portraits to paste, and backgrounds without faces.

Read once into memory before the detector's training; knows labels, nothing about thumbnails.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.training import faces
from models.training.patches import cut_crop
from models.training.turning import turn_face

STORED_PX = 400  # longer side at which pictures are kept in memory
TURNED_SHARE = 0.3  # of the portraits get a turned copy


@dataclass(frozen=True)
class Scene:
    """A picture with labelled faces, to be moved and scaled as one."""

    image: np.ndarray
    """(H, W, 3) uint8 BGR"""
    points: np.ndarray
    """(N, 468 + 5, 2) float32 px: mesh landmarks, whose box bounds the face, then the five points"""
    complete: bool
    """Every face in it is labelled, so that the picture may serve as a whole."""


@dataclass(frozen=True)
class SceneStock:
    """What scenes are made from."""

    wholes: tuple[Scene, ...]
    """Pictures and clip frames with surroundings"""
    portraits: tuple[Scene, ...]
    """One face each, for pasting"""
    backgrounds: tuple[np.ndarray, ...]
    """(H, W, 3) uint8 BGR without faces"""


def scene_of(labelled: faces.Labelled) -> Scene:
    """Shrink a labelled picture to the stored size."""
    scale = min(1.0, STORED_PX / max(labelled.image.shape[:2]))
    image = cv2.resize(labelled.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mesh = labelled.faces[:, : faces.MESH_LANDMARKS, :2]
    points = np.concatenate([mesh, faces.five_points(labelled.faces)], axis=1) * scale
    complete = labelled.name.split("/")[0] not in faces.PARTLY_LABELLED_CLIPS
    return Scene(image, points.astype(np.float32), complete)


def turned_scene(random: np.random.Generator, labelled: faces.Labelled, triangles: np.ndarray) -> Scene:
    """Return the picture's square part around its face with the face turned by up to 45 degrees."""
    crop, landmarks, _ = cut_crop(labelled.image, labelled.faces[0])
    yaw_rad, pitch_rad = np.radians(random.uniform(-45, 45)), np.radians(random.uniform(-20, 20))
    image, landmarks = turn_face(crop, landmarks, triangles, yaw_rad, pitch_rad)
    return scene_of(faces.Labelled(labelled.name, image, landmarks[None], labelled.held_out))


def without_faces(scene: Scene) -> np.ndarray:
    """Return the picture with every head painted over from its surroundings."""
    small = cv2.resize(scene.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    mask = np.zeros(small.shape[:2], np.uint8)
    for face in scene.points / 2:
        low, high = face.min(axis=0), face.max(axis=0)
        middle, size = (low + high) / 2 - (0, 0.15 * (high - low)[1]), (high - low) * (1.5, 1.7)
        cv2.ellipse(mask, (middle.tolist(), size.tolist(), 0.0), 255, -1)
    filled = cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA)
    return cv2.resize(filled, (scene.image.shape[1], scene.image.shape[0]), interpolation=cv2.INTER_LINEAR)


def build_stock(data: Path, clip_labels: Path, *, held_out: bool, inpainted: int, seed: int) -> SceneStock:
    """Read every training (or held-out) picture and clip frame; `inpainted` of them also become backgrounds."""
    random = np.random.default_rng(seed)
    triangles = faces.mesh_triangles(data / "mesh" / "canonical_face_model.obj")
    wholes, portraits = [], []
    for picture_set in ("generated", "congress", "portraits"):
        for labelled in tqdm(faces.read_pictures(data, picture_set), desc=picture_set, mininterval=5):
            if labelled.held_out == held_out:
                portraits.append(scene_of(labelled))
                if random.random() < TURNED_SHARE:
                    portraits.append(turned_scene(random, labelled, triangles))
    for labelled in tqdm(faces.read_clip_frames(data / "clips", clip_labels), desc="clips", mininterval=5):
        if labelled.held_out == held_out and len(labelled.faces):
            scene = scene_of(labelled)
            wholes += [scene] if scene.complete else []
    sources = [*wholes, *portraits]
    chosen = random.choice(len(sources), min(inpainted, len(sources)), replace=False)
    backgrounds = [without_faces(sources[number]) for number in tqdm(chosen, desc="backgrounds", mininterval=5)]
    return SceneStock(tuple(wholes), tuple(portraits), tuple(backgrounds))
