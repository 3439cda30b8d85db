"""478 landmarks of the faces whose whereabouts are roughly known. Knows nothing about the frames before."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from live.nets.onnx import Network
from live.pixels import host
from live.values import Detection, Floats, Frame

SIDE_PX = 128
MARGIN = 1.5
"""Side of the patch over the longer side of the face's upright bounding box, as in training."""
EYE_CORNERS = (33, 263)
MESH_POINTS = 468


class Landmarker:
    """The embedded landmarker, models/landmarker.onnx."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._network = Network(path, threads=threads, inputs=("patch",), outputs=("landmarks", "score"))

    def look(self, frame: Frame, matrices: Floats) -> tuple[Floats, Floats]:
        """Find the landmarks of N faces in one run.

        Args: matrices (N, 2, 3): frame px -> patch px of SIDE_PX, from `patch_from_landmarks` or
        `patch_from_detection`.
        Returns: landmarks (N, 478, 3) frame px, scores (N,) 0..1. Not finite or absurd landmarks score 0.
        """
        patches = np.stack([host.cut_patch(frame, matrix, SIDE_PX) for matrix in matrices])
        landmarks, scores = self._network.run(patch=patches)
        landmarks = landmarks * np.float32(SIDE_PX)
        inverse = np.stack([cv2.invertAffineTransform(matrix) for matrix in matrices]).astype(np.float32)
        area = inverse[:, 0, 0] * inverse[:, 1, 1] - inverse[:, 0, 1] * inverse[:, 1, 0]
        scale = np.sqrt(np.abs(area))[:, None]
        flat = landmarks[..., :2] @ inverse[:, :, :2].transpose(0, 2, 1) + inverse[:, None, :, 2]
        found = np.concatenate([flat, (landmarks[..., 2] * scale)[..., None]], axis=2).astype(np.float32)
        sane = np.asarray(np.isfinite(found).all(axis=(1, 2)))
        return np.where(sane[:, None, None], found, 0), np.where(sane, scores, 0).astype(np.float32)


def patch_from_landmarks(landmarks: Floats) -> Floats:
    """The (2, 3) matrix frame px -> patch px for a face whose (478, 3) landmarks are known."""
    turn = _unit(landmarks[EYE_CORNERS[1], :2] - landmarks[EYE_CORNERS[0], :2])
    low, high = extent(landmarks, np.array([[turn[0], turn[1]], [-turn[1], turn[0]]], np.float32))
    return _patch((low + high) / np.float32(2), turn, float((high - low).max()))


def extent(landmarks: Floats, turn: Floats | None = None) -> tuple[Floats, Floats]:
    """The least and the greatest x and y, (2,) each, of the mesh of (478, 2 or 3) landmarks, after a turn (2, 2)."""
    columns: Floats = np.ascontiguousarray(landmarks[:MESH_POINTS, :2].T)  # extremes of rows take a third of the time
    if turn is not None:
        columns = turn @ columns
    return columns.min(axis=1), columns.max(axis=1)


def patch_from_detection(found: Detection) -> Floats:
    """The (2, 3) matrix frame px -> patch px for a face that only the detector has seen."""
    turn = _unit(found.points[1] - found.points[0])
    x1, y1, x2, y2 = found.box
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2], np.float32)
    upright = centre @ np.array([[turn[0], -turn[1]], [turn[1], turn[0]]], np.float32)
    # The box of a face turned in the picture is wider and higher than the face.
    swell = abs(turn[0]) + abs(turn[1]) * 0.6
    return _patch(upright, turn, max(x2 - x1, y2 - y1) / float(swell))


def _unit(vector: Floats) -> Floats:
    length = float(np.hypot(*vector))
    return vector / length if length > 1e-6 else np.array([1, 0], np.float32)


def _patch(centre: Floats, turn: Floats, face_px: float) -> Floats:
    """Args: centre (2,) in coordinates turned upright, turn (2,) the unit vector along the eyes, face_px its size."""
    scale = SIDE_PX / (MARGIN * max(face_px, 1.0))
    rotation = np.array([[turn[0], turn[1]], [-turn[1], turn[0]]], np.float32) * scale
    offset = SIDE_PX / 2 - centre * scale
    return np.hstack([rotation, offset[:, None]]).astype(np.float32)
