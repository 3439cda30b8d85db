"""The landmarker's patches without faces: what the detector took for one, and things where a face would be.

`python -m models.training.faceless --made MADE --detector FILE...` runs detectors over scenes that show nobody and
keeps what they find: the hardest patches there are. Knows the patch geometry; knows nothing about the landmarker.
"""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from tqdm import tqdm

from models.training import faces
from models.training.detections import suppress
from models.training.negatives import Negatives, load
from models.training.patches import PATCH_PX
from models.training.scenes import Composer
from models.training.stock import SceneStock
from models.training.thumbnails import lay, similarity, warped

log = logging.getLogger(__name__)

KEPT_PX, KEPT_SCALE = 176, 1.375  # 128 px of it are the patch: room for jitter
LEAST_SCORE = 0.2
SCENES = 4000
MOST_KEPT = 6000
MINED_SHARE = 0.6


def detection_square(box: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return (centre (2,) px, side px, angle rad) of the patch of a detection, as the program cuts it.

    Args: box (4,), points (5, 2) px.
    """
    across = points[1] - points[0]
    angle_rad = float(np.arctan2(across[1], across[0]))
    swell = abs(np.cos(angle_rad)) + 0.6 * abs(np.sin(angle_rad))
    return (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max() * faces.PATCH_SCALE / swell), angle_rad


def mine(sessions: list[onnxruntime.InferenceSession], negatives: Negatives, seed: int, count: int) -> np.ndarray:
    """Return (M, 176, 176, 3) uint8 squares of what detectors find in `count` scenes without a face."""
    stock, kept = SceneStock((), (), negatives), []
    for number in tqdm(range(count), desc="scenes", mininterval=5):
        random = np.random.default_rng((seed, number))
        thumbnail = Composer(stock, random).faceless()
        for session in sessions:
            boxes, scores, points = (part[0] for part in session.run(None, {"image": thumbnail[None]}))
            for row in suppress(boxes, scores, LEAST_SCORE):
                centre, side_px, angle_rad = detection_square(boxes[row], points[row])
                matrix = faces.square_matrix(centre, side_px * KEPT_SCALE, angle_rad, KEPT_PX)
                kept.append(cv2.warpAffine(thumbnail, matrix, (KEPT_PX, KEPT_PX), borderMode=cv2.BORDER_REPLICATE))
        if len(kept) >= MOST_KEPT:
            break
    return np.stack(kept) if kept else np.zeros((0, KEPT_PX, KEPT_PX, 3), np.uint8)


@dataclass(frozen=True)
class FacelessPatches:
    """Draws patches that show no face."""

    negatives: Negatives
    mined: np.ndarray
    """(M, 176, 176, 3) uint8, may be empty"""

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Return a (128, 128, 3) uint8 BGR patch."""
        if len(self.mined) and random.random() < MINED_SHARE:
            square = self.mined[random.integers(0, len(self.mined))]
            side_px = PATCH_PX * np.exp(random.normal(0, 0.12))
            shift = np.clip(random.normal(0, 6, 2), -14, 14)
            matrix = faces.square_matrix(np.full(2, KEPT_PX / 2) + shift, side_px, random.normal(0, 0.15), PATCH_PX)
            return cv2.warpAffine(square, matrix, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE)
        picture = self.negatives.pictures[random.integers(0, len(self.negatives.pictures))]
        size = np.array(picture.shape[1::-1])
        scale = PATCH_PX / size.min() * np.exp(random.uniform(0, 1.5))
        region = (0, 0, PATCH_PX, PATCH_PX)
        source = size * random.uniform(0.2, 0.8, 2)
        matrix = similarity(scale, random.normal(0, 0.3), source, np.full(2, PATCH_PX / 2))
        patch = warped(picture, matrix, region, cv2.BORDER_REFLECT_101)
        if random.random() < 0.7:
            thing = self.negatives.things[random.integers(0, len(self.negatives.things))]
            grown = PATCH_PX / len(thing) * random.uniform(0.5, 1.4)
            place = PATCH_PX / 2 + random.normal(0, 10, 2)
            move = similarity(grown, random.normal(0, 0.4), np.full(2, len(thing) / 2), place)
            laid = warped(thing, move, region, cv2.BORDER_CONSTANT)
            lay(patch, region, laid[..., :3], laid[..., 3])
        return patch


def open_faceless(made: Path) -> FacelessPatches:
    """Return the patches of a folder that made.py, and then this module's command, wrote."""
    file = made / "mined.npy"
    mined = np.load(file) if file.exists() else np.zeros((0, KEPT_PX, KEPT_PX, 3), np.uint8)
    return FacelessPatches(load(made / "negatives.npz"), mined)


def main() -> None:
    """Mine from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=Path, required=True, help="folder that made.py wrote")
    parser.add_argument("--detector", type=Path, nargs="+", required=True, help="detectors as ONNX")
    parser.add_argument("--scenes", type=int, default=SCENES)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        for file in arguments.detector
    ]
    found = mine(sessions, load(arguments.made / "negatives.npz"), 5, arguments.scenes)
    np.save(arguments.made / "mined.npy", found)
    log.info("%d false faces in up to %d scenes", len(found), arguments.scenes)


if __name__ == "__main__":
    main()
