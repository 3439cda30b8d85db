"""Whether the target's expression and pose are kept, from the bare and the swapped picture of every frame.

The same landmarker looks at both; points are compared in the face's own, upright system, and what is constant over a
clip is taken away: that is the other face's shape. Lids and mouth are judged by what is seen of them, because the
embedded landmarker guesses them from the rest of the face (height of the eyes by their width 0.28 to 0.33 where 0.03
to 0.39 was labelled, and a frozen mouth seems to move with the jaw around it): eyes by how much they look as they
mostly do in this clip (correlation with the labelled opening 0.79 to 0.97 on four clips of people who blink), the mouth
by the strongest way in which it changes (0.64 to 0.97 on eight clips). Pure arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from live.bench.faces_figures import REGIONS, percent, rounded
from live.faces.landmarker import EYE_CORNERS, MESH_POINTS
from live.swap.mesh.pose import Pose, pose_of
from live.swap.mesh.topology import load_topology
from live.values import Floats, Pixels

EYES = ((33, 133), (362, 263))
"""The corners of each, from the picture's left to its right."""
EYE_PX = (32, 24)
EYE_MARGIN = 1.3
"""Width of an eye's patch over that of the eye."""
MOST_TURN_DEG = 25.0
"""Eyes and mouth of faces turned farther are not judged: what is seen of them changes with the turn."""
CLOSED, DOUBT = 0.8, 0.05
"""Correlation with the clip's median eyes, below which they are closed, and how near to it neither counts. Measured:
open 0.85 to 0.99, closed or nearly 0.33 to 0.79."""
MOUTH_PX = 32
MOUTH_POINTS = (13, 14, 61, 291)
MOUTH_WIDTH = 6.7
"""Of the mouth's patch, in canonical units: 0.75 of the distance between the eyes' outer corners."""
LEAST_CHANGE = 0.03
"""Of the mouth's patch, deviation over its mean: a mouth that changes less says nothing."""
MOST_GAIN = 3.0
"""How much less than the target's the worn lips may change: pale ones under a light for dark ones."""
UNCLEAR = 0.2
"""Share of the way between one and the other end of the mouth's motion, around its middle, that is neither."""
LEAST_MOTION = 0.01
"""Deviation of a ratio below which there is nothing to correlate."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is seen of a face in one picture."""

    landmarks: Floats
    """(478, 3) px, as the landmarker gave them."""
    eyes: Floats
    """(2, 24, 32) luma: both eyes, upright."""
    mouth: Floats
    """(32, 32) luma, upright."""


def look_at(picture: Pixels, found: Floats, at: Floats | None = None) -> Seen:
    """What is seen of a face in a picture (H, W, 3) BGR.

    Args: found (478, 3) px: the landmarks in this picture; at: those by which eyes and mouth are cut out, by default
        the same. Bare and swapped pictures have to be cut at the same places.
    """
    at = found if at is None else at
    return Seen(found, cut_eyes(picture, at), cut_mouth(picture, at))


@dataclass(slots=True)
class Keeping:
    """The frames of one clip with one source face, bare and worn."""

    bare: list[Seen] = field(default_factory=list)
    worn: list[Seen] = field(default_factory=list)
    lost: int = 0
    """Frames in whose swapped picture no face was seen."""

    def compare(self, bare: Seen, worn: Seen | None) -> None:
        """Count one frame."""
        if worn is None:
            self.lost += 1
            return
        self.bare.append(bare)
        self.worn.append(worn)

    def figures(self) -> dict[str, Any]:
        """See `live.bench.quality.measure`."""
        figures: dict[str, Any] = {"face_lost_frames": self.lost}
        if not self.bare:
            return figures
        poses = [
            [pose_of(seen.landmarks[:MESH_POINTS], load_topology()) for seen in row] for row in (self.bare, self.worn)
        ]
        figures |= _displacement(self, poses[0], poses[1]) | pose_errors(poses[0], poses[1])
        front = [abs(pose.yaw_deg) <= MOST_TURN_DEG for pose in poses[0]]
        pairs = [(bare, worn) for bare, worn, kept in zip(self.bare, self.worn, front) if kept]
        if pairs:
            figures |= lids([bare.eyes for bare, _ in pairs], [worn.eyes for _, worn in pairs])
            figures |= mouths([bare.mouth for bare, _ in pairs], [worn.mouth for _, worn in pairs])
        return figures


def _displacement(keeping: Keeping, bare: list[Pose], worn: list[Pose]) -> dict[str, Any]:
    """How far points move from where they belong, in percent of the eye distance, as seen in the picture."""
    upright = [
        np.stack([(seen.landmarks - pose.centre) / pose.scale @ pose.rotation for seen, pose in zip(row, poses)])
        for row, poses in ((keeping.bare, bare), (keeping.worn, worn))
    ]
    moved = upright[1] - upright[0]
    moved -= moved.mean(axis=0)
    turned = np.stack([rest @ pose.rotation.T for rest, pose in zip(moved, bare)])[..., :2]
    eyes = np.linalg.norm(upright[0][:, EYE_CORNERS[0]] - upright[0][:, EYE_CORNERS[1]], axis=1).mean()
    distance = 100 * np.linalg.norm(turned, axis=2).mean(axis=0) / eyes
    regions = {f"displacement_{name}_percent": rounded(distance[list(which)].mean()) for name, which in REGIONS.items()}
    return {"displacement_percent": rounded(distance[:MESH_POINTS].mean()), **regions}


def pose_errors(bare: list[Pose], worn: list[Pose]) -> dict[str, Any]:
    """Mean angle between the faces' poses, degrees, as it is and without what is constant over the clip."""
    turns = np.stack([one.rotation.T @ other.rotation for one, other in zip(bare, worn)])
    left, _, right = np.linalg.svd(turns.mean(axis=0))
    usual = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    angles = [
        np.degrees(np.arccos(np.clip((np.trace(t, axis1=1, axis2=2) - 1) / 2, -1, 1))) for t in (turns, usual.T @ turns)
    ]
    return {"pose_deg": rounded(angles[0].mean()), "pose_steady_deg": rounded(angles[1].mean())}


def cut_eyes(picture: Pixels, landmarks: Floats) -> Floats:
    """Cut both eyes upright out of a picture (H, W, 3) BGR with landmarks (478, 2 or 3) px: (2, 24, 32) luma."""
    patches = []
    for corners in EYES:
        left, right = landmarks[list(corners), :2]
        patches.append(_upright(picture, (left + right) / 2, (right - left) * np.float32(EYE_MARGIN), EYE_PX))
    return np.stack(patches)


def cut_mouth(picture: Pixels, landmarks: Floats) -> Floats:
    """Cut the mouth upright out of a picture (H, W, 3) BGR with landmarks (478, 3) px: (32, 32) luma.

    At the place where the head's pose has it, so that neither jaw nor lips move the patch.
    """
    pose, positions = pose_of(landmarks[:MESH_POINTS], load_topology()), load_topology().positions
    middle = pose.scale * pose.rotation @ positions[list(MOUTH_POINTS)].mean(axis=0) + pose.centre
    eyes = (landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]])[:2]
    across = eyes * (pose.scale * MOUTH_WIDTH / max(float(np.hypot(*eyes)), 1e-3))
    return _upright(picture, middle[:2], across, (MOUTH_PX, MOUTH_PX))


def _upright(picture: Pixels, middle: Floats, across: Floats, size: tuple[int, int]) -> Floats:
    """Cut a patch of that (width, height) with `across` (2,) px as its width: luma, shrunk without aliasing."""
    length = max(float(np.hypot(*across)), 1.0)
    scale = size[0] / length
    cosine, sine = scale * across / length
    turn = np.array([[cosine, sine], [-sine, cosine]])
    around = int(length) + 4
    corner = np.clip(middle.astype(int) - around, 0, np.array(picture.shape[1::-1]) - 2)
    part = picture[corner[1] : corner[1] + 2 * around, corner[0] : corner[0] + 2 * around]
    luma = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    if scale < 1:
        luma = cv2.GaussianBlur(luma, (0, 0), 0.4 / scale)
    matrix = np.column_stack([turn, np.array(size) / 2 - turn @ (middle - corner)]).astype(np.float32)
    patch: Floats = cv2.warpAffine(luma, matrix, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    return patch


def lids(bare: list[Floats], worn: list[Floats]) -> dict[str, Any]:
    """Compare when the eyes (2, h, w) look unlike they mostly do, each kind of picture by its own median."""
    usual_bare, usual_worn = _likeness_to_median(np.stack(bare)), _likeness_to_median(np.stack(worn))
    clear = np.abs(usual_bare - CLOSED) > DOUBT
    agree = (usual_bare < CLOSED) == (usual_worn < CLOSED)
    return {
        "blink_agreement_percent": percent(int((agree & clear).sum()), int(clear.sum())),
        "closed_frames": int((clear & (usual_bare < CLOSED)).sum()),
        "lids_correlation": correlation(usual_bare, usual_worn),
    }


def mouths(bare: list[Floats], worn: list[Floats]) -> dict[str, Any]:
    """Compare at which end of its strongest motion the mouth (h, w) is; in speech that is to open and close.

    That is the first principal component of the bare mouth; the worn one has to go the same way. How strongly its lips
    show it, within MOST_GAIN, and a constant difference belong to the other face. None where the mouth hardly moves.
    """
    flat = [_relative(np.stack(patches)) for patches in (bare, worn)]
    _, _, ways = np.linalg.svd(flat[0], full_matrices=False)
    motion, other = (patches @ ways[0] / MOUTH_PX for patches in flat)
    if motion.std() < LEAST_CHANGE:
        return {"mouth_agreement_percent": None, "mouth_frames": 0, "mouth_correlation": None}
    low, high = np.percentile(motion, (5, 95))
    middle = (low + high) / 2
    clear = np.abs(motion - middle) > UNCLEAR / 2 * (high - low)
    centred = other - other.mean()
    gain = np.clip(centred @ motion / max(float(centred @ centred), 1e-9), 0, MOST_GAIN)
    agree = (motion > middle) == (motion.mean() + gain * centred > middle)
    return {
        "mouth_agreement_percent": percent(int((agree & clear).sum()), int(clear.sum())),
        "mouth_frames": int(min((clear & (motion > middle)).sum(), (clear & (motion < middle)).sum())),
        "mouth_correlation": correlation(motion, other),
    }


def _relative(patches: Floats) -> Floats:
    """Patches (N, h, w) as (N, h * w) in shares of their own mean, about what they are over N."""
    flat = patches.reshape(len(patches), -1)
    flat = flat / np.maximum(flat.mean(axis=1, keepdims=True), 1.0)
    centred: Floats = flat - flat.mean(axis=0)
    return centred


def correlation(bare: Floats, worn: Floats) -> float | None:
    """Pearson's; None where the bare values hardly change, 0 where only the worn ones do not."""
    if len(bare) < 3 or bare.std() < LEAST_MOTION:
        return None
    return rounded(np.corrcoef(bare, worn)[0, 1]) if worn.std() > 1e-6 else 0.0


def _likeness_to_median(eyes: Floats) -> Floats:
    """Normalised correlation (N,) of eyes (N, 2, h, w) with their median over N, the mean of both."""
    flat = eyes.reshape(len(eyes), 2, -1)
    usual = np.median(flat, axis=0)
    flat, usual = (values - values.mean(axis=-1, keepdims=True) for values in (flat, usual))
    product = (flat * usual).sum(axis=2)
    lengths = np.linalg.norm(flat, axis=2) * np.linalg.norm(usual, axis=1)
    likeness: Floats = (product / np.maximum(lengths, 1e-3)).mean(axis=1)
    return likeness
