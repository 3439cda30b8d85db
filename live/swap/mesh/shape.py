"""Proportions: how the source's face is built differently from the target's, and where that moves the target's points.

Works on the canonical, upright, symmetric face, so that neither pose nor a crooked smile is taken for a proportion.
Knows landmarks; knows nothing about pictures.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from live.swap.mesh.canvas import ramp, step
from live.swap.mesh.pose import Pose
from live.swap.mesh.topology import LIPS_INNER, LIPS_OUTER, VERTICES, Topology, load_topology
from live.values import Floats

_SMOOTH = 0.05  # shares of the canvas: what is finer than this is noise or expression
_MOST = 1.3  # canonical units (the face is 15.5 wide): no point moves farther
_UPPER_LIP, _LOWER_LIP, _CORNERS = 13, 14, (78, 308)
_OPEN = (0.06, 0.25)  # height by width of the mouth's opening: from here on it is not a neutral face
_SIDEWAYS_DEG = 25.0


def proportions(landmarks: Floats, pose: Pose, topology: Topology) -> Floats:
    """Return the face (468, 3) without pose and made symmetric, in canonical units."""
    upright = ((landmarks - pose.centre) / np.float32(max(pose.scale, 1e-6))) @ pose.rotation
    symmetric: Floats = ((upright + upright[topology.mirror] * np.array((-1, 1, 1), np.float32)) / 2).astype(np.float32)
    return symmetric


def neutrality(landmarks: Floats, pose: Pose) -> float:
    """Return 0..1: how much this frame tells about the face's proportions: seen from the front, mouth closed."""
    frontal = np.exp(-((pose.yaw_deg / _SIDEWAYS_DEG) ** 2) - (pose.pitch_deg / _SIDEWAYS_DEG) ** 2)
    return float(frontal * (1 - 0.95 * step(mouth_opening(landmarks), *_OPEN)))


def mouth_opening(landmarks: Floats) -> float:
    """Return the height of the mouth's opening by its width."""
    height = np.linalg.norm(landmarks[_UPPER_LIP] - landmarks[_LOWER_LIP])
    return float(height / max(float(np.linalg.norm(landmarks[_CORNERS[0]] - landmarks[_CORNERS[1]])), 1e-3))


def difference(source: Floats, target: Floats, source_opening: float) -> Floats:
    """Return what the target's points lack of the source's proportions, (468, 3) canonical units.

    Args: source, target: proportions (468, 3); source_opening: of the source's mouth; an open one tells nothing about
        mouth and jaw.
    """
    smoothing, lips, jaw = _parts()
    lack = smoothing @ (source - target)
    lack = lack + lips[:, None] * (lack[lips > 0.99].mean(axis=0) - lack)  # lips move as one: their form is expression
    lack *= 1 - jaw[:, None] * np.float32(step(source_opening, *_OPEN))
    length = np.linalg.norm(lack, axis=1, keepdims=True)
    bounded: Floats = (lack * (_MOST * np.tanh(length / _MOST) / np.maximum(length, 1e-6))).astype(np.float32)
    return bounded


def moved(landmarks: Floats, pose: Pose, lack: Floats) -> Floats:
    """Return landmarks (468, 3) moved by lack (468, 3) canonical units in the face's own pose."""
    return landmarks + np.float32(pose.scale) * (lack @ pose.rotation.T)


@lru_cache(maxsize=1)
def _parts() -> tuple[Floats, Floats, Floats]:
    """Return the smoothing matrix (468, 468), and per vertex how much it belongs to the lips and to the jaw (468,)."""
    topology = load_topology()
    place = topology.canvas[:VERTICES]
    distance = ((place[:, None] - place[None]) ** 2).sum(axis=2)
    near = np.exp(-distance / (2 * _SMOOTH**2))
    smoothing = near / near.sum(axis=1, keepdims=True)
    mouth = np.array(LIPS_OUTER + LIPS_INNER)
    from_mouth = np.sqrt(distance[:, mouth].min(axis=1))
    lips = 1 - ramp(from_mouth, 0.0, 0.06)
    nose_base = topology.positions[2, 1]
    jaw = ramp(topology.positions[:, 1], float(nose_base), float(nose_base) + 3.0)
    return smoothing.astype(np.float32), lips, jaw
