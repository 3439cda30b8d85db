"""How a face stands to the camera: turned-away triangles, the pose, and whether landmarks are usable at all.

Knows the mesh's geometry; knows nothing about pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from live.swap.mesh.topology import VERTICES, Topology
from live.values import Floats

MIN_FACE_PX = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The similarity from the canonical face: landmarks = scale * positions @ rotation.T + centre."""

    scale: float
    rotation: Floats
    """(3, 3)"""
    centre: Floats
    """(3,) px"""

    @property
    def yaw_deg(self) -> float:
        """Angle between the face's direction and the camera's axis, sideways."""
        return float(np.degrees(np.arctan2(self.rotation[0, 2], self.rotation[2, 2])))

    @property
    def pitch_deg(self) -> float:
        """The same, up or down."""
        return float(np.degrees(np.arcsin(np.clip(self.rotation[1, 2], -1, 1))))


def checked(landmarks: Floats) -> Floats:
    """Return the mesh's landmarks (468, 3) float32 if a face can be drawn from them.

    Raises: ValueError saying what is wrong: shape, not finite, or too small.
    """
    if landmarks.ndim != 2 or len(landmarks) < VERTICES or landmarks.shape[1] != 3:
        raise ValueError(f"landmarks must be (478, 3), not {landmarks.shape}")
    points = np.asarray(landmarks[:VERTICES], np.float32)
    if not np.isfinite(points).all():
        raise ValueError("landmarks are not finite")
    columns = np.ascontiguousarray(points[:, :2].T)
    width, height = (columns.max(axis=1) - columns.min(axis=1)).tolist()
    if min(width, height) < MIN_FACE_PX / 3 or max(width, height) < MIN_FACE_PX:
        raise ValueError(f"landmarks span {width:.0f} x {height:.0f} px; at least {MIN_FACE_PX:.0f} px are needed")
    return points


def facing_of(landmarks: Floats, topology: Topology) -> Floats:
    """Return per face triangle (T,) the cosine between its normal and the direction to the camera; slivers get 0.

    Args: landmarks (468, 3) px, z smaller is nearer.
    """
    corners = topology.triangles[: topology.face_triangles].T
    (ax, bx, cx), (ay, by, cy), (az, bz, cz) = (landmarks[:, axis].take(corners) for axis in range(3))
    bx, by, bz, cx, cy, cz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    return (z / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-6)).astype(np.float32)


def pose_of(landmarks: Floats, topology: Topology) -> Pose:
    """Return the pose of landmarks (468, 3).

    Source: least-squares similarity, Umeyama 1991.
    """
    flat, middle, length = _centred(topology)
    centre = landmarks.mean(axis=0)
    left, singular, right = np.linalg.svd((landmarks - centre).T @ flat)
    rotation = left @ right
    if np.linalg.det(rotation) < 0:  # a reflection
        left[:, 2], singular[2] = -left[:, 2], -singular[2]
        rotation = left @ right
    scale = float(singular.sum()) / length
    return Pose(scale, rotation, (centre - np.float32(scale) * (rotation @ middle)).astype(np.float32))


@lru_cache(maxsize=1)
def _centred(topology: Topology) -> tuple[Floats, Floats, float]:
    """Return the canonical face about its middle (468, 3), that middle (3,), and the sum of squares."""
    middle = topology.positions.mean(axis=0)
    flat = topology.positions - middle
    return flat, middle, float((flat * flat).sum())
