"""Batches of rows: on the CPU all of its logic, with a GPU (mark gpu) the same through streams and graphs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from live.nets import batcher as batcher_module
from live.nets import lines
from live.nets.batcher import Batcher
from live.nets.lines import DeviceError, StalledError
from live.nets.packing import Field
from live.nets.place import Place

PLACES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


class Double:
    """Doubles a number and adds it to what is remembered under its track."""

    takes = (Field("number", (3,)), Field("track", (), "int64"))
    gives = (Field("twice", (3,)), Field("sum"))

    def __init__(self, device="cpu"):
        self.remembered = torch.zeros(16, device=device)
        self.batches: list[int] = []
        self.fault: Exception | None = None
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def blank(self, given):
        given["number"][...] = 0
        given["track"][...] = 0

    def __call__(self, given):
        self.entered.set()
        self.go_on.wait()
        self.batches.append(len(given["number"]))
        if self.fault is not None:
            raise self.fault
        track = given["track"]
        total = self.remembered[track] + given["number"].sum(dim=1)
        self.remembered.index_copy_(0, track, total)
        return {"twice": given["number"] * 2, "sum": total}


@pytest.fixture(params=PLACES)
def place(request):
    return Place(request.param)


def ask(batcher, numbers, tracks):
    ticket = batcher.reserve("double", len(numbers))
    ticket.rows["number"][:] = np.array(numbers)[:, None]
    ticket.rows["track"][:] = tracks
    ticket.commit()
    found = {name: rows.copy() for name, rows in ticket.result().items()}
    ticket.release()
    return found


@pytest.mark.parametrize("warm", [False, True])
def test_rows_come_back_as_they_were_computed(place, warm):
    batcher, step = Batcher(place), Double(place.device)
    batcher.add("double", step)
    if warm:
        batcher.warm("double")
        step.remembered.zero_()
    for round in range(1, 6):
        found = ask(batcher, [round, 10 * round], [1, 2])
        assert np.array_equal(found["twice"][:, 0], [2 * round, 20 * round])
        assert found["sum"][0] == 3 * sum(range(1, round + 1))


def test_a_batch_runs_in_the_smallest_bucket_and_its_spare_rows_are_nobodys(place):
    batcher, step = Batcher(place), Double(place.device)
    batcher.add("double", step)
    ask(batcher, [1, 2, 3], [1, 2, 3])
    assert step.batches == [4]
    assert float(step.remembered[0]) == 0


def test_two_batches_are_under_way_and_the_next_waits_for_none_of_them():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    tickets = []
    for number in range(4):
        ticket = batcher.reserve("double")
        ticket.rows["number"][:], ticket.rows["track"][:] = number, number + 1
        ticket.commit()
        tickets.append(ticket)
    for number, ticket in enumerate(tickets):
        assert ticket.result()["twice"][0, 0] == 2 * number
        ticket.release()


def test_sessions_that_come_together_share_a_batch_and_each_gets_its_own_rows(place):
    batcher, step = Batcher(place), Double(place.device)
    batcher.add("double", step)
    batcher.share("double", 4)
    meet = threading.Barrier(4)

    def session(number):
        total = 0.0
        for round in range(20):
            meet.wait()
            found = ask(batcher, [number * 100 + round], [number + 1])
            total += 3 * (number * 100 + round)
            assert found["twice"][0, 0] == 2 * (number * 100 + round)
            assert found["sum"][0] == total
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(session, range(4)))
    assert max(step.batches) == 4
    assert len(step.batches) < 60


def test_a_session_whose_neighbours_are_silent_leaves_after_the_wait():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    batcher.share("double", 3)
    assert ask(batcher, [5], [1])["twice"][0, 0] == 10
    assert step.batches == [1]


def test_a_ticket_that_is_given_back_unfilled_holds_nobody_up():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    batcher.share("double", 2)
    lost, kept = batcher.reserve("double"), batcher.reserve("double")
    lost.rows["number"][:], lost.rows["track"][:] = 99, 7
    kept.rows["number"][:], kept.rows["track"][:] = 1, 1
    kept.commit()
    lost.release()
    assert kept.result()["twice"][0, 0] == 2
    assert float(step.remembered[7]) == 0


def test_a_failing_step_fails_its_batch_and_the_next_one_works():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    step.fault = RuntimeError("out of\nmemory")
    ticket = batcher.reserve("double")
    ticket.commit()
    with pytest.raises(DeviceError, match="the device failed: out of memory"):
        ticket.result()
    ticket.release()
    step.fault = None
    assert ask(batcher, [1], [1])["twice"][0, 0] == 2


def test_a_device_that_does_not_answer_is_said_and_does_not_hang(monkeypatch):
    monkeypatch.setattr(lines, "MOST_UNDER_WAY", 2)
    batcher = Batcher(Place())
    batcher.add("double", Double())
    held = []
    for _ in range(2):
        held.append(batcher.reserve("double"))
        held[-1].commit()
    with pytest.raises(DeviceError, match="does not answer"):
        batcher.reserve("double", timeout_s=0.05)
    held[0].release()
    assert ask(batcher, [1], [1])["twice"][0, 0] == 2


class Never:
    """An event of a device that hangs until it is released."""

    def __init__(self):
        self.over = False

    def query(self):
        return self.over


def test_a_device_that_hangs_is_said_once_it_has_taken_too_long_and_its_buffers_stay_its_own(monkeypatch):
    monkeypatch.setattr(lines, "ANSWER_S", 0.05)
    monkeypatch.setattr(batcher_module, "_hanging", [])
    event = Never()
    monkeypatch.setattr(Place, "event", lambda self, timed=False: event)
    batcher = Batcher(Place())
    batcher.add("double", Double())
    tickets = []
    for _ in range(2):
        tickets.append(batcher.reserve("double"))
        tickets[-1].commit()
    for ticket in tickets:
        with pytest.raises(StalledError, match="does not answer"):
            ticket.result()
        ticket.release()
    line = batcher._lines["double"]
    event.over = True
    assert ask(batcher, [1], [1])["twice"][0, 0] == 2, "it answers again"
    event.over = False
    batcher.clear()
    assert batcher_module._hanging == [line]
    event.over = True
    Batcher(Place()).clear()
    assert batcher_module._hanging == []


def test_more_rows_than_a_batch_holds_are_refused():
    batcher = Batcher(Place(), most=2)
    batcher.add("double", Double())
    with pytest.raises(ValueError, match="3 rows"):
        batcher.reserve("double", 3)


@pytest.mark.gpu
def test_a_steady_batch_neither_waits_for_the_device_nor_allocates():
    place = Place("cuda")
    batcher = Batcher(place)
    batcher.add("double", Double(place.device))
    batcher.warm("double")
    ask(batcher, [1], [1])
    before = torch.cuda.memory_stats()["allocation.all.allocated"]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(50):
            assert ask(batcher, [number], [1])["twice"][0, 0] == 2 * number
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.cuda.memory_stats()["allocation.all.allocated"] == before


def test_tickets_that_are_meant_to_go_together_wait_for_each_other_and_later_ones_for_nobody():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    tickets = []
    for number in range(3):
        tickets.append(batcher.reserve("double", together=3))
        tickets[-1].rows["number"][:], tickets[-1].rows["track"][:] = number, 1
        tickets[-1].commit()
        assert bool(step.batches) == (number == 2)
    assert [ticket.after(tickets[0], 0) for ticket in tickets] == [0, 0, 0]
    for ticket in tickets:
        ticket.result()
        ticket.release()
    alone = batcher.reserve("double")
    alone.commit()
    assert step.batches == [4, 1]
    alone.release()


def test_a_batch_that_a_later_one_builds_on_leaves_first():
    batcher, step = Batcher(Place()), Double()
    batcher.add("double", step)
    batcher.add("other", step)
    first = batcher.reserve("double", together=4)
    first.commit()
    second = batcher.reserve("other")
    assert not step.batches
    assert second.after(first, 0) == -1
    assert step.batches == [1]
    second.commit()
    for ticket in (first, second):
        ticket.release()
