"""Both ways on a narrow twin, on CPU torch."""

from __future__ import annotations

import json

import pytest

from live.bench.compare import Wish, measure, table
from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.config import load_preset
from live.errors import UsageError


def test_both_ways_deliver_and_the_report_holds_every_round(tmp_path, monkeypatch):
    list(write_stand_ins(tmp_path / "models", ["w600k_r50", "inswapper_128"], width=SMALL))
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path / "models"))
    size = ["capture.width_px=320", "capture.height_px=180", "capture.format=nv12", "faces.most=1", "device=cpu"]
    report = measure(
        load_preset("fast", ["engine=inswapper_128", *size]), Wish(0.5, rounds=1, json=tmp_path / "r.json")
    )
    (only,) = report["rounds"]
    assert only["ours"]["saturated_fps"] > 0
    assert only["theirs"]["saturated_fps"] > 0
    assert json.loads((tmp_path / "r.json").read_text())["ratios"] == report["ratios"]
    assert "theirs" in table(report)


def test_the_mesh_has_nothing_to_be_compared_with():
    with pytest.raises(UsageError, match="compare a network"):
        measure(load_preset("fast", ["engine=mesh"]), Wish())
