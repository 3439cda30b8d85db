"""`live bench faces`: the embedded detector, landmarker and masker judged on labelled material, on one core.

The headline (`nme_percent`, `failure_percent`) is the way from labels: the patch comes from the label moved by a few
percent, as it would from the frame before, so the figures compare with those of the trainings. `end_to_end` is what the
program makes of the picture alone. Labels are another network's opinion: errors are distances to it. Of sets that were
trained on only every tenth picture, which was not, is measured; labelled clips are measured whole, trained on or not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from live.bench import faces_data
from live.bench.faces_clips import measure_clips, measure_faceless
from live.bench.faces_looking import Found, Perception, load_perception, measure_masks, measure_set
from live.bench.faces_sheet import Sheet
from live.bench.faces_steadiness import measure_speed, measure_steadiness
from live.bench.report import check_places, head
from live.errors import UsageError
from live.preset import Preset
from live.resources import models_dir

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is measured."""

    data: Path
    """A folder with labels.npz, a folder of such folders, or one with faces/, noface/, clips/ and parsing/."""
    clip_labels: Path | None = None
    """What models/training/label_clips.py writes."""
    limit: int | None = None
    """At most so many pictures of a set and frames of a clip."""
    every: bool = False
    """Pictures that were trained on too."""
    sheet: Path | None = None
    """Where to write the contact sheet."""
    json: Path | None = None
    """Where the report will be written: looked at before the long work begins."""
    models: Path | None = None
    """Folder of other weights than the embedded ones."""


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Measure all that the folder has material for.

    Returns: the report; `absent` says in words what was not measured and why.
    Raises: UsageError for material that cannot be used, ModelError, OutputError when the sheet cannot be written.
    """
    check_places(json=wish.json, sheet=wish.sheet)
    sets = faces_data.find_sets(wish.data)
    painted = faces_data.thinned(faces_data.find_painted(wish.data), wish.limit)
    faceless = faces_data.find_faceless(wish.data)
    if not sets and not painted and not faceless and wish.clip_labels is None:
        raise UsageError(
            f"{wish.data} holds no material; a set is a folder with pictures and labels.npz, and beside sets there may "
            "be noface/, clips/ and parsing/"
        )
    labels = None if wish.clip_labels is None else faces_data.read_clip_labels(wish.clip_labels)
    perception = load_perception(preset, wish.models or models_dir())
    sheet = Sheet(wanted=wish.sheet is not None)
    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # of broken clips, which are counted
    try:
        report = _head(preset, wish) | _measure_sets(perception, sets, wish, sheet)
        detection = report["detection"] = {"score": preset.faces.detector_score, "pictures": report.pop("recall")}
        if labels is not None:
            log.info("clips: %d labelled", len(labels))
            detection["clips"] = measure_clips(perception, wish.data, labels, wish.limit, sheet)
        if faceless:
            log.info("noface: %d files", len(faceless))
            detection["noface"] = measure_faceless(perception, faceless, wish.limit, sheet)
        if painted and perception.masker is not None:
            log.info("parsing: %d pictures", len(painted))
            report["mask"] = measure_masks(perception, painted, sheet)
        log.info("steadiness and speed")
        report |= measure_steadiness(perception)
        report["ms"] = measure_speed(perception)
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)
    report["absent"] = _absent(perception, wish, sets=bool(sets), painted=bool(painted), faceless=bool(faceless))
    if wish.sheet is not None:
        sheet.write(wish.sheet)
    return report


def _head(preset: Preset, wish: Wish) -> dict[str, Any]:
    return head(data=str(wish.data), preset=preset.about, limit=wish.limit, trained_on_too=wish.every)


def _measure_sets(
    perception: Perception, sets: list[faces_data.PictureSet], wish: Wish, sheet: Sheet
) -> dict[str, Any]:
    """Figures of all pictures, `sets` with those of each set, and `recall` of the detector."""
    total, by_set = Found(), {}
    for picture_set in sets:
        rows = faces_data.chosen_rows(picture_set, every=wish.every, limit=wish.limit)
        log.info("%s: %d of %d pictures", picture_set.name, len(rows), len(picture_set.names))
        found = measure_set(perception, picture_set, rows, sheet)
        total.add(found)
        name = picture_set.name
        while name in by_set:  # folders of one name at two places
            name += "'"
        by_set[name] = found.report()
    figures = total.report()
    recall = {"faces": figures["pictures"], "recall_percent": figures["recall_percent"]}
    not_found = figures["end_to_end"]["not_found"]
    followed = round(100 - 100 * not_found / figures["pictures"], 2) if figures["pictures"] else None
    return {**figures, "sets": by_set, "recall": {**recall, "followed_percent": followed}}


def _absent(perception: Perception, wish: Wish, *, sets: bool, painted: bool, faceless: bool) -> list[str]:
    """What was left out, in words."""
    clips = wish.clip_labels is not None
    masks = painted and perception.masker is not None
    notes = (
        (sets, f"landmarks: no folder with pictures and {faces_data.LABELS}"),
        (clips, "recall on clips: no --clip-labels"),
        (faceless, "false faces: no noface/ in the folder"),
        (masks, "masks: no parsing/ in the folder" if perception.masker else "masks: there is no masker.onnx"),
    )
    return [note for there, note in notes if not there]


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    who = report["machine"]
    lines = [f"live {report['live']}, {report['data']}, {who['cores']} x {who['cpu']}, {who['system']}"]
    if report["pictures"]:
        lines += ["", *_landmark_lines(report)]
    lines += ["", *_detection_lines(report["detection"])]
    if "mask" in report:
        mask = report["mask"]
        lines.append(
            f"masks: IoU {_text(mask['iou_mean'])} mean, {_text(mask['iou_p10'])} for the worst tenth, of "
            f"{mask['pictures']} pictures, {mask['not_found']} without a face found; glasses counted as no face: "
            f"{_text(mask['iou_glasses_cover_mean'])}{_left_out(mask)}"
        )
    jitter, late = report["jitter_px"], report["step_late_frames"]
    lines.append(
        f"a still face of a 720p frame under noise: {jitter['raw']:.2f} px rms raw, {jitter['smoothed']:.2f} smoothed; "
        f"after a jump {late['raw']} frames late raw, {late['smoothed']} smoothed"
    )
    lines += ["", f"{'ms on one thread':20}{'median':>8}{'p99':>8}{'least':>8}"]
    lines += [f"  {name:18}{ms['median']:8.2f}{ms['p99']:8.2f}{ms['least']:8.2f}" for name, ms in report["ms"].items()]
    return "\n".join([*lines, *(f"not measured: {note}" for note in report["absent"])])


def _landmark_lines(report: dict[str, Any]) -> list[str]:
    columns = ("pictures", "nme_percent", "median_nme_percent", "p95_nme_percent", "failure_percent", "not_found")
    heads = ("pictures", "error %", "median", "p95", "failed %", "missed")
    whole = columns[1:2] + columns[4:]
    lines = [
        f"{'':22}{'from the labels':^{9 * len(heads)}}  {'end to end':^27}",
        f"{'':22}"
        + "".join(f"{head:>9}" for head in heads)
        + "  "
        + "".join(f"{h:>9}" for h in (heads[1], *heads[4:])),
    ]
    groups = {f"turned {name} deg": figures for name, figures in report["by_yaw"].items()}
    for name, figures in {**report["sets"], "all": report, **groups}.items():
        other = figures.get("end_to_end") or report["end_to_end"]["by_yaw"].get(name.split(" ")[1], {})
        cells = [_text(figures[key]) for key in columns] + [""] + [_text(other.get(key)) for key in whole]
        lines.append(f"{name:22}" + "".join(f"{cell:>9}" if cell else "  " for cell in cells))
    regions = ", ".join(f"{name} {_text(value)}" for name, value in report["by_region"].items())
    return [*lines, f"error by region: {regions}{_left_out(report)}"]


def _detection_lines(detection: dict[str, Any]) -> list[str]:
    lines, pictures = [], detection["pictures"]
    if pictures["faces"]:
        lines.append(
            f"labelled pictures: {pictures['faces']} faces, found {_text(pictures['recall_percent'])} %, "
            f"followed {_text(pictures['followed_percent'])} %"
        )
    if "clips" in detection:
        clips = detection["clips"]
        lines.append(
            f"clips: {clips['faces']} faces on {clips['frames']} frames, found {_text(clips['recall_percent'])} %, "
            f"followed {_text(clips['followed_percent'])} %; a face missed on {clips['missed_frames']} frames, "
            f"{clips['shown_frames']} of them not held by privacy{_left_out(clips)}"
        )
        lines += [
            f"  {name:48} found {_text(clip['recall_percent']):>6} % of {clip['faces']}, followed "
            f"{_text(clip['followed_percent'])} %, not held {clip['shown_frames']}"
            for name, clip in clips["by_clip"].items()
            if clip["missed_frames"] or clip["detected"] < clip["faces"]
        ]
    if "noface" in detection:
        none = detection["noface"]
        lines.append(
            f"no faces: {none['frames']} frames, {none['finds']} false finds on {none['frames_with_finds']} of them; "
            f"confirmed by the landmarker {none['false_faces']} false faces on {none['frames_with_false_faces']} frames"
            f"{_left_out(none)}"
        )
    return lines


def _left_out(part: dict[str, Any]) -> str:
    """How much could not be used; `--verbose` logs why."""
    return f"; {part['left_out']} left out, --verbose says why" if part["left_out"] else ""


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:d}" if isinstance(value, int) else f"{value:.2f}"
