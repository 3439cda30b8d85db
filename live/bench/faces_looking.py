"""The embedded perception judged on pictures: landmarks from labels and end to end, detection, masks.

End to end is the program's own tracker, shown the picture as a still frame for 0.4 s. Knows perception by its public
parts; which pictures there are is told by faces_data.py, what the numbers mean by faces_figures.py.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from live.bench import faces_data
from live.bench.faces_data import PictureSet, Sample
from live.bench.faces_figures import (
    Row,
    box_overlaps,
    disturbed,
    face_and_glasses,
    figures,
    is_found,
    mask_overlap,
    percent,
    rounded,
    row_of,
)
from live.bench.faces_sheet import Sheet, drawn_landmarks, drawn_mask, drawn_picture
from live.errors import UsageError
from live.faces.detector import Detector
from live.faces.landmarker import Landmarker, patch_from_landmarks
from live.faces.tracker import Options, Tracker
from live.faces.tracks import box_of
from live.pixels import host
from live.preset import Preset
from live.privacy import Rules
from live.values import Detection, Face, Floats, Frame, Pixels

if TYPE_CHECKING:
    from live.faces.masker import Masker

log = logging.getLogger(__name__)

STILL_S = (0.0, 0.1, 0.2, 0.3, 0.4)
"""When the tracker looks at a still picture: long enough for a newcomer to become sure."""
WIDE = 16 / 9
SELDOM = 30


class RememberingDetector(Detector):
    """The embedded detector; keeps what it found last, so that the tracker's own look can be counted."""

    last: Sequence[Detection] = ()

    def detect(self, thumbnail: Pixels, scale: float) -> list[Detection]:
        """As Detector."""
        found = super().detect(thumbnail, scale)
        self.last = found
        return found


@dataclass(frozen=True, slots=True)
class Perception:
    """What is judged, on one thread each, as a preset sets it."""

    detector: RememberingDetector
    landmarker: Landmarker
    masker: Masker | None
    options: Options
    rules: Rules

    def tracker(self, *, detector_every: int) -> Tracker:
        """A tracker that has seen nothing yet."""
        return Tracker(self.detector, self.landmarker, replace(self.options, detector_every=detector_every))


def load_perception(preset: Preset, models: Path) -> Perception:
    """Load the networks of a folder; the masker only where there is one. Raises: ModelError."""
    keys = preset.faces
    detector = RememberingDetector(
        models / "detector.onnx", width_px=keys.detector_width_px, score=keys.detector_score, threads=1
    )
    masker = None
    if (models / "masker.onnx").is_file():
        from live.faces.masker import Masker

        masker = Masker(models / "masker.onnx", threads=1)
    options = Options(keys.most, keys.detector_every, keys.track_score, keys.steadiness)
    rules = Rules(**preset.privacy.model_dump(exclude={"protect"}))
    return Perception(detector, Landmarker(models / "landmarker.onnx", threads=1), masker, options, rules)


def widened(picture: Pixels) -> tuple[Frame, int]:
    """The picture as a frame: one narrower than 16:9 in the middle of a black 16:9 frame of its own height.

    Faces of tight crops then are as large in the detector's thumbnail as those of a webcam may be.
    Returns: the frame, and how far to the right the picture lies in it, px.
    """
    height_px, width_px = picture.shape[:2]
    missing_px = max(round(height_px * WIDE) - width_px, 0)
    left_px = missing_px // 2
    if missing_px:
        picture = cv2.copyMakeBorder(picture, 0, 0, left_px, missing_px - left_px, cv2.BORDER_CONSTANT)
    return host.bgr_frame(np.ascontiguousarray(picture), time_s=0.0, number=0), left_px


def look_at_still(perception: Perception, frame: Frame) -> tuple[list[Face], list[Detection]]:
    """Show one picture to a new tracker for a while.

    Returns: the faces that the program would swap at the end, and what the detector found in its first look.
    """
    tracker = perception.tracker(detector_every=SELDOM)
    faces, seen = tracker.look(frame, STILL_S[0])
    detections = list(perception.detector.last)
    for now_s in STILL_S[1:]:
        if not faces and not seen.doubtful:
            break
        faces, seen = tracker.look(frame, now_s)
    return faces, detections


@dataclass(slots=True)
class Found:
    """How the faces of some labelled pictures were found."""

    from_labels: list[Row] = field(default_factory=list)
    end_to_end: list[Row] = field(default_factory=list)
    detected: int = 0
    left_out: int = 0

    def add(self, other: Found) -> None:
        """Count those of another set too."""
        self.from_labels += other.from_labels
        self.end_to_end += other.end_to_end
        self.detected += other.detected
        self.left_out += other.left_out

    def report(self) -> dict[str, Any]:
        """The figures: of the way from labels, and under `end_to_end` of the other."""
        end_to_end = figures(self.end_to_end)
        recall = percent(self.detected, len(self.end_to_end))
        return {
            **figures(self.from_labels),
            "left_out": self.left_out,
            "recall_percent": recall,
            "end_to_end": end_to_end,
        }


def measure_set(perception: Perception, picture_set: PictureSet, rows: Sequence[int], sheet: Sheet) -> Found:
    """Look at pictures of a set, one at a time; those that do not fit are counted and left out."""
    found = Found()
    for row in rows:
        try:
            sample = faces_data.read_sample(picture_set, row)
        except UsageError as error:
            log.debug("left out of %s: %s", picture_set.name, error)
            found.left_out += 1
            continue
        _judge(perception, sample, f"{picture_set.name}/{sample.name}", found, sheet)
    return found


def _judge(perception: Perception, sample: Sample, name: str, found: Found, sheet: Sheet) -> None:
    """Add how one picture was seen, both ways."""
    true = sample.landmarks
    # Seeded by the name: the same picture gets the same patch whatever else is measured.
    around = disturbed(true, np.random.default_rng(zlib.crc32(sample.name.encode())))
    frame = host.bgr_frame(sample.image, time_s=0.0, number=0)
    landmarks, scores = perception.landmarker.look(frame, patch_from_landmarks(around)[None])
    seen = landmarks[0] if scores[0] > 0 else None
    row = row_of(seen, true, sure=bool(scores[0] >= perception.options.track_score))
    found.from_labels.append(row)
    points = np.zeros_like(true) if seen is None else seen
    error = float("inf") if row.nme_percent is None else row.nme_percent
    sheet.add("landmarks from labels", error, name, partial(drawn_landmarks, sample.image, true, points))

    wide, left_px = widened(sample.image)
    faces, detections = look_at_still(perception, wide)
    box = box_of(true + np.array([left_px, 0, 0], np.float32))
    found.detected += is_found(box, [detection.box for detection in detections])
    same = nearest(faces, box)
    whole = None if same is None else same.landmarks - np.array([left_px, 0, 0], np.float32)
    row = row_of(whole, true, sure=whole is not None)
    found.end_to_end.append(row)
    if row.nme_percent is None:
        sheet.add("not found", 1.0, name, partial(drawn_picture, sample.image, [box_of(true)]))


def measure_masks(perception: Perception, pairs: Sequence[tuple[Path, Path]], sheet: Sheet) -> dict[str, Any]:
    """Compare masks with painted pictures, over the whole picture; a face that is not found has an empty mask.

    Painted glasses are lenses with their frames, half face and half not: `iou_*` leave them out of the count;
    `iou_glasses_cover_mean` takes them for no face.
    """
    overlaps: list[tuple[float, float]] = []
    left_out = not_found = 0
    for picture, mask in pairs:
        try:
            image, classes = faces_data.read_painted(picture, mask)
        except UsageError as error:
            log.debug("left out of masks: %s", error)
            left_out += 1
            continue
        opinion = mask_of(perception, image)
        not_found += opinion is None
        seen = np.zeros(classes.shape, np.float32) if opinion is None else opinion
        face, glasses = face_and_glasses(classes)
        overlap = mask_overlap(seen >= 0.5, face, ~glasses)
        overlaps.append((overlap, mask_overlap(seen >= 0.5, face)))
        sheet.add("masks", 1 - overlap, picture.name, partial(drawn_mask, image, seen, face))
    table = np.array(overlaps).reshape(-1, 2)
    some = len(table) > 0
    return {
        "pictures": len(table),
        "left_out": left_out,
        "not_found": not_found,
        "iou_mean": rounded(table[:, 0].mean() if some else None),
        "iou_p10": rounded(np.percentile(table[:, 0], 10) if some else None),
        "iou_glasses_cover_mean": rounded(table[:, 1].mean() if some else None),
    }


def mask_of(perception: Perception, image: Pixels) -> Floats | None:
    """The mask (H, W) 0..1 of the largest face of a picture, as end to end; None without a face or a masker."""
    if perception.masker is None:
        return None
    frame, left_px = widened(image)
    faces, _ = look_at_still(perception, frame)
    if not faces:
        return None
    largest = max(faces, key=lambda face: face.box[3] - face.box[1])
    masks, matrices = perception.masker.mask(frame, largest.landmarks[None])
    size = (frame.width_px, frame.height_px)
    whole = cv2.warpAffine(masks[0], matrices[0], size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(whole[:, left_px : left_px + image.shape[1]], np.float32)


def nearest(faces: Sequence[Face], box: Sequence[float]) -> Face | None:
    """The face whose box overlaps most with the labelled one, enough to be the same."""
    if not is_found(box, [face.box for face in faces]):
        return None
    return faces[int(box_overlaps(box, [face.box for face in faces]).argmax())]
