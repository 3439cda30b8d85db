"""Make what the trainings need: `python -m models.training.made --data DIR --clip-labels NPZ --out MADE`.

Writes the face crops of every labelled picture with turned copies and rendered profiles (MADE/patches), and everything
that shows no face (MADE/negatives.npz). `label_made` then lets the teacher look at the turned ones.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import yaml

from models.training import crops, faces, negatives, profiles

HERE = Path(__file__).parent


def training_material(data: Path, clip_labels: Path) -> tuple[list[faces.Labelled], list[faces.Labelled]]:
    """Return the training pictures of one face, and the frames of training clips whose faces are all labelled."""
    portraits = [
        row for name in ("generated", "portraits") for row in faces.read_pictures(data, name) if not row.held_out
    ]
    frames = [
        row
        for row in faces.read_clip_frames(data / "clips", clip_labels)
        if not row.held_out and row.name.split("/")[0] not in faces.PARTLY_LABELLED_CLIPS
    ]
    return portraits, frames


def main() -> None:
    """Make everything from the command line; what is there already stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/, clips/ and mesh/")
    parser.add_argument("--clip-labels", type=Path, required=True, help="what label_clips.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--config", type=Path, default=HERE / "made.yaml")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    config = yaml.safe_load(arguments.config.read_text())
    seed = config["seed"]
    studio = profiles.open_studio(arguments.data)
    portraits, frames = training_material(arguments.data, arguments.clip_labels)
    looks = profiles.frontal(portraits)
    file = arguments.out / "negatives.npz"
    if not file.exists():
        amounts = negatives.Amounts(**config["negatives"])
        negatives.save(negatives.make(studio, looks, frames, amounts, seed), file)
    folder = arguments.out / "patches"
    if not (folder / "infos.json").exists():
        grounds = negatives.load(file).pictures[: config["negatives"]["surfaces"]]
        random = np.random.default_rng(seed)
        turned = profiles.rendered(random, studio, looks, grounds, config["profiles"])
        sets, copies = config["picture_sets"], config["turned"]
        crops.build_cache(arguments.data, arguments.clip_labels, sets, copies, turned, folder, seed)


if __name__ == "__main__":
    main()
