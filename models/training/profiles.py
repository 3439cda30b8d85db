"""Turned heads with exact labels: the 3D head model with random people's shapes and labelled photographs' skin.

Gives the yaws from 20 to 80 degrees that the picture sets lack. Runs while `made` builds its folder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.training import faces, head_looks, heads

RENDERED_PX, PICTURE_PX = 360, 240
LOOKS_PER_POSE = 3
YAW_DEG = (15.0, 45.0, 82.0)  # least, most frequent, most
PITCH_DEG, ROLL_DEG = 11.0, 6.0
FRONTAL_DEG = 14.0
CHEEKS = (234, 454)


@dataclass(frozen=True)
class HeadStudio:
    """What renders of the head model need."""

    model: heads.HeadModel
    skin: head_looks.HeadSkin


def open_studio(data: Path) -> HeadStudio:
    """Load the head model of a data folder."""
    model = heads.load_heads(data / "mesh" / "ict_facekit_light_f16.npz")
    mesh = faces.mesh_triangles(data / "mesh" / "canonical_face_model.obj")
    return HeadStudio(model, head_looks.load_skin(model, mesh))


def yaw_deg(landmarks: np.ndarray) -> float:
    """Return how far a face (478, 3) is turned sideways, 0..90, from the depth of its two sides."""
    across = landmarks[CHEEKS[1]] - landmarks[CHEEKS[0]]
    return float(np.degrees(np.arctan2(abs(across[2]), np.hypot(across[0], across[1]))))


def frontal(pictures: Sequence[faces.Labelled]) -> list[faces.Labelled]:
    """Return the pictures whose face looks at the camera, so that both cheeks are seen."""
    return [row for row in pictures if yaw_deg(row.faces[0]) < FRONTAL_DEG]


def random_view(random: np.random.Generator, size_px: int) -> heads.View:
    """Draw a camera whose picture the head fills, turned to one side."""
    yaw_rad = np.radians(random.triangular(*YAW_DEG)) * random.choice([-1, 1])
    pitch_rad, roll_rad = np.radians(random.normal(0, (PITCH_DEG, ROLL_DEG)))
    place = size_px * (0.5 + random.normal(0, 0.03, 2))
    # The face lies before the middle of the head: towards the side it is turned to.
    place[0] -= np.sin(yaw_rad) * size_px * 0.16
    return heads.View(
        yaw_rad, pitch_rad, roll_rad, float(np.exp(random.uniform(np.log(38), np.log(200)))),
        size_px / random.uniform(26, 36), (float(place[0]), float(place[1])),
    )  # fmt: skip


def rendered(
    random: np.random.Generator,
    studio: HeadStudio,
    looks: Sequence[faces.Labelled],
    grounds: Sequence[np.ndarray],
    count: int,
) -> Iterator[faces.Labelled]:
    """Yield `count` pictures (240, 240, 3) of turned heads; each pose wears the skins of three labelled pictures.

    Args: looks: training pictures, looking at the camera; grounds: pictures without faces to stand before.
    """
    scale = PICTURE_PX / RENDERED_PX
    for number in tqdm(range(count), desc="turned heads", mininterval=5):
        source = looks[random.integers(0, len(looks))]
        look = head_looks.random_look(random, source)
        if number % LOOKS_PER_POSE == 0:
            shape = heads.random_shape(random, studio.model, identity=0.85)
            view = random_view(random, RENDERED_PX)
            posed = head_looks.pose(random, studio.model, shape, view, look, RENDERED_PX)
            landmarks = head_looks.landmarks_on(studio.skin, posed.projected)
            landmarks[:, :2] = (landmarks[:, :2] + 0.5) * scale - 0.5
            landmarks[:, 2] *= scale
        ground = cv2.resize(grounds[random.integers(0, len(grounds))], (RENDERED_PX, RENDERED_PX))
        picture = head_looks.paint(random, studio.skin, posed, look, ground)
        picture = cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
        yield faces.Labelled(f"{source.name}/{number}", picture, landmarks[None].copy(), held_out=False)
