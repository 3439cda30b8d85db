"""A whole live run whose card hangs: what is shown meanwhile, who takes over, and that it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from live import studio
from live.capture.contract import Wanted
from live.capture.demo import open as open_demo
from live.config import load_preset
from live.ends import Ask
from live.nets import lines
from live.nets.place import Place
from live.session import Session
from live.studio import build
from live.swap.device.switching import MOST_STALLS, SwitchingWay
from tests.parts import KeptOutput, wait_for
from tests.watched import WatchedDemo, is_bare

ANSWER_S, WAIT_S = 0.3, 60.0


class Events:
    """What a card tells of its queue: everything is done at once, until it hangs."""

    def __init__(self) -> None:
        self.hang = threading.Event()

    def query(self) -> bool:
        return not self.hang.is_set()

    def elapsed_time(self, later: Events) -> float:
        return 1.0


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    made = Events()
    monkeypatch.setattr(lines, "ANSWER_S", ANSWER_S)
    monkeypatch.setattr(Place, "event", lambda self, timed=False: made)
    monkeypatch.setattr(studio, "device_of", lambda preset: "cpu")
    return made


Begun = tuple[Session, WatchedDemo, KeptOutput]


@pytest.fixture
def begun(events: Events) -> Iterator[Begun]:
    """A run on a card, with a frame that came back from it."""
    preset = load_preset("fast", ["engine=mesh", "badge.show=false", "faces.masks=false"])
    demo = open_demo("", Wanted(width_px=640, height_px=360, fps=30, live=True))
    watched = WatchedDemo(demo, lambda number, frame: None, 10_000)
    session, way = build(preset, Ask(input="demo", outputs=("null",), faces=("bruno",), pace="real"), watched)
    assert isinstance(way, SwitchingWay)
    kept = KeptOutput(live=True)
    session.outputs = [kept]
    session.start()
    try:
        assert wait_for(lambda: "device" in stages(session), WAIT_S)
        yield session, watched, kept
    finally:
        session.stop()
        way.close()
    assert way._readying.settled.wait(60), "or pytest ends while torch still computes, which aborts it"


def stages(session: Session) -> dict[str, object]:
    found: dict[str, object] = session.meter.summary()["stages_ms"]
    return found


def test_a_card_that_hangs_shows_no_bare_face_and_the_processor_takes_over(
    events: Events, begun: Begun, caplog: pytest.LogCaptureFixture
) -> None:
    session, watched, kept = begun
    events.hang.set()
    assert wait_for(lambda: "it stays out" in caplog.text, WAIT_S)
    assert caplog.text.count("it does not answer") == MOST_STALLS
    assert "Traceback" not in caplog.text
    shown = len(kept.frames)
    assert wait_for(lambda: len(kept.frames) > shown + 30, WAIT_S)
    assert session.meter.reason == "1 of 1 faces swapped"
    session.stop()
    assert session.wait(2)
    assert not [frame.number for frame in kept.frames if is_bare(watched, frame)]


def test_a_run_is_stopped_within_two_seconds_while_its_card_hangs(events: Events, begun: Begun) -> None:
    session, _, kept = begun
    events.hang.set()
    seen = len(kept.frames)
    assert wait_for(lambda: len(kept.frames) > seen + 3, WAIT_S), "the gate goes on"
    session.stop()
    assert session.wait(2)
