"""A light engine on air while a heavy one is made, and the change from one to the other."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from live.errors import FaceError, ModelError
from live.nets.builder import Builder
from live.swap.contract import Worn
from live.swap.switching import MOST_FAULTS, SwitchingEngine
from live.values import Settings
from tests.swap import faces

LIGHT, HEAVY = (0, 0, 300, 300), (20, 10, 320, 310)


@dataclass
class Painter:
    """Paints one grey into its box."""

    name: str
    grey: int
    box: tuple = LIGHT
    proves: bool = True
    prepared: list = field(default_factory=list)
    forgotten: list = field(default_factory=list)
    closed: int = 0
    fault: Exception | None = None
    refuses: bool = False

    def region(self, landmarks, width_px, height_px):
        return self.box

    def prepare(self, source) -> None:
        if self.refuses:
            raise FaceError("no such face")
        self.prepared.append(source.key)

    def swap(self, jobs, settings):
        if self.fault:
            raise self.fault
        return [Worn(np.full_like(job.region, self.grey), np.full(job.region.shape[:2], 255, np.uint8)) for job in jobs]

    def forget(self, track) -> None:
        self.forgotten.append(track)

    def close(self) -> None:
        self.closed += 1


def one_frame(engine: SwitchingEngine, time_s: float = 0.0):
    """As the pipeline does it. Returns: the box and the grey in the middle."""
    box = engine.region(faces.landmarks(), 320, 320)
    region = np.zeros((box[3] - box[1], box[2] - box[0], 3), np.uint8)
    (worn,) = engine.swap([faces.job(region=region, time_s=time_s)], Settings())
    return box, int(worn.pixels[100, 100, 0])


def settled(engine: SwitchingEngine) -> None:
    assert engine.settled.wait(20)


@pytest.fixture
def pair():
    return Painter("mesh", 50), Painter("net", 200, HEAVY)


def test_the_light_engine_is_on_air_until_the_heavy_one_is_ready(pair, caplog) -> None:
    light, heavy = pair
    gate = threading.Event()
    engine = SwitchingEngine(light, lambda: gate.wait(20) and heavy)
    engine.start()
    engine.prepare(faces.source("ada"))
    assert one_frame(engine) == (LIGHT, 50)
    assert engine.name == "mesh"
    gate.set()
    settled(engine)
    with caplog.at_level(logging.INFO):
        assert one_frame(engine) == (HEAVY, 200)
    assert engine.name == "net"
    assert heavy.prepared == ["ada"]
    assert caplog.messages == ["engine: net takes over from mesh"]


def test_the_change_is_between_frames_never_within_one(pair) -> None:
    light, heavy = pair
    gate = threading.Event()
    engine = SwitchingEngine(light, lambda: gate.wait(20) and heavy)
    engine.start()
    box = engine.region(faces.landmarks(), 320, 320)
    gate.set()
    settled(engine)
    assert engine.region(faces.landmarks(), 320, 320) == box  # the second face of the same frame
    (worn,) = engine.swap([faces.job()], Settings())
    assert worn.pixels[0, 0, 0] == 50
    assert one_frame(engine) == (HEAVY, 200)


def test_every_source_face_is_known_before_the_change_and_after(pair) -> None:
    light, heavy = pair
    gate = threading.Event()
    engine = SwitchingEngine(light, lambda: gate.wait(20) and heavy)
    engine.start()
    for name in ("ada", "bob"):
        engine.prepare(faces.source(name))
    gate.set()
    settled(engine)
    engine.prepare(faces.source("eve"))
    assert heavy.prepared == ["ada", "bob", "eve"]
    assert light.prepared == ["ada", "bob", "eve"]


@pytest.mark.parametrize("error", [ModelError("the build crashed"), RuntimeError("a bug")])
def test_a_heavy_engine_that_cannot_be_made_is_said_once_and_the_light_one_stays(pair, caplog, error) -> None:
    light, _ = pair

    def make():
        raise error

    engine = SwitchingEngine(light, make)
    engine.start()
    settled(engine)
    for _ in range(3):
        assert one_frame(engine) == (LIGHT, 50)
    (said,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert "mesh stays on air" in said


def test_a_heavy_engine_that_refuses_the_source_face_does_not_take_over(pair, caplog) -> None:
    light, heavy = pair
    heavy.refuses = True
    engine = SwitchingEngine(light, lambda: heavy)
    engine.prepare(faces.source("ada"))
    engine.start()
    settled(engine)
    assert one_frame(engine) == (LIGHT, 50)
    assert "net cannot take its place: no such face" in caplog.text
    assert heavy.closed == 1


def test_the_light_engine_is_back_after_some_faults_in_a_row(pair, caplog) -> None:
    light, heavy = pair
    engine = SwitchingEngine(light, lambda: heavy)
    engine.start()
    settled(engine)
    heavy.fault = RuntimeError("out of memory")
    for _ in range(MOST_FAULTS - 1):
        with pytest.raises(RuntimeError):
            one_frame(engine)
    heavy.fault = None
    assert one_frame(engine) == (HEAVY, 200)
    heavy.fault = RuntimeError("out of memory")
    for _ in range(MOST_FAULTS):
        with pytest.raises(RuntimeError):  # each such frame is not proven
            one_frame(engine)
    assert one_frame(engine) == (LIGHT, 50)
    assert engine.name == "mesh"
    assert heavy.closed == 1
    (error,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert "mesh is back: net failed 3 times in a row (out of memory)" in error
    engine.prepare(faces.source("bob"))
    assert heavy.prepared == []


def test_both_are_mixed_during_the_crossfade_in_a_region_that_holds_both(pair) -> None:
    light, heavy = pair
    engine = SwitchingEngine(light, lambda: heavy, crossfade_s=1.0)
    engine.start()
    settled(engine)
    greys, boxes = [], []
    for time_s in (10.0, 10.25, 10.5, 10.75, 11.0, 11.1):
        box, grey = one_frame(engine, time_s)
        greys.append(grey)
        boxes.append(box)
    assert greys[0] == 50
    assert greys == sorted(greys)
    assert abs(greys[2] - 125) <= 1
    assert greys[4:] == [200, 200]
    assert boxes[0] == (0, 0, 320, 310)
    assert boxes[-1] == HEAVY


def test_what_is_seen_during_the_crossfade_is_the_mixture_of_what_each_shows() -> None:
    from live.pixels import affine
    from live.swap.switching import _mixed

    random = np.random.default_rng(0)
    under = random.integers(0, 255, (20, 20, 3), np.uint8)
    worn = [
        Worn(random.integers(0, 255, (20, 20, 3), np.uint8), random.integers(0, 255, (20, 20), np.uint8), opacity)
        for opacity in (1.0, 0.5)
    ]
    seen = []
    for one in (*worn, _mixed(*worn, 0.3)):
        seen.append(affine.blended(under, one.pixels, one.alpha).astype(float))
    assert np.abs(0.7 * seen[0] + 0.3 * seen[1] - seen[2]).max() <= 3
    assert _mixed(*worn, 0.3).opacity == 0.5


def test_closing_gives_up_what_is_still_being_made(pair) -> None:
    light, heavy = pair
    gate, cancelled = threading.Event(), []
    engine = SwitchingEngine(light, lambda: gate.wait(20) and heavy, cancel=lambda: cancelled.append(1))
    engine.start()
    engine.close()
    assert cancelled == [1]
    gate.set()
    settled(engine)
    assert heavy.closed == 1
    assert light.closed == 1


def test_closing_frees_both(pair) -> None:
    light, heavy = pair
    engine = SwitchingEngine(light, lambda: heavy)
    engine.start()
    settled(engine)
    one_frame(engine)
    engine.forget(7)
    engine.close()
    assert (light.closed, heavy.closed) == (1, 1)
    assert (light.forgotten, heavy.forgotten) == ([7], [7])


@pytest.mark.parametrize(
    ("behaviour", "takes_over"), [("fine", True), ("crash", False), ("error", False), ("hang", False)]
)
def test_with_a_real_build_in_a_child_process(pair, tmp_path: Path, behaviour: str, takes_over: bool) -> None:
    """Frames go on all the while; a build that comes to nothing leaves the light engine on air."""
    light, heavy = pair
    limit_s = 2.0 if behaviour == "hang" else 60
    task = {"behaviour": behaviour}
    build = Builder("a test", tmp_path / "engine", task, module="tests.nets.children", limit_s=limit_s)

    def make():
        build.run()
        return heavy

    engine = SwitchingEngine(light, make, cancel=build.cancel)
    engine.start()
    frames = 0
    while not engine.settled.wait(0.02):
        assert one_frame(engine)[1] == 50
        frames += 1
    assert frames > 0
    assert one_frame(engine)[1] == (200 if takes_over else 50)
    engine.close()
