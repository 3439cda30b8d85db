"""The change from the host's path to the device's and back, with small ways that can be given faults."""

from __future__ import annotations

import threading

import pytest

from live.errors import ModelError
from live.nets.lines import DeviceError, StalledError
from live.pixels import host
from live.swap.device import switching
from live.swap.device.switching import MOST_FAULTS, MOST_STALLS, SwitchingWay
from live.values import Proof, Settings, Swapped
from tests.parts import SOURCE, picture


class Engine:
    proves = True

    def __init__(self, name):
        self.name, self.prepared, self.closed = name, [], 0

    def prepare(self, source):
        self.prepared.append(source.key)

    def close(self):
        self.closed += 1


class Path:
    """A way that says who it is; two frames may be under way on the device's."""

    def __init__(self, name, depth=1):
        self.name, self.depth, self.finite = name, depth, True
        self.fault_at = None
        self.fault: Exception | None = None
        self.forgotten, self.dropped = 0, 0

    def begin(self, frame, settings, now_s):
        if self.fault is not None and self.fault_at == "begin":
            raise self.fault
        return frame

    def finish(self, pending):
        if self.fault is not None:
            raise self.fault
        return Swapped(pending, Proof(True, self.name))

    def drop(self, pending):
        self.dropped += 1

    def forget(self):
        self.forgotten += 1


class Rig:
    def __init__(self, monkeypatch, faults=()):
        monkeypatch.setattr(switching, "DevicePipeline", Path)
        self.rungs, self.made, self.paths = [], [], []
        self.go = threading.Event()
        self.faults = dict(faults)
        self.light_engine = Engine("mesh")
        self.way = SwitchingWay(Path("host"), self.light_engine, self._make, self._pipeline)
        self.way.prepare(SOURCE)
        self.way.start()

    def _make(self, rung):
        self.go.wait(10)
        self.rungs.append(rung)
        if rung in self.faults:
            raise self.faults[rung]
        self.made.append(Engine(f"device {rung}"))
        return self.made[-1]

    def _pipeline(self, engine):
        self.paths.append(Path(engine.name, depth=2))
        return self.paths[-1]

    def settle(self):
        self.go.set()
        assert self.way._readying.settled.wait(10)

    def frame(self, number=0):
        frame = host.bgr_frame(picture(), time_s=0.0, number=number)
        return self.way.finish(self.way.begin(frame, Settings(source=SOURCE), 0.0)).proof.reason


@pytest.fixture
def rig(monkeypatch):
    return Rig(monkeypatch)


def test_the_host_is_on_air_until_the_device_is_ready_and_knows_the_source_face(rig):
    assert (rig.frame(), rig.way.depth, rig.way.name) == ("host", 1, "mesh")
    rig.settle()
    assert rig.frame() == "device 0"
    assert (rig.way.depth, rig.way.name) == (2, "device 0")
    assert rig.made[0].prepared == [SOURCE.key]


def test_a_frame_ends_on_the_way_where_it_began(rig):
    frame = host.bgr_frame(picture(), time_s=0.0, number=0)
    early = rig.way.begin(frame, Settings(source=SOURCE), 0.0)
    rig.settle()
    late = rig.way.begin(frame, Settings(source=SOURCE), 0.0)
    assert [rig.way.finish(one).proof.reason for one in (early, late)] == ["host", "host"]
    assert rig.frame() == "device 0"


def test_a_device_that_cannot_be_made_leaves_the_host_on_air_and_says_why(monkeypatch, caplog):
    rig = Rig(monkeypatch, {0: ModelError("the card is full")})
    rig.settle()
    assert rig.frame() == "host"
    assert "mesh stays on air: the card is full" in caplog.text


@pytest.mark.parametrize("where", ["begin", "finish"])
def test_a_device_that_keeps_failing_is_made_anew_more_exactly_while_the_host_is_on_air(rig, where, caplog):
    rig.settle()
    rig.frame()
    rig.paths[0].fault, rig.paths[0].fault_at = DeviceError("out of memory"), where
    for _ in range(MOST_FAULTS):
        with pytest.raises(DeviceError):
            rig.frame()
    assert rig.paths[0].forgotten == MOST_FAULTS
    assert rig.made[0].closed == 1
    assert "it failed 3 times in a row (out of memory)" in caplog.text
    rig.settle()
    assert rig.rungs == [0, 1]
    assert rig.frame() == "device 1"
    assert rig.made[1].prepared == [SOURCE.key]


def test_a_device_that_does_not_answer_is_left_at_once_and_made_anew_as_it_was(rig, caplog):
    rig.settle()
    rig.frame()
    rig.paths[0].fault, rig.paths[0].fault_at = StalledError("the device does not answer"), "finish"
    with pytest.raises(StalledError):
        rig.frame()
    assert "it does not answer; it is made anew\n" in caplog.text
    rig.settle()
    assert rig.rungs == [0, 0]
    assert rig.frame() == "device 0"


def test_a_device_that_again_and_again_does_not_answer_stays_out(rig, caplog):
    for _ in range(MOST_STALLS):
        rig.settle()
        assert rig.frame() == "device 0"
        rig.paths[-1].fault, rig.paths[-1].fault_at = StalledError("the device does not answer"), "finish"
        with pytest.raises(StalledError):
            rig.frame()
    assert "it stays out" in caplog.text
    assert rig.rungs == [0] * MOST_STALLS
    assert [rig.frame() for _ in range(3)] == ["host"] * 3
    rig.way.prepare(SOURCE)
    rig.way.close()


def test_one_failing_frame_is_no_reason_to_leave_the_device(rig):
    rig.settle()
    rig.frame()
    path = rig.paths[0]
    for _ in range(2 * MOST_FAULTS):
        path.fault, path.fault_at = DeviceError("once"), "finish"
        with pytest.raises(DeviceError):
            rig.frame()
        path.fault = None
        assert rig.frame() == "device 0"


def test_numbers_that_are_none_three_times_in_a_row_climb_the_ladder(rig):
    rig.settle()
    rig.frame()
    rig.paths[0].finite = False
    for _ in range(3):
        assert rig.frame() == "device 0"
    rig.settle()
    assert rig.frame() == "device 1"
    assert rig.rungs == [0, 1]


def test_when_no_rung_is_left_the_host_stays(monkeypatch):
    rig = Rig(monkeypatch, {1: ModelError("no rung is left")})
    rig.settle()
    rig.frame()
    rig.paths[0].finite = False
    for _ in range(3):
        rig.frame()
    rig.settle()
    assert rig.frame() == "host"


def test_closing_frees_both(rig):
    rig.settle()
    rig.frame()
    rig.way.close()
    assert (rig.light_engine.closed, rig.made[0].closed) == (1, 1)


def test_a_frame_that_is_given_up_is_given_up_where_it_began(rig):
    rig.settle()
    rig.frame()
    rig.way.drop(rig.way.begin(host.bgr_frame(picture(), time_s=0.0, number=0), Settings(source=SOURCE), 0.0))
    assert rig.paths[0].dropped == 1
