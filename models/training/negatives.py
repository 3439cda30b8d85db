"""Everything without a face that the trainings see: pictures to lie behind people, and things to lie among them.

Gathers what `surfaces`, `things`, `erasing`, `limbs` and `heads` make, once, into a folder; the detector composes its
scenes of it and the landmarker cuts patches from it. No picture of DATA/noface is read here: those measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.training import cutouts, erasing, faces, head_looks, heads, limbs, surfaces, things
from models.training.covers import Patch
from models.training.profiles import HeadStudio

BACK_PX = 176
FROM_BEHIND_DEG = (118, 180)
LEAST_HAND = 0.12  # of the patch
SURFACE_PX = (216, 360)
KEPT_PX = 400  # longer side of pictures


@dataclass(frozen=True)
class Negatives:
    """What shows no face."""

    pictures: tuple[np.ndarray, ...]
    """(H, W, 3) uint8 BGR"""
    things: tuple[np.ndarray, ...]
    """(S, S, 4) uint8, BGR and opacity"""


@dataclass(frozen=True)
class Amounts:
    """How many of each kind to make."""

    things: int
    hands: int
    backs: int
    pieces: int
    surfaces: int
    erased: int


def backs_of_heads(
    random: np.random.Generator, studio: HeadStudio, looks: Sequence[faces.Labelled], count: int
) -> list:
    """Return cut-outs (176, 176, 4) of heads turned so far that no face is seen, each pose in two looks."""
    result: list[np.ndarray] = []
    for _ in tqdm(range(-(-count // 2)), desc="heads from behind", mininterval=5):
        look = head_looks.random_look(random, looks[random.integers(0, len(looks))])
        yaw_rad = np.radians(random.uniform(*FROM_BEHIND_DEG)) * random.choice([-1, 1])
        view = heads.View(
            yaw_rad, random.normal(0, 0.15), random.normal(0, 0.1), random.uniform(45, 150), BACK_PX / 36,
            (BACK_PX / 2, BACK_PX / 2),
        )  # fmt: skip
        shape = heads.random_shape(random, studio.model, identity=0.8)
        posed = head_looks.pose(random, studio.model, shape, view, look, BACK_PX)
        mask = cv2.blur((posed.surface.triangle >= 0).astype(np.uint8) * 255, (3, 3))
        for _ in range(2):
            other = head_looks.random_look(random, looks[random.integers(0, len(looks))])
            ground = np.zeros((BACK_PX, BACK_PX, 3), np.uint8)
            result.append(np.dstack([head_looks.paint(random, studio.skin, posed, other, ground), mask]))
    return result


def drawn_hands(random: np.random.Generator, sample: faces.Labelled, count: int) -> list[np.ndarray]:
    """Return cut-outs (128, 128, 4) of drawn hands; `sample` only says where a hand would reach for a face."""
    matrix = faces.square_matrix(*faces.patch_square(sample.faces[0]), things.SIDE_PX)
    landmarks = faces.move_points(sample.faces[0], matrix)[:, :2].astype(np.float32)
    blank = np.zeros((things.SIDE_PX, things.SIDE_PX), np.float32)
    patch = Patch(np.zeros((*blank.shape, 3), np.uint8), blank, blank, landmarks)
    hands: list[np.ndarray] = []
    while len(hands) < count:
        cover = limbs.drawn_hand(random, patch)
        rows, columns = (cover.opacity > 0.5).nonzero()
        if len(rows) < LEAST_HAND * blank.size:  # reaches out of the patch
            continue
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        hand = np.dstack([cover.picture, (cover.opacity * 255).astype(np.uint8)])[box]
        side_px = max(hand.shape[:2])
        room = [(side_px - length) // 2 for length in hand.shape[:2]]
        square = np.zeros((side_px, side_px, 4), np.uint8)
        square[room[0] : room[0] + hand.shape[0], room[1] : room[1] + hand.shape[1]] = hand
        hands.append(cv2.resize(square, (things.SIDE_PX, things.SIDE_PX), interpolation=cv2.INTER_LINEAR))
    return hands


def shrunk(image: np.ndarray) -> np.ndarray:
    """Return a picture no larger than what is kept in memory."""
    scale = min(1.0, KEPT_PX / max(image.shape[:2]))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def make(
    studio: HeadStudio,
    portraits: Sequence[faces.Labelled],
    frames: Sequence[faces.Labelled],
    amounts: Amounts,
    seed: int,
) -> Negatives:
    """Make all negatives from training portraits and complete clip frames.

    Args: portraits: pictures of one face; frames: clip frames, clip by clip, whose faces are all labelled.
    """
    random = np.random.default_rng(seed)
    drawn = [things.draw_thing(random) for _ in tqdm(range(amounts.things), desc="things", mininterval=5)]
    drawn += drawn_hands(random, portraits[0], amounts.hands)
    real_hands = list(cutouts.hands_of(frames))
    backs = backs_of_heads(random, studio, portraits, amounts.backs)
    for _ in range(amounts.pieces):
        source = portraits[random.integers(0, len(portraits))]
        drawn.append(erasing.piece_of_face(random, source.image, source.faces[0, : faces.MESH_LANDMARKS, :2]))
    pictures = [
        surfaces.surface(random, *SURFACE_PX) for _ in tqdm(range(amounts.surfaces), desc="surfaces", mininterval=5)
    ]
    # Every frame with hands is worth having; portraits give walls, clothes and hair.
    with_faces = [row for row in frames if len(row.faces)]
    for number in tqdm(range(amounts.erased), desc="erased faces", mininterval=5):
        rows = with_faces if number % 3 < 2 and with_faces else portraits
        source = rows[random.integers(0, len(rows))]
        image = shrunk(source.image)
        points = source.faces[:, : faces.MESH_LANDMARKS, :2] * (image.shape[0] / source.image.shape[0])
        pictures.append(erasing.without_faces(random, image, points, pictures[: amounts.surfaces], backs))
    return Negatives(tuple(pictures), tuple(drawn + real_hands + backs))


def save(negatives: Negatives, file: Path) -> None:
    """Write negatives as one file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    named = {f"picture{number}": picture for number, picture in enumerate(negatives.pictures)}
    named |= {f"thing{number}": thing for number, thing in enumerate(negatives.things)}
    np.savez(file, **named)


def load(file: Path) -> Negatives:
    """Read what save wrote."""
    with np.load(file, allow_pickle=False) as stored:
        pictures = tuple(stored[name] for name in stored.files if name.startswith("picture"))
        return Negatives(pictures, tuple(stored[name] for name in stored.files if name.startswith("thing")))
