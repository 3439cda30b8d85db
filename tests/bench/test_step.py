"""The captured step measured on CPU torch, on a narrow twin."""

from __future__ import annotations

import pytest

from live.bench.step import Wish, measure, table
from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.config import load_preset

MOST_OPERATIONS = 590
"""Around and in inswapper for one face: on a card each is a kernel of some microseconds."""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    list(write_stand_ins(folder, ["w600k_r50", "inswapper_128"], width=SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVE_MODELS", str(folder))
        return measure(load_preset("fast", ["engine=inswapper_128", "device=cpu"]), Wish((256,), (1, 2), kernels=True))


def test_every_slot_and_number_of_faces_has_its_row_beside_its_floor(report):
    assert [(row["slot_px"], row["faces"]) for row in report["steps"]] == [(256, 1), (256, 2)]
    assert all(row["ms"] > row["floor_ms"] > 0 for row in report["steps"])
    assert report["alone"] > 0
    assert all(str(row["kernels"]) in table(report) for row in report["steps"])


def test_the_step_stays_small(report):
    one, two = (row["kernels"] for row in report["steps"])
    assert 300 < one <= MOST_OPERATIONS
    assert two < one + 80
