"""Measure a detector file against two judges on clips and on pictures without faces.

`python -m models.training.evaluate_detector --model FILE --data DIR --clip-labels NPZ --judge YUNET`. The judges are
the labels of label_clips.py (MediaPipe) and YuNet; a face counts if it has 24 px between the outer eye corners once
the frame is scaled to 720 lines. A find is false if neither judge has anything there.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from models.training import faces
from models.training.detections import count_hits, overlaps, suppress
from models.training.evaluate_landmarker import PICTURES, write_sheet
from models.training.thumbnails import HEIGHT_PX, WIDTH_PX

log = logging.getLogger(__name__)

LEAST_EYES_SHARE = 24 / 720  # of the frame's height
YUNET_WIDTH_PX = 640
YUNET_SURE, YUNET_PERHAPS = 0.85, 0.4
EYES_OF_BOX = 0.45  # eye distance / YuNet's box width, to leave out the smallest faces alike
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
LEAST_SCORE = THRESHOLDS[0]
SAME = 0.3  # overlap of the two judges' boxes of one face
TALKING_HEADS = ("grid_", "intel_asl_", "us_", "obama_", "two_people_", "exposure_", "fast_", "lowlight_", "cisco_man")
EVERY = 5  # frames


class Detector:
    """A detector file, run on the thumbnail of a frame."""

    def __init__(self, file: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def find(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes (N, 4) px, scores (N,) and points (N, 5, 2) px of the faces in (H, W, 3) BGR, best first."""
        scale = min(WIDTH_PX / frame.shape[1], HEIGHT_PX / frame.shape[0])
        width_px, height_px = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
        thumbnail = np.zeros((1, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        thumbnail[0, :height_px, :width_px] = cv2.resize(frame, (width_px, height_px), interpolation=way)
        boxes, scores, points = (part[0] for part in self.session.run(None, {"image": thumbnail}))
        kept = suppress(boxes, scores, LEAST_SCORE)
        return (boxes[kept] + 0.5) / scale - 0.5, scores[kept], (points[kept] + 0.5) / scale - 0.5


def yunet_boxes(judge: cv2.FaceDetectorYN, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (N, 4) px and scores (N,) of YuNet on the frame scaled to 640 px width."""
    scale = YUNET_WIDTH_PX / frame.shape[1]
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    judge.setInputSize(small.shape[1::-1])
    found = judge.detect(small)[1]
    found = np.zeros((0, 15), np.float32) if found is None else found
    boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1) / scale
    return boxes, found[:, 14]


@dataclass
class Tally:
    """Counts of one clip, (thresholds,) each."""

    frames: int = 0
    by_mediapipe: int = 0
    by_yunet: int = 0
    by_either: int = 0
    hits_mediapipe: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), int))
    hits_either: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), int))
    hits_yunet: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), int))
    false: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), int))
    yunet_missed: int = 0
    """Of MediaPipe's faces, those that YuNet misses at 0.6: what to compare with"""

    def add(self, other: "Tally") -> None:
        """Add another clip's counts."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def judged_frame(
    detector: Detector, judge: cv2.FaceDetectorYN, frame: np.ndarray, landmarks: np.ndarray
) -> tuple[Tally, np.ndarray]:
    """Return the counts of one frame, and the boxes found at 0.5; landmarks (N, 478, 3) px are MediaPipe's."""
    found, scores, _ = detector.find(frame)
    rival, rival_scores = yunet_boxes(judge, frame)
    least_px = LEAST_EYES_SHARE * frame.shape[0]
    labelled = faces.mesh_box(landmarks).reshape(-1, 4)
    large = faces.eye_distance_px(landmarks) >= least_px
    sure = (rival_scores >= YUNET_SURE) & ((rival[:, 2] - rival[:, 0]) * EYES_OF_BOX >= least_px)
    ignored = np.concatenate([labelled, rival[rival_scores >= YUNET_PERHAPS]])
    own = overlaps(rival[sure], labelled).max(axis=1) < SAME if len(labelled) else np.ones(int(sure.sum()), bool)
    either = np.concatenate([labelled[large], rival[sure][own]])
    tally = Tally(frames=1, by_mediapipe=int(large.sum()), by_yunet=int(sure.sum()), by_either=len(either))
    for row, threshold in enumerate(THRESHOLDS):
        kept = found[scores >= threshold]
        tally.hits_either[row] = count_hits(kept, either, ignored)[0]
        tally.hits_mediapipe[row] = count_hits(kept, labelled[large], ignored)[0]
        tally.hits_yunet[row], tally.false[row] = count_hits(kept, rival[sure], ignored)
    seen = rival[rival_scores >= 0.6]
    if large.any():
        best = overlaps(labelled[large], seen).max(axis=1) if len(seen) else np.zeros(int(large.sum()))
        tally.yunet_missed = int((best < 0.4).sum())
    return tally, found[scores >= 0.5]


def clip_frames(data: Path, clip_labels: Path) -> Iterator[tuple[str, faces.Labelled]]:
    """Yield (clip, frame) of every labelled frame."""
    for labelled in faces.read_clip_frames(data / "clips", clip_labels):
        yield labelled.name.split("/")[0], labelled


def every_frame(file: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a clip, (H, W, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(file))
    while True:
        ok, frame = capture.read()
        if not ok:
            return
        yield frame


def faceless(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (file, picture) of pictures, and of every fifth frame of clips, that show no face."""
    for file in sorted(folder.iterdir()):
        if file.suffix in PICTURES:
            yield file.name, cv2.imread(str(file), cv2.IMREAD_COLOR)
            continue
        yield from ((file.name, frame) for number, frame in enumerate(every_frame(file)) if number % EVERY == 0)


def drawn(frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return a (192, 320, 3) drawing of the boxes (N, 4) px."""
    scale = min(WIDTH_PX / frame.shape[1], HEIGHT_PX / frame.shape[0])
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for x1, y1, x2, y2 in np.round(boxes * scale).astype(int).tolist():
        cv2.rectangle(small, (x1, y1), (x2, y2), (0, 255, 0), 1)
    picture[: small.shape[0], : small.shape[1]] = small[:HEIGHT_PX, :WIDTH_PX]
    return picture


def percent(part: np.ndarray, whole: int) -> str:
    """Return shares in percent as text, one per threshold."""
    return " / ".join(f"{100 * value / max(whole, 1):.1f}" for value in part)


def report(name: str, tally: Tally) -> None:
    """Log one clip's counts."""
    log.info(
        "%s: %d frames; recall of %d MediaPipe faces %s %% (YuNet %.1f), of %d sure YuNet faces %s %%; false %s",
        name, tally.frames, tally.by_mediapipe, percent(tally.hits_mediapipe, tally.by_mediapipe),
        100 - 100 * tally.yunet_missed / max(tally.by_mediapipe, 1), tally.by_yunet,
        percent(tally.hits_yunet, tally.by_yunet), tally.false.tolist(),
    )  # fmt: skip


def measure_speed(detector: Detector) -> None:
    """Log the time of one thumbnail on one thread."""
    image = np.zeros((1, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    times_s = []
    for _ in range(300):
        started_s = time.perf_counter()
        detector.session.run(None, {"image": image})
        times_s.append(time.perf_counter() - started_s)
    log.info("one thumbnail: median %.2f ms, fastest %.2f ms", 1e3 * np.median(times_s), 1e3 * min(times_s))


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clip-labels", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True, help="YuNet as ONNX")
    parser.add_argument("--sheet", type=Path, help="contact sheet PNG to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    detector = Detector(arguments.model)
    judge = cv2.FaceDetectorYN.create(str(arguments.judge), "", (320, 320), score_threshold=YUNET_PERHAPS)
    log.info("thresholds: %s", " / ".join(map(str, THRESHOLDS)))
    clips: dict[str, Tally] = {}
    sheet: list[np.ndarray] = []
    for name, labelled in clip_frames(arguments.data, arguments.clip_labels):
        counts, boxes = judged_frame(detector, judge, labelled.image, labelled.faces)
        clips.setdefault(name, Tally()).add(counts)
        if clips[name].frames % 10 == 1 and clips[name].frames < 40:
            sheet.append(drawn(labelled.image, boxes))
    total = Tally()
    for name, tally in clips.items():
        report(name, tally)
        total.add(tally)
    report("all clips", total)
    talking = Tally()
    for name, tally in clips.items():
        if name.startswith(TALKING_HEADS):
            talking.add(tally)
    shares = percent(talking.hits_either, talking.by_either)
    log.info("talking heads: recall of %d faces that either judge sees %s %%", talking.by_either, shares)
    false = np.zeros(len(THRESHOLDS), int)
    count = 0
    for _, picture in faceless(arguments.data / "noface"):
        _, scores, _ = detector.find(picture)
        false += [int((scores >= threshold).sum()) for threshold in THRESHOLDS]
        count += 1
    log.info("%d pictures and frames without a face: false %s", count, false.tolist())
    measure_speed(detector)
    if arguments.sheet:
        write_sheet(sheet, arguments.sheet)


if __name__ == "__main__":
    main()
