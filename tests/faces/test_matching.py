from __future__ import annotations

import itertools

import numpy as np
import pytest

from live.faces.matching import cheapest_pairs


def cost_of(costs: np.ndarray, pairs: dict[int, int], alone: float) -> float:
    return sum(float(costs[pair]) for pair in pairs.items()) + alone * (len(costs) - len(pairs))


def cheapest(costs: np.ndarray, alone: float) -> float:
    """By trying everything."""
    rows, columns = costs.shape
    choices = itertools.product(range(-1, columns), repeat=rows)
    pairs = [{row: column for row, column in enumerate(choice) if column >= 0} for choice in choices]
    return min(cost_of(costs, one, alone) for one in pairs if len(set(one.values())) == len(one))


@pytest.mark.parametrize("seed", range(60))
def test_no_other_pairing_costs_less(seed: int) -> None:
    random = np.random.default_rng(seed)
    costs = random.uniform(0, 2, random.integers(0, 5, 2)).astype(np.float32)
    pairs = cheapest_pairs(costs, 1.0)
    assert len(set(pairs.values())) == len(pairs)
    assert cost_of(costs, pairs, 1.0) == pytest.approx(cheapest(costs, 1.0))


def test_who_costs_as_much_as_being_alone_stays_alone() -> None:
    assert cheapest_pairs(np.array([[1.0, 3.0], [0.9, 2.0]], np.float32), 1.0) == {1: 0}


def test_the_nearest_pair_may_have_to_part_for_the_others_sake() -> None:
    assert cheapest_pairs(np.array([[0.1, 0.2], [0.15, 0.9]], np.float32), 1.0) == {0: 1, 1: 0}
