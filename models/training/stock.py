"""What scenes are made from: pictures with surroundings, portraits to paste, and everything that shows no face.

Read once into memory before the detector's training; knows labels, nothing about thumbnails.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.training import faces, patches
from models.training.negatives import Negatives, load

STORED_PX = 400  # longer side at which pictures are kept in memory
TURNED_SHARE = 0.3  # of the portraits' turned copies are used
HELD_OUT_NEGATIVES = 10  # every tenth of them is kept for validation


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
    negatives: Negatives


def scene_of(labelled: faces.Labelled) -> Scene:
    """Shrink a labelled picture to the stored size."""
    scale = min(1.0, STORED_PX / max(labelled.image.shape[:2]))
    image = cv2.resize(labelled.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mesh = labelled.faces[:, : faces.MESH_LANDMARKS, :2]
    points = np.concatenate([mesh, faces.five_points(labelled.faces)], axis=1) * scale
    complete = labelled.name.split("/")[0] not in faces.PARTLY_LABELLED_CLIPS
    return Scene(image, points.astype(np.float32), complete)


def turned_scenes(random: np.random.Generator, cache: patches.PatchCache) -> list[Scene]:
    """Return the rendered profiles of a cache, and some of its turned copies."""
    scenes = []
    for number, info in enumerate(cache.infos):
        if info.group == "profiles" or (info.group.endswith("_turned") and random.random() < TURNED_SHARE):
            crop, landmarks = np.ascontiguousarray(cache.crops[number]), cache.landmarks[number]
            scenes.append(scene_of(faces.Labelled(info.name, crop, landmarks[None], info.held_out)))
    return scenes


def part_of(negatives: Negatives, *, held_out: bool) -> Negatives:
    """Return every tenth of the negatives, or the others."""
    pictures, things = (
        tuple(value for number, value in enumerate(values) if (number % HELD_OUT_NEGATIVES == 0) == held_out)
        for values in (negatives.pictures, negatives.things)
    )
    return Negatives(pictures, things)


def build_stock(data: Path, clip_labels: Path, made: Path, *, held_out: bool, seed: int) -> SceneStock:
    """Read every training (or held-out) picture and clip frame, and what made.py made."""
    random = np.random.default_rng(seed)
    wholes, portraits = [], []
    for picture_set in ("generated", "congress", "portraits"):
        for labelled in tqdm(faces.read_pictures(data, picture_set), desc=picture_set, mininterval=5):
            if labelled.held_out == held_out:
                portraits.append(scene_of(labelled))
    if not held_out:
        portraits += turned_scenes(random, patches.load_cache(made / "patches"))
    for labelled in tqdm(faces.read_clip_frames(data / "clips", clip_labels), desc="clips", mininterval=5):
        if labelled.held_out == held_out and len(labelled.faces):
            scene = scene_of(labelled)
            wholes += [scene] if scene.complete else []
    return SceneStock(tuple(wholes), tuple(portraits), part_of(load(made / "negatives.npz"), held_out=held_out))
