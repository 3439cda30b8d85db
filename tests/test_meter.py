from __future__ import annotations

import pytest

from live.meter import Meter, Window


def test_the_summary_has_counts_percentiles_and_rates() -> None:
    meter = Meter()
    for i in range(100):
        meter.count("in")
        meter.delivered("null", i / 1000)
    with meter.stage("look"):
        pass
    summary = meter.summary()
    assert summary["counts"]["in"] == 100
    assert summary["latency_ms"]["null"]["p50"] == pytest.approx(49.5)
    assert summary["latency_ms"]["null"]["max"] == pytest.approx(99)
    assert summary["fps"]["out null"] > 0
    assert summary["stages_ms"]["look"]["p50"] >= 0


def test_a_line_tells_only_what_is_new() -> None:
    meter, window = Meter(), Window()
    meter.delivered("null", 0.5)
    assert "500.0" in meter.line(window)
    meter.delivered("null", 0.001)
    line = meter.line(window)
    assert "500" not in line
    assert "1.0/1.0/1.0 ms" in line


def test_restarting_forgets_the_warm_up() -> None:
    meter = Meter(first_swapped_s=0.7)
    meter.count("in")
    meter.delivered("null", 0.5)
    meter.restart()
    summary = meter.summary()
    assert not summary["counts"]
    assert not summary["latency_ms"]
    assert summary["first_swapped_s"] == 0.7
