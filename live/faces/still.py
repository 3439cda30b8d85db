"""Looks at one still picture with all the time it needs: for photos that become source faces. Keeps no state."""

from __future__ import annotations

import cv2
import numpy as np

from live.faces.detector import Detector
from live.faces.landmarker import Landmarker, patch_from_detection, patch_from_landmarks
from live.faces.tracks import box_of
from live.pixels import host
from live.values import Detection, Face, Floats, Frame, Pixels

LEAST_SCORE = 0.5
LOOKS = 3
"""Each look cuts its patch where the last one saw the face."""
WIGGLES = ((1.0, 0.0), (0.94, -4.0), (0.97, 4.0), (1.03, -2.0), (1.06, 2.0))
"""(scale, degrees) of patches whose landmarks are averaged: the errors of one patch are partly independent."""


def find_faces(picture: Pixels, detectors: list[Detector], landmarker: Landmarker) -> list[Face]:
    """All faces of a (H, W, 3) BGR picture, largest first.

    Args: detectors, usually one with a small and one with a large thumbnail: large faces are found by the first, small
    ones by the second.
    """
    frame = host.bgr_frame(picture, time_s=0.0, number=0)
    faces: list[Face] = []
    for detector in detectors:
        for detection in detector.detect(*detector.thumbnail(frame)):
            if any(_same(face, detection) for face in faces):
                continue
            landmarks, score = _landmarks(frame, detection, landmarker)
            if score >= LEAST_SCORE and not any(_centre_inside(landmarks, face) for face in faces):
                faces.append(Face(landmarks, box_of(landmarks), score, len(faces)))
    return sorted(faces, key=lambda face: face.box[1] - face.box[3])


def _landmarks(frame: Frame, detection: Detection, landmarker: Landmarker) -> tuple[Floats, float]:
    landmarks, scores = landmarker.look(frame, patch_from_detection(detection)[None])
    for _ in range(LOOKS - 1):
        if scores[0] <= 0:
            break
        landmarks, scores = landmarker.look(frame, patch_from_landmarks(landmarks[0])[None])
    if scores[0] < LEAST_SCORE:
        return landmarks[0], float(scores[0])
    straight = patch_from_landmarks(landmarks[0])
    matrices = np.stack([_wiggled(straight, scale, degrees) for scale, degrees in WIGGLES])
    several, scores = landmarker.look(frame, matrices)
    return np.median(several, axis=0).astype(np.float32), float(np.median(scores))


def _wiggled(matrix: Floats, scale: float, degrees: float) -> Floats:
    centre = (64.0, 64.0)
    turn = np.vstack([cv2.getRotationMatrix2D(centre, degrees, scale), [0, 0, 1]])
    return (turn @ np.vstack([matrix, [0, 0, 1]]))[:2].astype(np.float32)


def _same(face: Face, detection: Detection) -> bool:
    x, y = (detection.box[0] + detection.box[2]) / 2, (detection.box[1] + detection.box[3]) / 2
    return face.box[0] <= x <= face.box[2] and face.box[1] <= y <= face.box[3]


def _centre_inside(landmarks: Floats, face: Face) -> bool:
    x, y = landmarks[:, :2].mean(axis=0)
    return bool(face.box[0] <= x <= face.box[2] and face.box[1] <= y <= face.box[3])
