"""Count false faces, and the true ones that a landmarker confirms: detector and landmarker together, as in the program.

`python -m models.training.evaluate_false --detector FILE --landmarker FILE --data DIR --clip-labels NPZ --judge YUNET`.
A find is confirmed if the landmarker, on the detection's patch and once more on the patch of its own landmarks, reaches
CONFIRMED, and its score times the detector's reaches EVIDENCE: the program's rule for newcomers. Face-free are all
pictures and all frames of DATA/noface, the flower clip, and those clip frames where neither judge sees anything.
"""

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from models.training import faces
from models.training.detections import overlaps
from models.training.evaluate_detector import (
    LEAST_EYES_SHARE,
    THRESHOLDS,
    YUNET_PERHAPS,
    Detector,
    drawn,
    every_frame,
    yunet_boxes,
)
from models.training.evaluate_landmarker import PICTURES, Landmarker, write_sheet
from models.training.faceless import detection_square

log = logging.getLogger(__name__)

CONFIRMED, EVIDENCE = 0.5, 0.4
FACELESS_CLIPS = ("noface_flower_720p.264",)
UNRELATED = ("multi_scene_qcif_1500f.264", "signer_and_foreman_qcif.264")
"""Clips with many scenes: where both judges see nobody, there is nobody"""


def confirmation(
    landmarker: Landmarker, frame: np.ndarray, box: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return landmarks (478, 3) px and the better score of two looks at a detection."""
    first, score = landmarker.find_in_square(frame, *detection_square(box, points))
    if faces.patch_square(first)[1] < 1:
        return first, score
    second, again = landmarker.find(frame, first)
    return (second, again) if again >= score else (first, score)


def scored(detector: Detector, landmarker: Landmarker, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes (N, 4) px, the detector's and the landmarker's scores (N,) of a BGR frame's finds."""
    boxes, scores, points = detector.find(frame)
    looks = [confirmation(landmarker, frame, box, five)[1] for box, five in zip(boxes, points, strict=True)]
    return boxes, scores, np.array(looks, np.float32)


def is_confirmed(scores: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Return which finds (N,) the program would follow."""
    return (looks >= CONFIRMED) & (scores * looks >= EVIDENCE)


def faceless_frames(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (file, picture) of everything that is known to show no face: pictures, and every frame of clips."""
    for file in [*sorted((data / "noface").iterdir()), *(data / "clips" / name for name in FACELESS_CLIPS)]:
        if file.suffix in PICTURES:
            yield file.name, cv2.imread(str(file), cv2.IMREAD_COLOR)
        else:
            yield from ((file.name, frame) for frame in every_frame(file))


def frames_nobody_sees(data: Path, clip_labels: Path, judge: cv2.FaceDetectorYN) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (clip, frame) where YuNet sees nothing and the labels around it, at most 8 frames away, are empty too."""
    labels = np.load(clip_labels, allow_pickle=False)
    for name in UNRELATED:
        rows = np.flatnonzero(labels["name"] == name)
        numbers, counts = labels["frame"][rows], labels["count"][rows]
        for number, frame in enumerate(every_frame(data / "clips" / name)):
            near = np.abs(numbers - number) <= 8
            if near.any() and not counts[near].any() and not (yunet_boxes(judge, frame)[1] >= YUNET_PERHAPS).any():
                yield name, frame


def count_false(
    detector: Detector, landmarker: Landmarker, frames: Iterator[tuple[str, np.ndarray]], sheet: list[np.ndarray]
) -> dict[str, list[int]]:
    """Return per file: frames, false faces at each threshold, confirmed ones; draws those at 0.5 into the sheet."""
    counts: dict[str, list[int]] = {}
    for name, frame in frames:
        boxes, scores, looks = scored(detector, landmarker, frame)
        confirmed = is_confirmed(scores, looks)
        row = counts.setdefault(name, [0] * (2 + len(THRESHOLDS)))
        found = [1, *(int((scores >= threshold).sum()) for threshold in THRESHOLDS), int(confirmed.sum())]
        row[:] = [old + new for old, new in zip(row, found, strict=True)]
        if confirmed.any() or (scores >= 0.5).any():
            sheet.append(drawn(frame, boxes[(scores >= 0.5) | confirmed]))
    return counts


def count_true(detector: Detector, landmarker: Landmarker, data: Path, clip_labels: Path) -> dict[str, list[int]]:
    """Return per clip: labelled faces of usual size, those found at 0.4, at 0.5, and those confirmed."""
    counts: dict[str, list[int]] = {}
    for labelled in faces.read_clip_frames(data / "clips", clip_labels):
        true = faces.mesh_box(labelled.faces).reshape(-1, 4)
        true = true[faces.eye_distance_px(labelled.faces) >= LEAST_EYES_SHARE * labelled.image.shape[0]]
        if not len(true):
            continue
        boxes, scores, looks = scored(detector, landmarker, labelled.image)
        row = counts.setdefault(labelled.name.split("/")[0], [0, 0, 0, 0])
        row[0] += len(true)
        for column, kept in enumerate((scores >= 0.4, scores >= 0.5, is_confirmed(scores, looks)), start=1):
            row[column] += int((overlaps(true, boxes[kept]).max(axis=1) >= 0.4).sum()) if kept.any() else 0
    return counts


def summed(counts: dict[str, list[int]]) -> list[int]:
    """Return the sums over all files."""
    return np.sum(list(counts.values()), axis=0).tolist() if counts else []


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--landmarker", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clip-labels", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True, help="YuNet as ONNX")
    parser.add_argument("--sheet", type=Path, help="contact sheet PNG to write")
    parser.add_argument("--json", type=Path, help="file to write all counts to")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    detector, landmarker = Detector(arguments.detector), Landmarker(arguments.landmarker)
    judge = cv2.FaceDetectorYN.create(str(arguments.judge), "", (320, 320), score_threshold=YUNET_PERHAPS)
    sheet: list[np.ndarray] = []
    header = ["frames", *(f"at {threshold}" for threshold in THRESHOLDS), "confirmed"]
    known = count_false(detector, landmarker, faceless_frames(arguments.data), sheet)
    unseen = count_false(detector, landmarker, frames_nobody_sees(arguments.data, arguments.clip_labels, judge), sheet)
    true = count_true(detector, landmarker, arguments.data, arguments.clip_labels)
    for title, columns, counts in (
        ("false faces, known to show none", header, known),
        ("false faces, neither judge sees any", header, unseen),
        ("true faces", ["labelled", "found at 0.4", "found at 0.5", "confirmed"], true),
    ):
        log.info("%s: %s", title, ", ".join(columns))
        for name, row in counts.items():
            log.info("  %s: %s", name, " ".join(map(str, row)))
        log.info("  all: %s", " ".join(map(str, summed(counts))))
    if arguments.json:
        report = {"columns": header, "known": known, "unseen": unseen, "true": true}
        arguments.json.write_text(json.dumps(report, indent=1))
    if arguments.sheet and sheet:
        write_sheet(sheet[:: max(1, len(sheet) // 96)], arguments.sheet)


if __name__ == "__main__":
    main()
