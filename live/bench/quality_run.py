"""One clip, all source faces at all shapes, frame by frame: what `live bench quality` looks at in every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live.bench import faces_data
from live.bench.faces_figures import percent, rounded
from live.bench.quality_judge import Judge, Likeness
from live.bench.quality_keeping import Keeping, Seen, look_at
from live.bench.quality_material import Clip, camera_frame
from live.bench.quality_sheet import Row, Sheet, tile
from live.bench.quality_steadiness import Ground, Steadiness, ground
from live.bench.quality_wearing import Swap, Wearer, outside_pixels
from live.faces.landmarker import Landmarker, patch_from_landmarks
from live.faces.tracks import box_of
from live.pixels import host
from live.preset import Preset
from live.resources import models_dir
from live.values import Box, Face, Floats, Frame, Pixels

JUDGED_EVERY = 3
"""Frames, where labels do not say which: neighbours are nearly the same picture."""
LEAST_SCORE = 0.5
"""Of the landmarker: below it there is no face."""
MARGIN = 0.2
"""Of the face's size around it: where motion and edges are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A source face as the judge sees it."""

    vector: Floats
    others: list[Floats]
    """Everybody else of the gallery."""


@dataclass(frozen=True, slots=True, eq=False)
class Show:
    """A clip, and what is needed to judge it."""

    clip: Clip
    number: int
    """Of the clip: tracks of different clips are different."""
    labels: dict[int, Floats]
    judge: Judge
    persons: dict[str, Person]
    sheet: Sheet | None


@dataclass(frozen=True, slots=True, eq=False)
class Bare:
    """A frame as it came, looked at once for all source faces."""

    number: int
    frame: Frame
    picture: Pixels
    face: Face
    seen: Seen
    points: Floats
    """(478, 3) px: where the judge looks."""
    vector: Floats | None
    """What the judge sees; None in frames that are not judged."""
    ground: Ground


@dataclass(slots=True)
class Run:
    """Everything measured on one clip with one source face at one shape."""

    clip: str
    source: str
    shape: float
    likeness: Likeness = field(default_factory=Likeness)
    keeping: Keeping = field(default_factory=Keeping)
    steadiness: Steadiness = field(default_factory=Steadiness)
    frames: int = 0
    shown: int = 0
    refused: int = 0
    outside: int = 0
    seconds: list[float] = field(default_factory=list)
    before: Pixels | None = None
    """The picture of the last frame, if it was shown."""

    def figures(self, people: int) -> dict[str, Any]:
        """See `live.bench.quality.measure`."""
        return {
            "frames": self.frames,
            "shown_percent": percent(self.shown, self.frames),
            "refused": self.refused,
            **self.likeness.figures(people),
            **self.keeping.figures(),
            **self.steadiness.figures(),
            "outside_pixels": self.outside,
            "swap_ms": rounded(1e3 * np.median(self.seconds) if self.seconds else None),
        }


def put_on(show: Show, wearers: dict[tuple[str, float], Wearer], preset: Preset) -> list[Run]:
    """Put all source faces on in a clip, all in one go through its frames. Returns: a run for each of `wearers`."""
    landmarker = Landmarker(models_dir() / "landmarker.onnx", threads=preset.threads.network)
    runs = {key: Run(show.clip.path.name, *key) for key in wearers}
    rows = {} if show.sheet is None else _begin_rows(show.sheet, show.clip, wearers)
    middle = sorted(show.clip.faces)[len(show.clip.faces) // 2]
    before: Bare | None = None
    for number, (now_s, image) in enumerate(faces_data.clip_frames(show.clip.path, show.clip.frames)):
        if number not in show.clip.faces:
            before = None
            continue
        bare = _look(show, landmarker, camera_frame(image, now_s, number), number, before)
        tiles: dict[str, list[Pixels]] = {}
        margins: dict[str, list[float]] = {}
        for key, wearer in wearers.items():
            swap = wearer.wear(bare.frame, bare.face, show.number)
            margin = _judge(runs[key], bare, swap, show, landmarker)
            if rows and swap is not None and (number == middle or margin is not None):
                tiles.setdefault(key[0], []).append(tile(swap.picture, bare.points))
                margins.setdefault(key[0], []).append(margin if margin is not None else np.inf)
        for name, row in rows.items():
            _keep(row, bare, tiles.get(name, []), min(margins.get(name, [np.inf])), ordinary=number == middle)
        before = bare
    return list(runs.values())


def _look(show: Show, landmarker: Landmarker, frame: Frame, number: int, before: Bare | None) -> Bare:
    """Everything about a bare frame that all source faces need."""
    face, picture = show.clip.faces[number], host.to_bgr(frame)
    seen = _seen(landmarker, frame, picture, face)
    seen = seen or look_at(picture, face.landmarks)
    labelled = show.labels.get(number)
    judged = number % JUDGED_EVERY == 0 if not show.labels else labelled is not None and len(labelled) > 0
    points = seen.landmarks
    if labelled is not None and len(labelled):
        middles = labelled[:, :, :2].mean(axis=1) - face.landmarks[:, :2].mean(axis=0)
        points = labelled[np.linalg.norm(middles, axis=1).argmin()]
    vector = show.judge.embed(picture, points) if judged else None
    same = before is not None and before.face.track == face.track
    under = ground(picture, before.picture if before is not None and same else None, _around(face, frame))
    return Bare(number, frame, picture, face, seen, points, vector, under)


def _judge(run: Run, bare: Bare, swap: Swap | None, show: Show, landmarker: Landmarker) -> float | None:
    """Count one swapped frame. Returns: how much nearer to the source than to the target it is; None if not judged."""
    before, run.before = run.before, None
    if swap is None:
        run.refused += 1
        return None
    run.frames += 1
    run.outside += outside_pixels(bare.frame, swap.frame, swap.box)
    run.seconds.append(swap.seconds)
    if not swap.shown:
        return None
    run.shown += 1
    run.before = swap.picture
    worn = _seen(landmarker, swap.frame, swap.picture, bare.face, bare.seen)
    run.keeping.compare(bare.seen, worn)
    outline = bare.seen.landmarks if worn is None else worn.landmarks
    run.steadiness.look_at_edges(bare.ground, swap.picture, swap.alpha, outline)
    if before is not None:
        run.steadiness.compare(bare.ground, before, swap.picture, swap.alpha)
    if bare.vector is None:
        return None
    person = show.persons[run.source]
    vector = show.judge.embed(swap.picture, bare.points)
    return run.likeness.judge(vector, person.vector, bare.vector, person.others)


def _seen(landmarker: Landmarker, frame: Frame, picture: Pixels, face: Face, bare: Seen | None = None) -> Seen | None:
    """What the landmarker sees of a face, eyes and mouth cut where the bare picture has them; None where none."""
    landmarks, scores = landmarker.look(frame, patch_from_landmarks(face.landmarks)[None])
    if scores[0] < LEAST_SCORE:
        return None
    return look_at(picture, landmarks[0], None if bare is None else bare.landmarks)


def _around(face: Face, frame: Frame) -> Box:
    """The face's box with a margin, clipped to the frame."""
    x1, y1, x2, y2 = box_of(face.landmarks)
    margin = MARGIN * max(x2 - x1, y2 - y1)
    left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
    return left, top, min(int(x2 + margin), frame.width_px), min(int(y2 + margin), frame.height_px)


def _begin_rows(sheet: Sheet, clip: Clip, wearers: dict[tuple[str, float], Wearer]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for (name, _), wearer in wearers.items():
        if name not in rows:
            rows[name] = sheet.begin(clip.path.name, name, wearer.source.image, wearer.source.landmarks)
    return rows


def _keep(row: Row, bare: Bare, tiles: list[Pixels], margin: float, *, ordinary: bool) -> None:
    """Keep the tiles of a frame for the sheet, if it is the ordinary one or the least like the source so far."""
    if not tiles:
        return
    if ordinary:
        row.ordinary = [tile(bare.picture, bare.points), *tiles]
    if margin < row.margin:
        row.worst, row.margin = [tile(bare.picture, bare.points), *tiles], margin
