"""Figures of several runs as one, and the table of `live bench quality`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from live.bench.faces_figures import rounded

SUMS = frozenset({"frames", "refused", "judged", "face_lost_frames", "closed_frames", "mouth_frames", "outside_pixels"})
WEIGHTS = {
    "nearer_percent": "judged",
    "identified_percent": "judged",
    "to_source": "judged",
    "to_target": "judged",
}
"""What a figure's mean is weighted by where it is not `frames`."""
COLUMNS = (
    ("nearer", "nearer_percent", "{:.0f} %"),
    ("named", "identified_percent", "{:.0f} %"),
    ("source", "to_source", "{:.2f}"),
    ("target", "to_target", "{:.2f}"),
    ("moved", "displacement_percent", "{:.2f} %"),
    ("pose", "pose_deg", "{:.2f}"),
    ("steady", "pose_steady_deg", "{:.2f}"),
    ("blinks", "blink_agreement_percent", "{:.1f} %"),
    ("mouth", "mouth_agreement_percent", "{:.1f} %"),
    ("flicker", "flicker_ratio", "{:.2f}"),
    ("seam", "seam_ratio", "{:.2f}"),
    ("outline", "outline_seam_ratio", "{:.2f}"),
    ("inner", "inner_seam_ratio", "{:.2f}"),
    ("outside", "outside_pixels", "{:.0f}"),
    ("shown", "shown_percent", "{:.0f} %"),
    ("ms", "swap_ms", "{:.1f}"),
)
"""Head, key and form; what they mean is said in `live.bench.quality.measure`."""
NAME_WIDTH, CELL_WIDTH = 30, 9


def merged(several: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make one of the figures of several runs: sums of counts, else means weighted by frames; None is not counted."""
    keys = dict.fromkeys(key for figures in several for key in figures)
    return {key: _merged(key, several) for key in keys}


def _merged(key: str, several: Sequence[dict[str, Any]]) -> Any:
    if key in SUMS:
        return sum(figures.get(key, 0) for figures in several)
    weight = WEIGHTS.get(key, "frames")
    pairs = [(figures[key], figures[weight]) for figures in several if figures.get(key) is not None]
    if key == "swap_ms":
        return rounded(np.median([value for value, _ in pairs])) if pairs else None
    total = sum(frames for _, frames in pairs)
    return rounded(sum(value * frames for value, frames in pairs) / total) if total else None


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    who = report["machine"]
    lines = [
        f"live {report['live']}, {report['data']}, {who['cores']} x {who['cpu']}, {who['system']}",
        f"{report['preset']}; {len(report['clips'])} clips, {len(report['sources'])} source faces, up to "
        f"{report['limit']} frames each, {report['people']} people to choose from",
        "",
        _line("", [head for head, _, _ in COLUMNS]),
    ]
    for name, shapes in {**report["clips"], **report["sources"], "all": report["total"]}.items():
        if name == "all" or name == next(iter(report["sources"])):
            lines.append("")
        lines += [
            _line(f"{name[: NAME_WIDTH - 5]:{NAME_WIDTH - 4}}{shape:>3}", _cells(row)) for shape, row in shapes.items()
        ]
    first = {"closed_frames": 0, "mouth_frames": 0} | next(iter(report["total"].values()))
    lines += [
        "",
        "nearer: to the source than to the bare target; named: as the source, among all people; moved: landmarks, of",
        "the eye distance; pose: degrees, steady: without what is constant; blinks, mouth: open or closed as in the",
        "bare picture; flicker, and seam at the mask's edge, the face's outline, eyes and mouth: swapped over bare",
        f"evidence: {first['judged']} frames judged for likeness, {first['closed_frames']} with closed eyes, "
        f"{first['mouth_frames']} with the mouth at the rarer end of its motion",
    ]
    return "\n".join([*lines, *(f"left out: {reason}" for reason in report["left_out"].values())])


def _cells(row: dict[str, Any]) -> list[str]:
    return ["-" if row.get(key) is None else form.format(row[key]) for _, key, form in COLUMNS]


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:{NAME_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells)
