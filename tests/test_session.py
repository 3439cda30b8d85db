from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from live.capture.again import Again
from live.errors import CaptureError, LiveError
from live.marking import Badge
from live.privacy import Rules
from live.values import Quality, Sound
from tests.parts import (
    BACKGROUND,
    PAINT,
    KeptOutput,
    PaintedCapture,
    PaintEngine,
    SureTracker,
    session,
    shows_bare_face,
    shows_painted_face,
    wait_for,
)


def test_every_frame_of_a_file_arrives_once_in_order_and_swapped() -> None:
    kept = KeptOutput()
    run = session(PaintedCapture(100), kept)
    run.start()
    assert run.wait(10)
    assert [frame.number for frame in kept.frames] == list(range(100))
    assert [frame.media_s for frame in kept.frames] == [n / 30 for n in range(100)]
    assert all(shows_painted_face(frame) for frame in kept.frames)
    assert kept.closed
    assert run.error is None


def test_sound_goes_to_every_output_in_order_and_never_stops_the_pictures() -> None:
    capture, kept, shown = PaintedCapture(20), KeptOutput(), KeptOutput("shown", live=True)
    read, heard, heard_live = capture.read, [], []
    packets = iter(range(5000))
    capture.read = lambda: Sound(None, next(packets) / 1000) if next(turns) % 100 else read()  # type: ignore[method-assign]
    turns = iter(range(10**6))
    kept.sound = lambda sound: heard.append(sound.media_s)  # type: ignore[method-assign]
    shown.sound = lambda sound: heard_live.append(sound.media_s)  # type: ignore[method-assign]
    run = session(capture, kept, shown)
    run.start()
    assert run.wait(20)
    assert len(kept.frames) == 20
    assert heard == sorted(heard)
    assert len(heard) > 1500
    assert heard_live == sorted(heard_live)
    assert heard_live


def test_several_outputs_get_the_same() -> None:
    outputs = [KeptOutput("one"), KeptOutput("two")]
    run = session(PaintedCapture(50), *outputs)
    run.start()
    assert run.wait(10)
    assert [len(output.frames) for output in outputs] == [50, 50]


def test_a_slow_live_output_loses_frames_but_not_order() -> None:
    kept = KeptOutput(live=True)
    gate = threading.Event()
    send = kept.send
    kept.send = lambda frame: (gate.wait(0.1), send(frame))[1]  # type: ignore[assignment]
    run = session(PaintedCapture(30, live=True), kept)
    run.start()
    assert run.wait(10)
    numbers = [frame.number for frame in kept.frames]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) < 30
    assert run.meter.counts["dropped kept"] > 0


FAULTS = {
    "engine raises": lambda tracker, engine: setattr(engine, "fault", _raise_sometimes()),
    "engine runs out of memory": lambda tracker, engine: setattr(engine, "fault", _raise_sometimes(MemoryError)),
    "tracker raises": lambda tracker, engine: setattr(tracker, "fault", lambda n: 1 / (n % 7)),
    "tracker misses one frame": lambda tracker, engine: setattr(tracker, "_miss", lambda n: n == 20),
    "tracker misses many frames": lambda tracker, engine: setattr(tracker, "_miss", lambda n: n > 20),
    "tracker misses at the start": lambda tracker, engine: setattr(tracker, "_miss", lambda n: n < 20),
    "engine returns nonsense": lambda tracker, engine: setattr(engine, "swap", lambda jobs, settings: [None]),
    "engine returns nothing": lambda tracker, engine: setattr(engine, "swap", lambda jobs, settings: []),
}


def _raise_sometimes(kind: type[BaseException] = RuntimeError):
    calls = iter(range(10**6))

    def fault() -> None:
        if next(calls) % 3:
            raise kind("injected")

    return fault


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("live", [False, True])
def test_no_fault_shows_the_bare_face(fault: str, live: bool) -> None:
    kept, tracker, engine = KeptOutput(live=live), SureTracker(), PaintEngine()
    FAULTS[fault](tracker, engine)
    run = session(PaintedCapture(40, live=live), kept, tracker=tracker, engine=engine)
    run.start()
    assert run.wait(10)
    assert kept.frames
    assert not any(shows_bare_face(frame) for frame in kept.frames)
    if not live:
        assert [frame.number for frame in kept.frames] == list(range(40))


def test_without_a_source_face_only_the_slate_is_shown() -> None:
    kept = KeptOutput()
    run = session(PaintedCapture(20), kept, source=None)
    run.start()
    assert run.wait(10)
    assert len(kept.frames) == 20
    assert not any(shows_bare_face(frame) or shows_painted_face(frame) for frame in kept.frames)


def test_a_lost_face_is_held_and_then_covered_by_the_slate() -> None:
    kept, tracker = KeptOutput(), SureTracker(miss=lambda n: n >= 10)
    run = session(PaintedCapture(40), kept, tracker=tracker)
    run.start()
    assert run.wait(10)
    held = [shows_painted_face(frame) for frame in kept.frames]
    assert all(held[:25])
    assert not any(held[26:])


def test_a_room_that_is_left_is_shown_after_a_second_of_silence() -> None:
    kept = KeptOutput()
    run = session(PaintedCapture(80, schedule=lambda n: n < 10), kept)
    run.start()
    assert run.wait(10)
    shown = [bool((frame.planes[0] == BACKGROUND).all()) for frame in kept.frames]
    assert shown.index(True) == 10 + 30
    assert all(shown[40:])


def test_a_stalled_engine_brings_the_slate_within_the_time_promised() -> None:
    kept, engine, release = KeptOutput(live=True), PaintEngine(), threading.Event()
    calls = iter(range(1000))
    engine.fault = lambda: next(calls) >= 5 and release.wait(20)  # type: ignore[assignment,return-value]
    run = session(PaintedCapture(10**6, live=True), kept, engine=engine, rules=Rules(hold_s=0.2))
    run.start()
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        frame = kept.arrived.take(1)
        assert frame is not None
        assert not shows_bare_face(frame)
        if len(kept.frames) > 5 and not shows_painted_face(frame):
            break
    else:
        pytest.fail("no slate came")
    release.set()
    run.stop()
    assert run.wait(5)


def test_panic_reaches_the_output_while_the_swap_thread_hangs() -> None:
    kept, engine, release = KeptOutput(live=True), PaintEngine(), threading.Event()
    calls = iter(range(1000))
    engine.fault = lambda: next(calls) >= 3 and release.wait(20)  # type: ignore[assignment,return-value]
    run = session(PaintedCapture(10**6, live=True), kept, engine=engine, rules=Rules(hold_s=2.0, deadline_s=2.0))
    run.start()
    while len(kept.frames) < 3:
        assert kept.arrived.take(5) is not None
    run.switches.panic.set()
    run.show_now()
    while (frame := kept.arrived.take(5)) is not None and shows_painted_face(frame):
        pass
    assert frame is not None
    release.set()
    run.stop()
    assert run.wait(5)


def test_a_lost_output_ends_alone_and_is_told_in_the_exit_code() -> None:
    broken, kept = KeptOutput("broken", fault_at=5), KeptOutput("kept")
    run = session(PaintedCapture(60), broken, kept)
    run.start()
    assert run.wait(10)
    assert len(kept.frames) == 60
    assert broken.closed
    assert run.error is not None
    assert run.error.exit_code == 1


def test_the_run_ends_when_the_only_output_is_lost() -> None:
    run = session(PaintedCapture(10**6, live=True), KeptOutput(live=True, fault_at=5))
    run.start()
    assert run.wait(10)
    assert "gone" in str(run.error)


def test_a_dead_input_ends_the_run_and_recordings_are_finished() -> None:
    kept, capture = KeptOutput(), PaintedCapture(60)
    capture.fault, capture.fault_at = CaptureError("the camera is gone"), 20
    run = session(capture, kept)
    run.start()
    assert run.wait(10)
    assert len(kept.frames) == 20
    assert kept.closed
    assert "camera" in str(run.error)


def test_stop_ends_everything_within_two_seconds() -> None:
    kept = KeptOutput(live=True)
    run = session(PaintedCapture(10**6, live=True), kept)
    run.start()
    assert kept.arrived.take(5) is not None
    run.stop()
    assert run.wait(2)
    assert kept.closed


def test_a_duration_in_media_time_ends_a_file_there() -> None:
    kept = KeptOutput()
    run = session(PaintedCapture(100), kept)
    run.duration_s = 1.0
    run.start()
    assert run.wait(10)
    assert len(kept.frames) == 30


class Larger(PaintedCapture):
    """The same face in a larger room: what a camera may send after it was plugged in again."""

    def read(self):
        frame = super().read()
        if frame is None:
            return None
        planes = (np.pad(frame.planes[0], ((0, 40), (0, 40), (0, 0)), constant_values=BACKGROUND),)
        return replace(frame, planes=planes, width_px=frame.width_px + 40, height_px=frame.height_px + 40)


@pytest.mark.parametrize("successor", [PaintedCapture, Larger])
def test_a_camera_that_is_lost_and_comes_back_never_shows_the_bare_face(successor) -> None:
    first = PaintedCapture(10_000, live=True)
    first.fault, first.fault_at = CaptureError("the camera is unplugged"), 20
    plugged_in = threading.Event()

    def reopen():
        if not plugged_in.is_set():
            raise CaptureError("not there")
        return successor(10_000, live=True)

    kept = KeptOutput(live=True)
    run = session(Again(first, reopen, endless=True), kept, rules=Rules(hold_s=0.1, settle_s=0.2))
    run.start()
    assert wait_for(lambda: shows_slate(kept.frames) and run.meter.counts["in"] >= 20)
    assert run.error is None
    at = len(kept.frames)
    plugged_in.set()
    assert wait_for(lambda: any(shows_the_face_painted(frame) for frame in kept.frames[at:]))
    run.stop()
    assert run.wait(2)
    assert not any(shows_bare_face(frame) for frame in kept.frames)


def shows_slate(frames) -> bool:
    return len(frames) > 0 and not shows_painted_face(frames[-1]) and not shows_bare_face(frames[-1])


def shows_the_face_painted(frame) -> bool:
    return bool((frame.planes[0] == PAINT).sum() > 1000)


class DarkLeft(PaintedCapture):
    """The upper left edge of the room is black."""

    def read(self):
        frame = super().read()
        if frame is not None:
            frame.planes[0][:60, :20] = 0
        return frame


def test_a_mirrored_picture_leaves_mirrored_and_the_badge_stays_readable() -> None:
    plain, turned = KeptOutput(), KeptOutput()
    for mirror, kept in ((False, plain), (True, turned)):
        capture = DarkLeft(3)
        run = session(capture, kept)
        run.badge = Badge("on")
        run.settings = replace(run.settings, mirror=mirror)
        run.start()
        assert run.wait(10)
    bare = [frame.planes[0] for frame in (plain.frames[0], turned.frames[0])]
    assert bare[0][:60, :20].max() == 0
    assert bare[1][:60, -20:].max() == 0
    assert bare[1][:60, :20].min() > 0
    corner = [picture[100:] for picture in bare]
    assert np.array_equal(*corner)
    assert corner[0].max() > BACKGROUND


def test_frames_under_way_finish_where_they_began_when_another_way_takes_over() -> None:
    capture, kept = PaintedCapture(10**6, live=True), KeptOutput(live=True)
    run = session(capture, kept)
    other = session(PaintedCapture(1), KeptOutput()).pipeline
    retired = threading.Event()
    run.start()
    assert kept.arrived.take(10) is not None
    run.go_over(other, retired.set)
    assert retired.wait(10)
    assert run.pipeline is other
    number = kept.frames[-1].number
    while kept.frames[-1].number < number + 5:
        assert kept.arrived.take(10) is not None
    assert all(not shows_bare_face(frame) for frame in kept.frames)
    run.stop()
    assert run.wait(10)
    assert run.error is None


def test_only_one_way_can_be_on_its_way_out() -> None:
    run = session(PaintedCapture(1), KeptOutput())
    run.go_over(run.pipeline, lambda: None)
    with pytest.raises(LiveError, match="under way"):
        run.go_over(run.pipeline, lambda: None)


def test_an_output_joins_and_leaves_on_air() -> None:
    capture, kept, more = PaintedCapture(10**6, live=True), KeptOutput(live=True), KeptOutput("more")
    run = session(capture, kept)
    run.start()
    assert kept.arrived.take(10) is not None
    run.add(more)
    for _ in range(5):
        assert more.arrived.take(10) is not None
    assert run.remove(more, 10)
    assert more.closed
    assert not any(shows_bare_face(frame) for frame in more.frames)
    count = len(more.frames)
    number = kept.frames[-1].number
    while kept.frames[-1].number < number + 5:
        assert kept.arrived.take(10) is not None
    assert len(more.frames) == count
    assert run.remove(more, 1)
    run.stop()
    assert run.wait(10)
    late = KeptOutput("late")
    with pytest.raises(LiveError, match="ending"):
        run.add(late)
    assert late.closed


def test_an_output_that_joined_ends_with_the_run() -> None:
    capture, more = PaintedCapture(10**6, live=True), KeptOutput("more")
    run = session(capture, KeptOutput(live=True))
    run.start()
    run.add(more)
    assert more.arrived.take(10) is not None
    run.stop()
    assert run.wait(10)
    assert more.closed == 1


def test_frames_are_left_out_of_live_input_only() -> None:
    for live in (True, False):
        capture, kept = PaintedCapture(31, live=live), KeptOutput()
        run = session(capture, kept)
        run.settings = replace(run.settings, quality=Quality(frames_every=3))
        run.start()
        assert run.wait(10)
        numbers = [frame.number for frame in kept.frames]
        assert numbers == (list(range(0, 31, 3)) if live else list(range(31)))
