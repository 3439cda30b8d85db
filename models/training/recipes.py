"""Which generated faces make each of the bundled people: first stage of composites.py, before any averaging."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.training.faces import LABEL_FRACTION, MESH_LANDMARKS, eye_distance_px
from models.training.portrait_finish import LUMA

SOURCE_PX = 256


@dataclass(frozen=True)
class Recipe:
    """Which generated faces make a person."""

    name: str
    folder: str
    """The publisher's own label in `origin`: sex, group."""
    lean: tuple[tuple[str, float], ...] = ()
    """Traits and their weight: the candidates with the highest weighted sum of z-scores are taken."""
    share: float = 1.0
    """Share of the candidates that remains after leaning."""
    faces: int = 44
    """At most so many, the most typical of the rest."""


RECIPES = (
    Recipe("ada", "female/white", (("hair_light", -0.6), ("hair_long", 1.0), ("narrow", 0.6)), 0.2),
    Recipe("amara", "female/black"),
    Recipe("bruno", "male/latino", (("narrow", -1.0), ("beard", 0.5)), 0.75, 40),
    Recipe("chen", "male/asian"),
    Recipe("dalia", "female/latino", (("hair_long", 1.0), ("narrow", 0.5)), 0.65, 44),
    Recipe("emeka", "male/black"),
    Recipe("freya", "female/white", (("hair_light", 1.5),), 0.09, 44),
    Recipe("goran", "male/white", (("beard", 1.0), ("narrow", -0.3)), 0.18),
    Recipe("hana", "female/asian"),
    Recipe("ines", "female/white", (("hair_long", -1.0), ("narrow", -1.0)), 0.15),
    Recipe("jonas", "male/white", (("hair_light", 1.0), ("beard", -0.6), ("narrow", 0.6)), 0.2),
    Recipe("luis", "male/white", (("hair_light", -1.0), ("narrow", 0.8), ("eyes", -0.5)), 0.2),
)


def read_generated(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return file names (N,), landmarks (N, 478, 3) float32 px and the publisher's folder (N,) of the usable faces.

    Usable: lips together (gap under 5 % of the eye distance) and turned by less than 10 degrees.
    """
    labels = np.load(folder / "labels.npz", allow_pickle=False)
    faces = labels["landmarks"].astype(np.float32) / LABEL_FRACTION
    gap = np.linalg.norm(faces[:, 13, :2] - faces[:, 14, :2], axis=1) / eye_distance_px(faces)
    across = faces[:, 263] - faces[:, 33]
    turned_deg = np.degrees(np.arctan2(across[:, 2], across[:, 0]))
    usable = (gap < 0.05) & (np.abs(turned_deg) < 10)
    sex_and_group = np.array(["/".join(origin.split("__")[1:3]) for origin in labels["origin"]])
    return labels["name"][usable], faces[usable], sex_and_group[usable]


def traits(images: list[np.ndarray], faces: np.ndarray) -> dict[str, np.ndarray]:
    """Measure what recipes can lean on: {trait: (N,) z-scores} of (256, 256, 3) pictures aligned by their eyes."""
    luma = np.stack([cv2.GaussianBlur(image, (0, 0), 2) @ LUMA for image in images])
    rows = np.arange(len(images))

    def at(points: np.ndarray) -> np.ndarray:  # (N, K, 2) px -> (N,) mean luma there
        x, y = np.clip(np.rint(points), 0, SOURCE_PX - 1).astype(int).transpose(2, 0, 1)
        return luma[rows[:, None], y, x].mean(axis=1)

    across = eye_distance_px(faces)
    hair = faces[:, [109, 10, 338], :2] - np.array([0, 0.3]) * across[:, None, None]
    beside = np.stack(
        [faces[:, 58, :2] - [0.32, 0] * across[:, None], faces[:, 288, :2] + [0.32, 0] * across[:, None]], 1
    )
    cheeks, jaw = at(faces[:, [50, 280], :2]), at(faces[:, [135, 364, 170, 395, 18], :2])
    measured = {
        "hair_light": at(hair),
        "hair_long": -at(beside),
        "beard": cheeks - jaw,
        "narrow": -np.linalg.norm(faces[:, 234, :2] - faces[:, 454, :2], axis=1)
        / np.linalg.norm(faces[:, 10, :2] - faces[:, 152, :2], axis=1),
        "eyes": np.linalg.norm(faces[:, 159, :2] - faces[:, 145, :2], axis=1) / across,
    }
    return {trait: (values - values.mean()) / values.std() for trait, values in measured.items()}


def choose(recipe: Recipe, images: list[np.ndarray], faces: np.ndarray) -> np.ndarray:
    """Return the indices of the faces that make this person: leaning first, then the most typical of those left."""
    scores = traits(images, faces)
    leaning = sum((weight * scores[trait] for trait, weight in recipe.lean), start=np.zeros(len(images)))
    kept = np.argsort(-leaning, kind="stable")[: max(36, round(recipe.share * len(images)))]
    looks = np.stack([cv2.resize(images[i], (24, 24), interpolation=cv2.INTER_AREA).ravel() for i in kept]).astype(
        float
    )
    shapes = (faces[kept, :MESH_LANDMARKS, :2] / eye_distance_px(faces[kept])[:, None, None]).reshape(len(kept), -1)
    distance = np.zeros(len(kept))
    for features, weight in ((looks, 1.0), (shapes, 0.7)):
        offsets = features - np.median(features, axis=0)
        distance += weight * (offsets**2).sum(axis=1) / (offsets**2).sum(axis=1).mean()
    return kept[np.argsort(distance, kind="stable")[: recipe.faces]]
