"""The governor on recorded stage times (tests/recorded): it holds the budget, tells each step and never flaps."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from live.governor import CALM_S, MOST_CALM_S, ROOM, SETTLE_S, TRIAL_S, Governor, Run, ladder
from live.values import FULL

STAGES = {
    int(rung): np.sum([times[: min(map(len, stages.values()))] for times in stages.values()], axis=0) / 1000
    for rung, stages in json.loads((Path(__file__).parent / "recorded" / "stages.json").read_text()).items()
    for stages in [stages]
}
"""Seconds of work of each recorded frame, by rung of the mesh's ladder."""
FPS, OUTPUT_S = 30.0, 0.002
BUDGET_S = 0.05


class Machine:
    """Replays recorded frames at the governor's rung, slowed by what else the machine does, and counts the changes."""

    def __init__(self, governor: Governor, load: Callable[[float], float]) -> None:
        self.governor, self.load = governor, load
        self.changes: list[tuple[float, int]] = []
        self.ages: list[tuple[float, float]] = []
        self._recorded = {rung: itertools.cycle(times) for rung, times in STAGES.items()}

    def run(self, seconds: int) -> None:
        """One frame after the other: a frame that comes while one is worked on waits, and only the newest waits."""
        free_s, number = 0.0, 0
        for second in range(1, seconds + 1):
            ages = []
            while number / FPS < second:
                came_s, number = number / FPS, number + 1
                every = self.governor.step.quality.frames_every
                newest_waits = free_s > came_s + 1 / FPS
                if (number % every and every > 1) or newest_waits:
                    continue
                work_s = next(self._recorded[min(self.governor.rung, max(STAGES))]) * self.load(came_s)
                free_s = max(free_s, came_s) + work_s
                ages.append(free_s + OUTPUT_S - came_s)
                self.ages.append((came_s, ages[-1]))
            if self.governor.look(ages, float(second)) is not None:
                self.changes.append((float(second), self.governor.rung))

    def p95_s(self, from_s: float, to_s: float) -> float:
        return float(np.percentile([age for at_s, age in self.ages if from_s <= at_s < to_s], 95))


def governor(budget_s: float = BUDGET_S) -> Governor:
    return Governor(ladder(Run()), budget_s)


def load_for(rung: int, budget_s: float = BUDGET_S) -> float:
    """How much slower the machine has to be for a rung's worst tenth to need the budget."""
    return budget_s / float(np.percentile(STAGES[rung], 95))


def test_on_a_machine_that_is_fast_enough_nothing_is_given_up() -> None:
    machine = Machine(governor(), lambda _: 0.5)
    machine.run(120)
    assert machine.changes == []


def test_a_load_is_answered_within_seconds_and_the_budget_is_held() -> None:
    heavy = 1.15 * load_for(0)
    machine = Machine(governor(), lambda at_s: heavy if at_s > 20 else 0.5)
    machine.run(120)
    assert machine.changes
    assert 20 < machine.changes[0][0] <= 24
    settled_s = 20 + len(ladder(Run())) * (SETTLE_S + 2)
    assert machine.p95_s(settled_s, settled_s + CALM_S) <= BUDGET_S


def test_when_the_load_is_gone_everything_comes_back() -> None:
    heavy = 1.15 * load_for(0)
    machine = Machine(governor(), lambda at_s: heavy if 20 < at_s < 60 else 0.4)
    machine.run(200)
    assert machine.governor.rung == 0
    assert max(rung for _, rung in machine.changes) >= 1


def test_a_load_that_stays_is_tried_against_more_and_more_seldom() -> None:
    """On a machine that bears one rung and not the one above, the tries come farther and farther apart."""
    steps = ladder(Run())
    one = Governor(steps, BUDGET_S)
    tries, now_s = [], 0.0
    while now_s < 3600:
        now_s += 1
        fits = one.rung >= 1
        step = one.look([BUDGET_S * (0.5 if fits else 1.3)] * 30, now_s)
        if step is steps[0]:
            tries.append(now_s)
    apart = np.diff(tries)
    assert len(tries) <= 16
    assert (np.diff(apart) >= 0).all()
    assert apart[-1] >= MOST_CALM_S


@pytest.mark.parametrize("seed", range(5))
def test_random_loads_never_make_it_flap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loads = rng.uniform(0.5, 2.2, 60)
    machine = Machine(governor(), lambda at_s: float(loads[int(at_s) // 20 % 60]))
    machine.run(1200)
    times = [at_s for at_s, _ in machine.changes]
    turns = [
        after_s - before_s
        for (before_s, before), (after_s, after), (_, next_) in zip(
            machine.changes, machine.changes[1:], machine.changes[2:], strict=False
        )
        if before < after > next_ or before > after < next_
    ]
    assert len(times) <= 1200 / 20 * 3
    assert all(apart >= SETTLE_S for apart in np.diff(times))
    up = [at_s for (_, one), (at_s, other) in itertools.pairwise(machine.changes) if other < one]
    assert all(apart >= CALM_S for apart in np.diff(up))
    assert len(turns) <= 1200 / CALM_S


def test_between_room_and_budget_nothing_changes() -> None:
    one = governor()
    one.rung = 2
    for second in range(300):
        assert one.look([BUDGET_S * (ROOM + 0.05)] * 30, float(second)) is None
    assert one.rung == 2


def test_one_late_second_changes_nothing_and_a_very_late_one_does() -> None:
    one = governor()
    assert one.look([1.2 * BUDGET_S] * 30, 1.0) is None
    assert one.look([0.5 * BUDGET_S] * 30, 2.0) is None
    assert one.look([1.2 * BUDGET_S] * 30, 3.0) is None
    assert one.look([3 * BUDGET_S] * 30, 10.0) is not None


def test_a_few_pictures_say_nothing() -> None:
    assert governor().look([10.0] * 3, 1.0) is None


def test_the_last_rung_is_the_last() -> None:
    one = governor()
    for second in range(200):
        one.look([1.0] * 30, float(second))
    assert one.step is one.steps[-1]


def test_a_step_up_that_holds_is_forgiven() -> None:
    one, now_s = governor(), 0.0

    def second(age_s: float) -> None:
        nonlocal now_s
        now_s += 1
        one.look([age_s] * 30, now_s)

    def taken_back() -> None:
        while one.rung:
            second(0.3 * BUDGET_S)
        while not one.rung:
            second(1.5 * BUDGET_S)

    while not one.rung:
        second(1.5 * BUDGET_S)
    taken_back()
    began_s = now_s
    while one.rung:
        second(0.3 * BUDGET_S)
    assert now_s - began_s >= 2 * CALM_S
    for _ in range(round(TRIAL_S) + 2):
        second(0.3 * BUDGET_S)
    while not one.rung:
        second(1.5 * BUDGET_S)
    began_s = now_s
    while one.rung:
        second(0.3 * BUDGET_S)
    assert now_s - began_s <= CALM_S + SETTLE_S + 2


def test_each_rung_keeps_what_the_one_above_gave_up_and_says_so() -> None:
    steps = ladder(Run(restorer=True, boost=2, mesh=False))
    assert steps[0].quality == FULL
    assert [step.quality.restorer_every for step in steps[:4]] == [1, 2, 4, 0]
    assert all(step.quality.restorer_every == 0 for step in steps[3:])
    assert steps[4].quality.boost == 1
    assert steps[-1].quality.frames_every == 3
    assert len({step.words for step in steps}) == len(steps)


def test_the_detector_looks_at_every_frame_while_anybody_is_protected() -> None:
    assert all(step.quality.detector_every == 1 for step in ladder(Run(restorer=True, boost=4)))
    assert any(step.quality.detector_every > 1 for step in ladder(Run(sparse_detector=True)))


def test_recordings_are_never_thinned() -> None:
    assert all(step.quality.frames_every == 1 for step in ladder(Run(live=False)))
