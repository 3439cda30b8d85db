"""Pose and proportions on the device: what pose.py and shape.py do, for a batch of faces, without asking the host.

Knows landmarks and the tables; knows nothing about pictures or time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.pose import MIN_FACE_PX
from live.swap.mesh.shape import _CORNERS, _LOWER_LIP, _MOST, _OPEN, _SIDEWAYS_DEG, _UPPER_LIP

_SQUARINGS = 7
"""Of a matrix whose second eigenvalue is about half of the first: 0.5 ** 128 of it is left."""
_DEGREES = 180 / torch.pi


class Pose(NamedTuple):
    """The similarity from the canonical face, for N faces."""

    scale: Tensor
    """(N,)"""
    rotation: Tensor
    """(N, 3, 3)"""
    centre: Tensor
    """(N, 3) px"""

    def yaw_deg(self) -> Tensor:
        """(N,) angle between the face's direction and the camera's axis, sideways."""
        return torch.atan2(self.rotation[:, 0, 2], self.rotation[:, 2, 2]) * _DEGREES

    def pitch_deg(self) -> Tensor:
        """(N,) the same, up or down."""
        return torch.asin(self.rotation[:, 1, 2].clamp(-1, 1)) * _DEGREES


def usable(landmarks: Tensor, extent: Tensor) -> Tensor:
    """Return (N,) bool: can a face be drawn from landmarks (N, 468, 3) in regions of extent (N, 2) rows, columns?

    Where the host raises ValueError (not finite, too small, outside of the region) the device says False.
    """
    finite = torch.isfinite(landmarks).flatten(1).all(dim=1)
    points = torch.where(finite[:, None, None], landmarks, 0)[..., :2]
    low, high = points.amin(dim=1), points.amax(dim=1)
    side = high - low
    large = (side.amin(dim=1) >= MIN_FACE_PX / 3) & (side.amax(dim=1) >= MIN_FACE_PX)
    inside = ((high >= 0) & (low < extent.flip(1))).all(dim=1)
    return finite & large & inside


def with_ring(points: Tensor, tables: Tables, reach: float) -> Tensor:
    """Append the ring to points (N, 468, K): the outline, scaled about its middle.  Returns (N, P, K)."""
    border = points[:, tables.outline]
    middle = border.mean(dim=1, keepdim=True)
    return torch.cat([points, middle + reach * (border - middle)], dim=1)


def facing_of(landmarks: Tensor, tables: Tables, face_triangles: int) -> Tensor:
    """Return per face triangle (N, T) the cosine between its normal and the direction to the camera; slivers get 0."""
    corners = landmarks[:, tables.triangles[:face_triangles]]  # (N, T, 3, 3)
    normal = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    return normal[..., 2] / normal.square().sum(dim=-1).sqrt().clamp(min=1e-6)


def pose_of(landmarks: Tensor, tables: Tables) -> Pose:
    """Return the pose of landmarks (N, 468, 3).

    Source: closed-form absolute orientation by unit quaternions, Horn 1987, the first eigenvector by repeated squaring
    of the matrix: torch's decompositions ask the host whether they converged.
    """
    centre = landmarks.mean(dim=1)
    products = (landmarks - centre[:, None]).transpose(1, 2) @ tables.flat  # (N, 3, 3) to, from
    length = products.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-6)
    matrix = ((products / length).flatten(1) @ tables.horn).reshape(-1, 4, 4)
    matrix = matrix + 3**0.5 * torch.eye(4, device=matrix.device)  # no eigenvalue below zero
    for _ in range(_SQUARINGS):
        matrix = matrix @ matrix
        matrix = matrix / matrix.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
    rotation = (matrix.flatten(1) @ tables.turn).reshape(-1, 3, 3)
    scale = (products * rotation).sum(dim=(1, 2)) / tables.length
    return Pose(scale, rotation, centre - scale[:, None] * (rotation @ tables.middle))


def proportions(landmarks: Tensor, pose: Pose, tables: Tables) -> Tensor:
    """Return the faces (N, 468, 3) without pose and made symmetric, in canonical units."""
    upright = ((landmarks - pose.centre[:, None]) / pose.scale.clamp(min=1e-6)[:, None, None]) @ pose.rotation
    mirrored = upright[:, tables.mirror]
    return (upright + torch.cat([-mirrored[..., :1], mirrored[..., 1:]], dim=-1)) / 2


def neutrality(landmarks: Tensor, pose: Pose) -> Tensor:
    """Return (N,) 0..1: how much this frame tells about the face's proportions."""
    frontal = torch.exp(-(pose.yaw_deg() / _SIDEWAYS_DEG).square() - (pose.pitch_deg() / _SIDEWAYS_DEG).square())
    height = (landmarks[:, _UPPER_LIP] - landmarks[:, _LOWER_LIP]).norm(dim=-1)
    width = (landmarks[:, _CORNERS[0]] - landmarks[:, _CORNERS[1]]).norm(dim=-1)
    return frontal * (1 - 0.95 * ramp(height / width.clamp(min=1e-3), *_OPEN))


def difference(source: Tensor, target: Tensor, source_opening: Tensor, tables: Tables) -> Tensor:
    """Return what the targets' points lack of the sources' proportions, (N, 468, 3) canonical units.

    Args: source, target: proportions (N, 468, 3); source_opening (N,) of the source's mouth.
    """
    lack = tables.smoothing @ (source - target)
    lips = (tables.lips_core @ lack)[:, None]
    lack = lack + tables.lips * (lips - lack)
    lack = lack * (1 - tables.jaw * ramp(source_opening, *_OPEN)[:, None, None])
    length = lack.norm(dim=-1, keepdim=True)
    return lack * (_MOST * torch.tanh(length / _MOST) / length.clamp(min=1e-6))


def moved(landmarks: Tensor, pose: Pose, lack: Tensor) -> Tensor:
    """Return landmarks (N, 468, 3) moved by lack (N, 468, 3) canonical units in the faces' own pose."""
    return landmarks + pose.scale[:, None, None] * (lack @ pose.rotation.transpose(1, 2))
