"""The arithmetic of `live bench faces`: errors of landmarks, overlaps of boxes and masks, and their summaries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live.faces.landmarker import EYE_CORNERS, MESH_POINTS
from live.values import Floats, Pixels

FAILURE_PERCENT = 8.0
"""A face whose landmarks are off by more counts as failed."""
LEAST_OVERLAP = 0.4
"""Intersection over union from which on a box is that of the labelled face."""
YAWS_DEG = (0, 20, 40, 75, 90)
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
EYES = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
    263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466,
)  # fmt: skip
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
REGIONS = {"eyes": EYES, "lips": LIPS, "outline": OUTLINE, "irises": tuple(range(468, 478))}
FACE_PARTS = (1, 2, 4, 5, 6, 7, 10, 11, 12)
"""Skin, nose, eyes, brows, mouth, lips."""
GLASSES = 3
"""Lenses with their frames: half of it is face, half is not."""
TURN_RAD, SCALE, SHIFT = 0.05, 0.04, 0.015
"""Deviations by which the patch is off, as it would be from the frame before; SHIFT in sides of the patch."""
PATCH_SIDES = 1.5


@dataclass(frozen=True, slots=True)
class Row:
    """How one labelled face was found."""

    nme_percent: float | None
    """None: no landmarks at all."""
    regions: tuple[float, ...]
    """Percent, in the order of REGIONS; empty without landmarks."""
    yaw_deg: float
    """0..90, of the label."""
    found: bool

    @property
    def failed(self) -> bool:
        """Not found, or found somewhere else."""
        return not self.found or self.nme_percent is None or self.nme_percent > FAILURE_PERCENT


def row_of(found: Floats | None, true: Floats, *, sure: bool) -> Row:
    """Compare landmarks (478, 3) px with the label's; None where there are none, sure when it passes for a face."""
    if found is None:
        return Row(None, (), yaw_deg(true), False)
    regions = tuple(error_percent(found, true, which) for which in REGIONS.values())
    return Row(error_percent(found, true), regions, yaw_deg(true), sure)


def error_percent(found: Floats, true: Floats, which: Sequence[int] | None = None) -> float:
    """Mean x,y distance over all landmarks (478, 3) or some, in percent of the distance 33 - 263 of the label."""
    distances = np.linalg.norm(found[:, :2] - true[:, :2], axis=1)
    eyes_px = np.linalg.norm(true[EYE_CORNERS[0], :2] - true[EYE_CORNERS[1], :2])
    return float(100 * (distances if which is None else distances[list(which)]).mean() / eyes_px)


def yaw_deg(landmarks: Floats) -> float:
    """How far a face is turned to a side, 0..90, from the depth of its two sides (landmarks 234 and 454)."""
    across = landmarks[454] - landmarks[234]
    return float(np.degrees(np.arctan2(abs(across[2]), np.hypot(across[0], across[1]))))


def disturbed(true: Floats, random: np.random.Generator) -> Floats:
    """Landmarks moved as a whole by a few percent, as those of the frame before would be."""
    side_px = PATCH_SIDES * float(np.ptp(true[:MESH_POINTS, :2], axis=0).max())
    centre = true[:, :2].mean(axis=0)
    turn_rad, scale = random.normal(0, TURN_RAD), np.exp(random.normal(0, SCALE))
    cosine, sine = np.cos(turn_rad) * scale, np.sin(turn_rad) * scale
    moved = true.copy()
    moved[:, :2] = (true[:, :2] - centre) @ np.array([[cosine, -sine], [sine, cosine]]) + centre
    moved[:, :2] += random.normal(0, SHIFT, 2) * side_px
    return moved


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Summary of the faces of a set, or of all: see the keys. Errors are those of the faces that have landmarks."""
    yaws = {f"{low}-{high}": [row for row in rows if low <= row.yaw_deg < high] for low, high in pairwise(YAWS_DEG)}
    regions = [row.regions for row in rows if row.regions]
    means = np.mean(regions, axis=0) if regions else [None] * len(REGIONS)
    return {
        **_errors(rows),
        "by_yaw": {name: _errors(group) for name, group in yaws.items() if group},
        "by_region": {name: rounded(mean) for name, mean in zip(REGIONS, means)},
    }


def _errors(rows: Sequence[Row]) -> dict[str, Any]:
    errors = [row.nme_percent for row in rows if row.nme_percent is not None]
    return {
        "pictures": len(rows),
        "nme_percent": rounded(np.mean(errors) if errors else None),
        "median_nme_percent": rounded(np.median(errors) if errors else None),
        "p95_nme_percent": rounded(np.percentile(errors, 95) if errors else None),
        "failure_percent": percent(sum(row.failed for row in rows), len(rows)),
        "not_found": sum(not row.found for row in rows),
    }


def box_overlaps(box: Sequence[float], others: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Intersection over union of one box x1, y1, x2, y2 with N others: (N,)."""
    one, several = np.asarray(box, np.float64), np.asarray(others, np.float64).reshape(-1, 4)
    sides = np.minimum(one[2:], several[:, 2:]) - np.maximum(one[:2], several[:, :2])
    common = sides.clip(0).prod(axis=1)
    areas = (one[2:] - one[:2]).prod() + (several[:, 2:] - several[:, :2]).prod(axis=1)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


def is_found(box: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    """Whether one of the boxes is that of the labelled face."""
    return bool((box_overlaps(box, others) >= LEAST_OVERLAP).any())


def mask_overlap(found: NDArray[np.bool_], true: NDArray[np.bool_], counted: NDArray[np.bool_] | None = None) -> float:
    """Intersection over union of two masks (H, W), of the counted pixels; 1 where both are empty."""
    if counted is not None:
        found, true = found & counted, true & counted
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


def face_and_glasses(classes: Pixels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is face and what is glasses, of the classes (H, W) of a picture's pixels."""
    return np.isin(classes, FACE_PARTS), classes == GLASSES


def percent(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return round(100 * part / whole, 2) if whole else None


def rounded(value: float | np.floating[Any] | None) -> float | None:
    """For reports."""
    return None if value is None else round(float(value), 3)
