"""Measure how still the landmarks of a still face are, and how late the smoothed ones come.

`python -m models.training.evaluate_stillness --model FILE --data DIR`: held-out pictures as a 720p camera would show
them, the face 300 px high, with sensor noise that changes from frame to frame; the patch of each frame comes from the
frame before, and the landmarks pass through the program's own filter.
"""

import argparse
import logging
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from live.faces.smoothing import OneEuro
from models.training import faces
from models.training.evaluate_landmarker import Landmarker

log = logging.getLogger(__name__)

FRAME_PX = (720, 1280)
FACE_PX = 300.0
NOISES = (2.0, 5.0)
"""Deviation of brightness levels: a good camera by day, a cheap one in a room"""
FRAMES, SETTLED = 90, 30
FPS = 30.0
PICTURES = 25
STEADINESS = 0.5
STEP_SHARE = 0.25
"""Of the face's width: a head that moves so far within one frame"""


def in_frame(labelled: faces.Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture scaled into a 720p frame, its face 300 px high in the middle, and its landmarks (478, 3)."""
    landmarks = labelled.faces[0]
    box = faces.mesh_box(landmarks)
    scale = FACE_PX / (box[3] - box[1])
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    offset = np.array(FRAME_PX[::-1]) / 2 - middle * scale
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    frame = cv2.warpAffine(
        labelled.image, matrix, FRAME_PX[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return frame, faces.move_points(landmarks, matrix)


def noisy(random: np.random.Generator, frame: np.ndarray, sigma: float) -> np.ndarray:
    """Return the frame with noise of its own."""
    noise = random.standard_normal(frame.shape, dtype=np.float32) * np.float32(sigma)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def wander_px(path: np.ndarray) -> float:
    """Return the root mean square distance of points from their mean place: path (T, 478, 2) px."""
    return float(np.sqrt(np.var(path, axis=0).sum(axis=1).mean()))


def measure(landmarker: Landmarker, labelled: faces.Labelled, sigma: float) -> tuple[float, float]:
    """Return how far raw and smoothed landmarks of one still face wander, px."""
    random = np.random.default_rng(0)
    frame, around = in_frame(labelled)
    smoother, raw, smooth = OneEuro(STEADINESS), [], []
    for number in range(FRAMES):
        around, _ = landmarker.find(noisy(random, frame, sigma), around)
        raw.append(around[:, :2])
        smooth.append(smoother.smooth(around, 1.0 + number / FPS)[:, :2])
    return wander_px(np.array(raw[SETTLED:])), wander_px(np.array(smooth[SETTLED:]))


def late_frames(landmarks: np.ndarray) -> int:
    """Return how many frames after a jump by a quarter of the face's width the smoothed points are within a tenth."""
    smoother, width_px = OneEuro(STEADINESS), float(np.ptp(landmarks[:, 0]))
    for number in range(SETTLED):
        smoother.smooth(landmarks, 1.0 + number / FPS)
    jumped = landmarks + np.array([STEP_SHARE * width_px, 0, 0], np.float32)
    for late in range(SETTLED):
        found = smoother.smooth(jumped, 1.0 + (SETTLED + late) / FPS)
        if np.abs(found - jumped)[:, 0].mean() < 0.1 * STEP_SHARE * width_px:
            return late
    return SETTLED


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    landmarker = Landmarker(arguments.model)
    held_out = (row for row in faces.read_pictures(arguments.data, "generated") if row.held_out)
    pictures = list(islice(held_out, arguments.pictures))
    for sigma in NOISES:
        raw, smooth = np.mean([measure(landmarker, row, sigma) for row in pictures], axis=0)
        log.info("noise %.0f levels: raw %.3f px, smoothed %.3f px (root mean square)", sigma, raw, smooth)
    late = [late_frames(in_frame(row)[1]) for row in pictures]
    log.info("a jump by %.0f %% of the width: 90 %% there after %.1f frames", 100 * STEP_SHARE, np.mean(late))


if __name__ == "__main__":
    main()
