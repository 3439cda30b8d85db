from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live.faces.masker import Beside, Steady
from live.meter import Meter
from live.pixels import host
from live.privacy import Rules, Watch
from live.swap.contract import Worn
from live.swap.none import NoEngine
from live.swap.pipeline import Pipeline
from live.values import PixelFormat, Settings
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
