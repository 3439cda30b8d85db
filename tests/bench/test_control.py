"""The bench of the controls: on a small run it measures what it says."""

from __future__ import annotations

import pytest

from live.bench.control import Wish, measure, table
from live.config import load_preset

SMALL = ["capture.width_px=480", "capture.height_px=270", "capture.fps=15"]


@pytest.mark.slow
def test_presses_switches_panic_and_askers_are_measured_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    report = measure(load_preset("fast", SMALL), Wish(presses=4, switches=4, asking_s=1.0, asking_hz=20.0))
    assert 0 < report["command"]["p50"] < 1500  # an answer that never came counts 2 s
    assert report["hotkey"] == {}
    assert report["switches"]["switches"] == 4
    assert 0 < report["panic"]["p50"] < 1000
    assert 0 < report["panic, swap thread stopped"]["max"] < 1000
    assert report["asking"]["requests a second"] > 5
    told = table(report)
    assert "no display" in told
    assert "frames lost" in told


def test_the_table_names_every_target() -> None:
    numbers = {"p50": 20.0, "p95": 25.0, "p99": 30.0, "max": 40.0, "mean": 21.0}
    report = dict.fromkeys(("command", "hotkey", "panic", "panic, swap thread stopped"), numbers)
    told = table({"fps": 30.0, **report, "switches": {"frames lost": 0}, "asking": {"frames lost": 1}})
    assert "53.3" in told
    assert "33.3" in told
    assert "asking: frames lost 1" in told
