"""Work beside the main line, told by a stream that writes down what it is asked."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from live.nets.place import Fork, Place


class Later:
    """An event that happens at the n-th look."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def query(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


def test_an_event_is_waited_for_until_it_happens_or_the_time_is_over() -> None:
    assert Place.happened(None)
    assert Place.happened(Later(5), 10.0)
    assert not Place.happened(Later(10**9), 0.01)
    assert not Place.happened(Later(2)), "without time it looks once"


class Written:
    """A stream."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self._told = name, told

    def wait_stream(self, other: Written) -> None:
        self._told.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(Place, "stream", lambda self: Written("side", told))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: Written("main", told))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return told


def test_work_begins_after_what_is_queued_and_the_join_waits_for_all_of_it(told: list[str]) -> None:
    fork = Fork(Place())
    assert fork.run(lambda: told.append("one") or 1) == 1
    fork.run(lambda: told.append("two"))
    fork.join()
    assert told == ["side waits for main", "one", "side waits for main", "two", "main waits for side"]


def test_a_step_that_ran_nothing_beside_waits_for_nobody(told: list[str]) -> None:
    fork = Fork(Place())
    fork.join()
    assert told == []
    fork.run(lambda: None)
    fork.join()
    fork.join()
    assert told.count("main waits for side") == 1
