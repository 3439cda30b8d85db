"""The embedded perception judged on clips and on what shows no face: recall, false faces, and what privacy does then.

The tracker goes through a clip as the program does, frame by frame; the finds of its detector alone are counted beside.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from live.bench import faces_data
from live.bench.faces_figures import is_found, percent
from live.bench.faces_looking import Perception, look_at_still, widened
from live.bench.faces_sheet import Sheet, drawn_picture
from live.errors import UsageError
from live.faces.landmarker import EYE_CORNERS
from live.faces.tracks import box_of
from live.pixels import host
from live.pixels.pictures import is_still_picture
from live.privacy import Watch
from live.values import Detection, Face, Floats, Pixels

log = logging.getLogger(__name__)

LEAST_EYES_SHARE = 24 / 720
"""Between the outer eye corners, of the frame's height: smaller faces are not asked for."""


@dataclass(slots=True)
class Labelled:
    """Counts over labelled frames."""

    frames: int = 0
    faces: int = 0
    detected: int = 0
    """Faces with a find of the detector alone."""
    followed: int = 0
    """Faces that the program would swap."""
    missed_frames: int = 0
    """Frames with a face that it would not swap, ..."""
    shown_frames: int = 0
    """... and those of them that privacy takes for proven: the bare face goes on air."""

    def judge(self, labels: Floats, size: tuple[int, int], perception: Perception, faces: Sequence[Face]) -> bool:
        """Count one frame. Returns: whether a face was missed.

        Args: labels (N, 478, 3) px; size (height, width) px of the frame.
        """
        eyes_px = np.linalg.norm(labels[:, EYE_CORNERS[0], :2] - labels[:, EYE_CORNERS[1], :2], axis=1)
        boxes = [box_of(face) for face in labels[eyes_px >= LEAST_EYES_SHARE * size[0]]]
        finds = [detection.box for detection in perception.detector.last]
        followed = sum(is_found(box, [face.box for face in faces]) for box in boxes)
        self.frames += 1
        self.faces += len(boxes)
        self.detected += sum(is_found(box, finds) for box in boxes)
        self.followed += followed
        self.missed_frames += followed < len(boxes)
        return followed < len(boxes)

    def report(self) -> dict[str, Any]:
        """Counts and shares."""
        recall, followed = percent(self.detected, self.faces), percent(self.followed, self.faces)
        return {**asdict(self), "recall_percent": recall, "followed_percent": followed}


@dataclass(slots=True)
class Faceless:
    """Counts over frames that show no face."""

    frames: int = 0
    finds: int = 0
    """Of the detector alone."""
    frames_with_finds: int = 0
    false_faces: int = 0
    """That the program would swap: confirmed by the landmarker, followed, sure."""
    frames_with_false_faces: int = 0

    def judge(self, detections: Sequence[Detection], faces: Sequence[Face]) -> None:
        """Count one frame."""
        self.frames += 1
        self.finds += len(detections)
        self.frames_with_finds += bool(detections)
        self.false_faces += len(faces)
        self.frames_with_false_faces += bool(faces)


Counts = TypeVar("Counts", Labelled, Faceless)


def measure_clips(
    perception: Perception, data: Path, labels: dict[str, dict[int, Floats]], limit: int | None, sheet: Sheet
) -> dict[str, Any]:
    """Follow the labelled clips of the folder `clips`; those that are missing or broken are counted and left out.

    Labels of faces with less than 24 px between the eyes at 720 lines are not asked for. Finds without a label are not
    counted: who labelled may have missed a face.
    """
    files = {path.name: path for path in sorted((data / "clips").rglob("*")) if path.is_file()}
    by_clip: dict[str, Labelled] = {}
    left_out = 0
    for name, frames in sorted(labels.items()):
        clip = Labelled()
        try:
            if name not in files:
                raise UsageError(f"there is no clip {name}")
            _follow(perception, files[name], frames, limit, clip, sheet)
        except UsageError as error:
            log.debug("left out of clips: %s", error)
            left_out += 1
            continue
        by_clip[name] = clip
    return {
        **_sum(by_clip.values(), Labelled()).report(),
        "clips": len(by_clip),
        "left_out": left_out,
        "by_clip": {name: clip.report() for name, clip in by_clip.items()},
    }


def _follow(
    perception: Perception,
    path: Path,
    labels: dict[int, Floats],
    limit: int | None,
    clip: Labelled,
    sheet: Sheet,
) -> None:
    """Go through a clip with the tracker, to its last labelled frame."""
    tracker, watch = perception.tracker(detector_every=1), Watch(perception.rules)
    last = max(labels) + 1
    for number, (now_s, image) in enumerate(faces_data.clip_frames(path, last if limit is None else min(limit, last))):
        faces, seen = tracker.look(host.bgr_frame(image, time_s=now_s, number=number), now_s)
        boxes = [face.box for face in faces]
        proof = watch.prove(seen, boxes, worn=True, now_s=now_s)
        if number not in labels or not clip.judge(labels[number], image.shape[:2], perception, faces):
            continue
        clip.shown_frames += proof.proven
        kind = "clips, a face missed and shown" if proof.proven else "clips, a face missed and held"
        true = [box_of(face) for face in labels[number]]
        sheet.add(kind, 1.0, f"{path.name}/{number}", partial(drawn_picture, image, true, boxes))


def measure_faceless(perception: Perception, files: Sequence[Path], limit: int | None, sheet: Sheet) -> dict[str, Any]:
    """Show pictures and clips without faces to the program; files that are neither are counted and left out."""
    by_file: dict[str, Faceless] = {}
    left_out = 0
    for path in files:
        counts = Faceless()
        try:
            if is_still_picture(path):
                frame, _ = widened(faces_data.read_bounded(path))
                faces, detections = look_at_still(perception, frame)
                counts.judge(detections, faces)
                _draw_false(sheet, path.name, host.to_bgr(frame), faces)
            else:
                _follow_nobody(perception, path, limit, counts, sheet)
        except UsageError as error:
            log.debug("left out of what shows no face: %s", error)
            left_out += 1
            continue
        by_file[path.name] = counts
    return {
        **asdict(_sum(by_file.values(), Faceless())),
        "files": len(by_file),
        "left_out": left_out,
        "by_file": {name: asdict(counts) for name, counts in by_file.items() if counts.finds or counts.false_faces},
    }


def _follow_nobody(perception: Perception, path: Path, limit: int | None, counts: Faceless, sheet: Sheet) -> None:
    tracker = perception.tracker(detector_every=1)
    for number, (now_s, image) in enumerate(faces_data.clip_frames(path, limit)):
        faces, _ = tracker.look(host.bgr_frame(image, time_s=now_s, number=number), now_s)
        counts.judge(perception.detector.last, faces)
        _draw_false(sheet, f"{path.name}/{number}", image, faces)


def _draw_false(sheet: Sheet, name: str, image: Pixels, faces: Sequence[Face]) -> None:
    if faces:
        score = max(face.score for face in faces)
        sheet.add("false faces", score, name, partial(drawn_picture, image, [], [face.box for face in faces]))


def _sum(several: Iterable[Counts], total: Counts) -> Counts:
    """Add all counts to `total`."""
    for one in several:
        for key, value in asdict(one).items():
            setattr(total, key, getattr(total, key) + value)
    return total
