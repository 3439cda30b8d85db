from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live.faces.masker import Beside, Steady
from live.meter import Meter
from live.pixels import host
from live.privacy import Rules, Seen, Watch
from live.swap.contract import Job, Worn
from live.swap.none import NoEngine
from live.swap.pipeline import Pipeline
from live.values import Face, PixelFormat, Settings, SourceFace
from tests.parts import FACE_BOX, PAINT, SOURCE, PaintEngine, SureTracker, picture


def process(engine=None, settings: Settings | None = None, tracker=None, format: PixelFormat = PixelFormat.BGR):
    frame = host.convert(host.bgr_frame(picture(), time_s=0.0, number=0), format)
    pipeline = Pipeline(tracker or SureTracker(), engine or PaintEngine(), Watch(Rules()), Meter())  # type: ignore[arg-type]
    return pipeline.process(frame, settings or Settings(source=SOURCE), 0.0)


def test_a_swapped_face_proves_its_frame_and_nothing_else_is_touched() -> None:
    swapped = process()
    assert swapped.proof.proven
    x1, y1, x2, y2 = FACE_BOX
    shown = swapped.frame.planes[0].copy()
    assert (shown[y1:y2, x1:x2] == PAINT).all()
    shown[y1:y2, x1:x2] = picture()[y1:y2, x1:x2]
    assert np.array_equal(shown, picture())


@pytest.mark.parametrize("opacity", [0, 0.5, 0.98])
def test_a_face_that_the_engine_fades_out_is_not_proven(opacity: float) -> None:
    engine = PaintEngine()
    engine.swap = (
        lambda jobs, settings: [  # type: ignore[method-assign]
            Worn(job.region.copy(), np.full(job.region.shape[:2], 255, np.uint8), opacity) for job in jobs
        ]
    )
    assert not process(engine).proof.proven


def test_strength_lets_the_target_through_by_its_share() -> None:
    swapped = process(settings=replace(Settings(source=SOURCE), strength=0.5))
    x1, y1, x2, y2 = FACE_BOX
    assert swapped.frame.planes[0][y1:y2, x1:x2].mean() == pytest.approx((PAINT + 200) / 2, abs=2)


def test_no_source_face_and_no_engine_prove_nothing() -> None:
    assert not process(settings=Settings()).proof.proven
    assert not process(NoEngine()).proof.proven


def test_whom_a_failing_frame_lost_stays_in_doubt() -> None:
    engine, tracker = PaintEngine(), SureTracker()
    pipeline = Pipeline(tracker, engine, Watch(Rules()), Meter())  # type: ignore[arg-type]
    settings = Settings(source=SOURCE)

    def frame(number: int):
        return host.bgr_frame(picture(), time_s=0.0, number=number)

    assert pipeline.process(frame(0), settings, 0.0).proof.proven
    faces, seen = tracker.look(frame(1), 0.0)
    tracker.look = lambda f, now_s: (faces, replace(seen, lost=((140.0, 0.0, 150.0, 20.0),)))  # type: ignore[method-assign]
    engine.fault = lambda: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        pipeline.process(frame(1), settings, 0.1)
    tracker.look = lambda f, now_s: (faces, seen)  # type: ignore[method-assign]
    engine.fault = lambda: None
    assert not pipeline.process(frame(2), settings, 0.2).proof.proven
    assert pipeline.process(frame(3), settings, 1.3).proof.proven


def test_a_track_that_ends_is_forgotten_by_the_engine() -> None:
    engine, forgotten = PaintEngine(), []
    engine.forget = forgotten.append  # type: ignore[method-assign]
    tracker = SureTracker(miss=lambda n: n == 1)
    pipeline = Pipeline(tracker, engine, Watch(Rules()), Meter())  # type: ignore[arg-type]
    for number in range(2):
        frame = replace(host.bgr_frame(picture(), time_s=0.0, number=number))
        pipeline.process(frame, Settings(source=SOURCE), number / 30)
    assert forgotten == [0]


class HalfMasker:
    """Takes the right half of every face for covered."""

    def mask(self, frame, landmarks):
        masks = np.ones((len(landmarks), 128, 128), np.float32)
        masks[:, :, 64:] = 0
        matrices = np.stack(
            [np.array(((2, 0, -2 * FACE_BOX[0]), (0, 2, -2 * FACE_BOX[1])), np.float32)] * len(landmarks)
        )
        return masks, matrices


def test_engines_are_told_what_is_seen_of_a_face_in_px_of_its_region() -> None:
    engine, told = PaintEngine(), []
    paint = engine.swap

    def swap(jobs, settings):
        told.extend(job.visible() for job in jobs)
        return paint(jobs, settings)

    engine.swap = swap  # type: ignore[method-assign]
    frame = host.bgr_frame(picture(), time_s=0.0, number=0)
    masker = Beside(HalfMasker(), Steady(0))  # type: ignore[arg-type]
    pipeline = Pipeline(SureTracker(), engine, Watch(Rules()), Meter(), masker)  # type: ignore[arg-type]
    assert pipeline.process(frame, Settings(source=SOURCE), 0.0).proof.proven
    (visible,) = told
    assert np.allclose(visible.matrix, [[2, 0, 0], [0, 2, 0]])
    assert visible.mask[64, 10] == 1
    assert visible.mask[64, 100] == 0


def test_a_failing_masker_fails_the_frame() -> None:
    engine, masker = PaintEngine(), HalfMasker()
    masker.mask = lambda frame, landmarks: 1 / 0  # type: ignore[assignment,return-value]
    engine.swap = lambda jobs, settings: [job.visible() for job in jobs]  # type: ignore[assignment,return-value]
    beside = Beside(masker, Steady(0))  # type: ignore[arg-type]
    pipeline = Pipeline(SureTracker(), engine, Watch(Rules()), Meter(), beside)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        pipeline.process(host.bgr_frame(picture(), time_s=0.0, number=0), Settings(source=SOURCE), 0.0)


class Crowd:
    """Sees the people it was told of: (track, person, x1 px, height px) each."""

    def __init__(self, *people: tuple[int, int, int, int]) -> None:
        self.people = people

    def look(self, frame, now_s: float):
        faces = []
        for track, person, x1, height in self.people:
            box = (float(x1), 20.0, float(x1 + 30), float(20 + height))
            landmarks = np.zeros((478, 3), np.float32)
            landmarks[:, :2] = np.random.default_rng(0).uniform(box[:2], box[2:], (478, 2))
            faces.append(Face(landmarks, box, 0.9, track, person))
        return faces, Seen(found=tuple(face.box for face in faces))


class ToldEngine(PaintEngine):
    """Remembers its jobs, call by call; its regions reach `margin` px beyond the face."""

    def __init__(self, margin: int = 0) -> None:
        super().__init__()
        self.calls: list[list[Job]] = []
        self.margin = margin
        self.forgotten: list[int] = []

    def region(self, landmarks, width_px, height_px):
        (x1, y1), (x2, y2) = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
        margin = self.margin
        return max(int(x1) - margin, 0) & ~1, max(int(y1) - margin, 0) & ~1, int(x2) + margin, int(y2) + margin

    def swap(self, jobs, settings):
        self.calls.append(list(jobs))
        return super().swap(jobs, settings)

    def forget(self, track):
        self.forgotten.append(track)


def named(name: str) -> SourceFace:
    return replace(SOURCE, name=name, key=name)


ADA, BRUNO, CHEN = named("ada"), named("bruno"), named("chen")


def worn(settings: Settings, *people: tuple[int, int, int, int]) -> dict[int, str]:
    """Who wears what: names of source faces by track."""
    engine = ToldEngine()
    assert process(engine, settings, Crowd(*people)).proof.proven
    return {job.track: job.source.name for call in engine.calls for job in call}


def test_people_wear_the_faces_of_the_list_in_turn() -> None:
    people = (5, 0, 0, 40), (6, 1, 40, 40), (7, 2, 80, 40)
    assert worn(Settings(ADA), *people) == {5: "ada", 6: "ada", 7: "ada"}
    assert worn(Settings(ADA, (BRUNO,)), *people) == {5: "ada", 6: "bruno", 7: "ada"}


def test_a_face_given_to_somebody_by_name_goes_before_the_list() -> None:
    settings = Settings(ADA, (BRUNO,), {1: CHEN})
    assert worn(settings, (5, 0, 0, 40), (6, 1, 40, 40), (7, 3, 80, 40)) == {5: "ada", 6: "chen", 7: "bruno"}


def test_without_a_source_face_nobody_wears_any() -> None:
    engine = ToldEngine()
    assert not process(engine, Settings(assigned={1: CHEN}), Crowd((5, 0, 0, 40), (6, 1, 40, 40))).proof.proven
    assert not engine.calls


def test_a_track_that_is_on_somebody_else_now_is_forgotten_by_the_engine() -> None:
    engine, crowd = ToldEngine(), Crowd((5, 0, 0, 40), (6, 1, 60, 40))
    pipeline = Pipeline(crowd, engine, Watch(Rules()), Meter())  # type: ignore[arg-type]
    for people in (crowd.people, crowd.people, ((5, 1, 0, 40), (6, 1, 60, 40))):
        crowd.people = people
        pipeline.process(host.bgr_frame(picture(), time_s=0.0, number=0), Settings(ADA, (BRUNO,)), 0.0)
    assert engine.forgotten == [5]


def test_faces_that_lie_apart_are_swapped_in_one_call() -> None:
    engine = ToldEngine(margin=2)
    process(engine, Settings(ADA), Crowd((5, 0, 0, 40), (6, 1, 60, 50)))
    assert [[job.track for job in sorted(call, key=lambda job: job.track)] for call in engine.calls] == [[5, 6]]


def test_a_region_that_reaches_over_a_neighbour_holds_his_swapped_face() -> None:
    engine = ToldEngine(margin=8)
    process(engine, Settings(ADA), Crowd((5, 0, 60, 60), (6, 1, 96, 40)))
    far, near = engine.calls
    assert [job.track for job in far + near] == [6, 5]
    assert (near[0].region[:, -1] == PAINT).any()
