"""Let the teacher look at what `made` turned: `python -m models.training.label_made --task FILE --made MADE`.

Writes MADE/patches/teacher.npy: (N, 478, 3) float32 px of every crop, NaN where it was not asked or found no face.
Runs in the teacher's virtual environment, see label_clips.py.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from models.training.label_clips import label_frame

MADE_GROUPS = ("_turned", "profiles")


def main() -> None:
    """Label from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, required=True, help="face_landmarker.task")
    parser.add_argument("--made", type=Path, required=True, help="folder that made.py wrote")
    arguments = parser.parse_args()
    folder = arguments.made / "patches"
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    groups = [info["group"] for info in json.loads((folder / "infos.json").read_text())]
    found = np.full((len(crops), 478, 3), np.nan, np.float32)
    options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(arguments.task)), num_faces=1)
    asked = [number for number, group in enumerate(groups) if group.endswith(MADE_GROUPS)]
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for number in asked:
            labelled = label_frame(landmarker, np.ascontiguousarray(crops[number]))
            if len(labelled):
                found[number] = labelled[0]
    np.save(folder / "teacher.npy", found)
    seen = np.isfinite(found[:, 0, 0]).sum()
    parser.exit(0, f"{seen} faces on {len(asked)} turned crops -> {folder / 'teacher.npy'}\n")


if __name__ == "__main__":
    main()
