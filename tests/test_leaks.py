"""Real perception, the real engine and the animated person, with faults injected: the bare face is never shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from live.capture.contract import Wanted
from live.capture.demo import open as open_demo
from live.config import load_preset
from live.ends import Ask
from live.output.null import NullOutput
from live.session import Session
from live.studio import build
from live.values import Frame
from tests.parts import KeptOutput
from tests.watched import WatchedDemo, is_bare

FRAMES = 75


def run(spoil: Callable[[int, Frame], None] = lambda n, f: None, arm: Callable[[Session], None] = lambda s: None):
    preset = load_preset("fast", ["badge.show=false", "capture.width_px=640", "capture.height_px=360"])
    session, _ = build(preset, Ask(input="demo", outputs=("null",), pace="max"))
    assert isinstance(session.outputs[0], NullOutput)
    session.capture.close()
    demo = open_demo("", Wanted(width_px=640, height_px=360, fps=30, live=False))
    watched, kept = WatchedDemo(demo, spoil, FRAMES), KeptOutput()
    session.capture, session.outputs = watched, [kept]
    arm(session)
    session.start()
    assert session.wait(60)
    assert [frame.number for frame in kept.frames] == list(range(FRAMES))
    return watched, kept, session


def test_a_calm_person_is_swapped_in_every_frame() -> None:
    watched, kept, session = run()
    assert not any(is_bare(watched, frame) for frame in kept.frames)
    assert session.meter.counts["slate"] + session.meter.counts["hold"] <= 3


def _darken(number: int, frame: Frame) -> None:
    if 20 <= number < 40:
        frame.planes[0][:] = frame.planes[0] // 24 + 12


def _bar(number: int) -> slice:
    """The columns that a hand-like bar covers while it moves over the face."""
    return slice(250 + 5 * (number - 20), 330 + 5 * (number - 20)) if 20 <= number < 40 else slice(0)


def _cover(number: int, frame: Frame) -> None:
    frame.planes[0][:, _bar(number)] = 120


def _shake(number: int, frame: Frame) -> None:
    if 20 <= number < 50:
        for plane, step in zip(frame.planes, (14, 7, 7)):
            plane[:] = np.roll(plane, step * (number % 3 - 1), axis=1)


def _blank(number: int, frame: Frame) -> None:
    if number % 10 == 5:
        frame.planes[0][:] = 16


@pytest.mark.parametrize(
    "spoil", [_darken, _cover, _shake, _blank], ids=["darkness", "a hand", "shaking", "black frames"]
)
def test_a_spoiled_picture_never_shows_the_bare_face(spoil: Callable[[int, Frame], None]) -> None:
    watched, kept, _ = run(spoil)
    hidden = _bar if spoil is _cover else lambda number: slice(0)
    bare = [frame.number for frame in kept.frames if is_bare(watched, frame, hidden(frame.number))]
    spoiled_to_nothing = {n for n in range(FRAMES) if spoil is _blank and n % 10 == 5}
    assert not set(bare) - spoiled_to_nothing


def _poisoned_landmarks(session: Session) -> None:
    look = session.pipeline._tracker._landmarker.look  # type: ignore[union-attr]

    calls = iter(range(10**6))

    def poisoned(frame: Frame, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        landmarks, scores = look(frame, matrices)
        if next(calls) % 5 == 3:
            landmarks[:] = np.nan
        return landmarks, scores

    session.pipeline._tracker._landmarker.look = poisoned  # type: ignore[union-attr,method-assign]


def _failing_engine(session: Session) -> None:
    swap, calls = session.pipeline._engine.swap, iter(range(10**6))

    def failing(jobs: object, settings: object) -> object:
        if next(calls) % 4 == 2:
            raise MemoryError("injected")
        return swap(jobs, settings)  # type: ignore[arg-type]

    session.pipeline._engine.swap = failing  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("arm", [_poisoned_landmarks, _failing_engine], ids=["NaN landmarks", "a failing engine"])
def test_a_failing_part_never_shows_the_bare_face(arm: Callable[[Session], None]) -> None:
    watched, kept, _ = run(arm=arm)
    assert not [frame.number for frame in kept.frames if is_bare(watched, frame)]
