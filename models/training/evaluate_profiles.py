"""Measure a landmarker on heads turned up to 80 degrees.

`python -m models.training.evaluate_profiles --model FILE --data DIR`: pictures are renders of the 3D head model in the
skins of held-out portraits, with exact labels (not the teacher's). Errors are given in percent of the face's longer
side, because the distance between the eyes vanishes on a profile.
"""

import argparse
import logging
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from models.training import faces, profiles, surfaces
from models.training.evaluate_landmarker import Landmarker, disturbed, drawn, write_sheet

log = logging.getLogger(__name__)

YAWS_DEG = (0, 20, 40, 60, 90)
PICTURES, SEED = 240, 99
GROUNDS = 20


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--sheet", type=Path, help="contact sheet PNG to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    random = np.random.default_rng(SEED)
    landmarker, studio = Landmarker(arguments.model), profiles.open_studio(arguments.data)
    looks = profiles.frontal([row for row in faces.read_pictures(arguments.data, "generated") if row.held_out])
    grounds = [surfaces.surface(random, 120, 120) for _ in range(GROUNDS)]
    rows, sheet = [], []
    for labelled in profiles.rendered(random, studio, looks, grounds, arguments.pictures):
        true = labelled.faces[0]
        found, score = landmarker.find(labelled.image, disturbed(true, random))
        side_px = faces.patch_square(true)[1] / faces.PATCH_SCALE
        error = 100 * float(np.linalg.norm(found[:, :2] - true[:, :2], axis=1).mean()) / side_px
        rows.append((profiles.yaw_deg(true), error, score))
        sheet.append(drawn(labelled.image, found))
    yaws, errors, scores = np.array(rows).T
    for low, high in pairwise(YAWS_DEG):
        chosen = (yaws >= low) & (yaws < high)
        if chosen.any():
            log.info(
                "yaw %d..%d: %d renders, error %.2f %% of the face's longer side (95th percentile %.2f), "
                "score below 0.5: %.1f %%",
                low, high, chosen.sum(), errors[chosen].mean(), np.percentile(errors[chosen], 95),
                100 * (scores[chosen] < 0.5).mean(),
            )  # fmt: skip
    if arguments.sheet:
        write_sheet(sheet[:64], arguments.sheet)


if __name__ == "__main__":
    main()
