"""`live bench quality`: how good a swap looks, in numbers, through the program's own tracker, masker, engine and paste.

Every clip is followed as it would be on air, frame by frame, and every source face is put on at every shape. Likeness
is judged by a recogniser that no engine was made with; whether expression and pose are kept, by the program's own
landmarker on the bare and on the swapped picture; flicker, seams and what lies outside, by arithmetic on pictures.
Needs the judge's weights, portraits and clips, which are not part of the program. Knows engines by their contract only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from live.bench import faces_data
from live.bench.quality_judge import JUDGE, Judge
from live.bench.quality_material import (
    choose_clips,
    choose_sources,
    find_portraits,
    look_through,
    read_people,
    read_portrait,
    read_source,
)
from live.bench.quality_report import merged, table
from live.bench.quality_run import Person, Run, Show, put_on
from live.bench.quality_sheet import Sheet
from live.bench.quality_wearing import Wearer
from live.bench.report import check_places, head
from live.errors import UsageError
from live.preset import Preset
from live.privacy import Rules
from live.studio import build_engine, build_masker, look_at_photos
from live.swap.contract import Engine
from live.values import Floats, Settings

__all__ = ["Wish", "measure", "read_source", "table"]

log = logging.getLogger(__name__)

SHAPES = (0.0, 0.5, 1.0)
FRAMES = 75


@dataclass(frozen=True, slots=True)
class Wish:
    """What is measured."""

    data: Path
    """A folder with judges/recogniser.onnx, clips/ and faces/portraits/."""
    clip_labels: Path | None = None
    """What models/training/label_clips.py writes: says whom to follow, and where his face is for the judge. Without it
    the program's own tracker and landmarker say so."""
    clips: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    limit: int = FRAMES
    """Frames of a clip, from its beginning."""
    shapes: tuple[float, ...] = SHAPES
    sheet: Path | None = None
    json: Path | None = None
    """Where the report will be written: looked at before the long work begins."""


@dataclass(slots=True)
class _Parts:
    """What was loaded."""

    judge: Judge
    wearers: dict[tuple[str, float], Wearer]
    """By source face and shape."""
    persons: dict[str, Person]
    """The source faces, as the judge sees them, each with everybody else."""
    people: int
    sheet: Sheet
    left_out: dict[str, str] = field(default_factory=dict)


def measure(preset: Preset, wish: Wish, *, engines: Callable[[Preset], Engine] = build_engine) -> dict[str, Any]:
    """Put every source face on in every clip, at every shape.

    Returns: the report. `total` has figures by shape ("0", "0.5", "1"), `clips` and `sources` the same by name;
    `left_out` says which clips were not used and why. The figures, None where there was nothing to judge:
    - `frames` in which a face was followed and swapped, `shown_percent` of them with the face fully on (an engine may
      fade out; on air such a frame is held, and nothing below counts it), `refused` landmarks the engine raised on;
    - `judged` frames, about every third: `nearer_percent` of them nearer to the source than to the bare face of the
      same frame; `identified_percent` in which nobody of `people` portraits and the target is nearer than the source;
      `to_source`, `to_target`: mean cosines (the same person in two pictures 0.6 to 0.7, strangers 0.0 to 0.2);
    - `displacement_percent` of the eye distance by which landmarks are off after pose and what is constant over the
      clip (the shape) were removed; `displacement_eyes_percent`, `_lips_`, `_outline_`, `_irises_`;
    - `pose_deg`, `pose_steady_deg`: mean angle between the poses, the second without what is constant over the clip;
    - `blink_agreement_percent`, `mouth_agreement_percent` of the frames where the bare state is clear; `closed_frames`
      of them with closed eyes, `mouth_frames` with the mouth at the rarer end of its motion: the evidence there is;
      `lids_correlation`, `mouth_correlation` over time;
      `face_lost_frames` in whose swapped picture the landmarker sees no face;
    - `flicker_ratio` of the changes from frame to frame inside the mask, worn over bare, after the bare picture's
      motion was taken out; both in levels of 0..255: `flicker_levels`, `bare_flicker_levels`;
    - `seam_ratio` of the gradients' energies, worn over bare, in a band across the mask's outer edge;
      `outline_seam_ratio` across the worn face's outline, where the mask reaches beyond it (shape above 0);
      `inner_seam_ratio` across the edges of eyes, mouth and what covers the face;
    - `outside_pixels` outside the region the engine declared that are not bit for bit as they came, in NV12;
    - `swap_ms`: median time of the engine's `swap`, waiting for the masker included.
    Raises: UsageError for material that is missing or of no use, ModelError, OutputError for the sheet.
    """
    check_places(json=wish.json, sheet=wish.sheet)
    portraits = find_portraits(wish.data)
    names, clips = choose_sources(portraits, wish.sources), choose_clips(wish.data, wish.clips)
    judge = Judge(wish.data / JUDGE)
    labels = {} if wish.clip_labels is None else faces_data.read_clip_labels(wish.clip_labels)
    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    cv2.setNumThreads(preset.threads.opencv or -1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # of broken clips, which are left out
    try:
        parts = _load(preset, wish, portraits, names, judge, engines)
        runs = _measure_clips(preset, wish, parts, clips, labels)
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)
    if not runs:
        reason = next(iter(parts.left_out.values()))
        raise UsageError(f"no clip can be used ({reason}); take clips of one person whose face is clearly seen")
    if wish.sheet is not None:
        parts.sheet.write(wish.sheet)
    return _report(preset, wish, parts, runs)


def _load(
    preset: Preset, wish: Wish, portraits: Path, names: list[str], judge: Judge, engines: Callable[[Preset], Engine]
) -> _Parts:
    """Embed everybody, prepare one engine for each source face."""
    look = look_at_photos()
    log.info("portraits and source faces")
    everybody = {who.name: judge.embed(who.image, who.landmarks) for who in read_people(portraits, look)}
    persons, wearers = {}, {}
    rules = Rules(**preset.privacy.model_dump(exclude={"protect"}))
    for name in names:
        source = read_source(portraits, name, look)
        if name not in everybody:  # of more portraits than are taken for people
            portrait = read_portrait(portraits, name, look)
            everybody[name] = judge.embed(portrait.image, portrait.landmarks)
        persons[name] = Person(everybody[name], [vector for other, vector in everybody.items() if other != name])
        engine = engines(preset)
        for number, shape in enumerate(wish.shapes):
            if number and preset.engine == "mesh":  # how far its region reaches depends on the frame before
                engine = engines(preset)
            settings = Settings(source=source, strength=preset.swap.strength, shape=shape)
            wearers[name, shape] = Wearer(engine, build_masker(preset), settings, rules, number)
    return _Parts(judge, wearers, persons, len(everybody) + 1, Sheet(wish.shapes))


def _measure_clips(
    preset: Preset, wish: Wish, parts: _Parts, clips: list[Path], labels: dict[str, dict[int, Floats]]
) -> list[Run]:
    """Go through all clips; those without one clear face are left out."""
    runs: list[Run] = []
    for number, path in enumerate(clips):
        known = labels.get(path.name, {})
        try:
            clip = look_through(path, preset, known, wish.limit)
        except UsageError as error:
            log.debug("left out: %s", error)
            parts.left_out[path.name] = str(error)
            continue
        log.info("%s: a face in %d of %d frames", path.name, len(clip.faces), clip.frames)
        show = Show(clip, number, known, parts.judge, parts.persons, parts.sheet if wish.sheet else None)
        runs += put_on(show, parts.wearers, preset)
    return runs


def _report(preset: Preset, wish: Wish, parts: _Parts, runs: list[Run]) -> dict[str, Any]:
    rows = [(run, run.figures(parts.people)) for run in runs]

    def by_shape(clip: str | None = None, source: str | None = None) -> dict[str, Any]:
        chosen = [row for row in rows if clip in (None, row[0].clip) and source in (None, row[0].source)]
        return {f"{shape:g}": merged([found for run, found in chosen if run.shape == shape]) for shape in wish.shapes}

    return head(data=str(wish.data), preset=preset.about, limit=wish.limit) | {
        "labels": None if wish.clip_labels is None else str(wish.clip_labels),
        "people": parts.people,
        "total": by_shape(),
        "clips": {clip: by_shape(clip=clip) for clip in dict.fromkeys(run.clip for run in runs)},
        "sources": {name: by_shape(source=name) for name in parts.persons},
        "left_out": parts.left_out,
    }
