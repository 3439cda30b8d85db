"""What a run measured in the last seconds, once computed for all who ask: terminal, page, state, Prometheus, governor.

Reading costs nothing, however often: numbers are made where `look` is called, about once a second. Knows the meter.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any

import numpy as np

from live.meter import Floats, Meter, Window

SECONDS = 10
"""Looks that latencies are taken over: a p99 of one second would be its largest number."""


class Figures:
    """The recent figures of one meter. `look` belongs to one thread, the rest may be read by any."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._window = meter, Window()
        self._ages: dict[str, deque[Floats]] = {}
        self.newest_ms: dict[str, Floats] = {}
        """Ages of the pictures since the look before, by output."""
        self.latest: dict[str, Any] = {"seconds": 0.0, "counts": {}, "fps": {}, "stages_ms": {}, "latency_ms": {}}
        """Replaced whole. `fps`, `stages_ms` (medians): since the look before; `latency_ms`: of ten looks; the rest:
        since the start."""

    def look(self, now_s: float) -> dict[str, Any]:
        """Make the figures anew."""
        meter = self._meter
        rates = self._window.advance(meter, now_s)
        self.newest_ms = self._window.outputs_ms
        for name, ages in self.newest_ms.items():
            self._ages.setdefault(name, deque(maxlen=SECONDS)).append(ages)
        self.latest = {
            "seconds": round(time.monotonic() - meter.started_s, 1),
            "first_swapped_s": meter.first_swapped_s,
            "counts": dict(meter.counts),
            "fps": {name: round(rate, 2) for name, rate in rates.items()},
            "stages_ms": {name: round(ms, 2) for name, ms in self._window.stages_ms.items()},
            "latency_ms": {name: _percentiles(ages) for name, ages in self._ages.items()},
            "gpu": _gpu(),
        }
        return self.latest


def _percentiles(parts: deque[Floats]) -> dict[str, float]:
    ages = np.concatenate(list(parts))
    if not ages.size:
        return {}
    found = np.percentile(ages, (50, 95, 99))
    return {name: round(float(number), 2) for name, number in zip(("p50", "p95", "p99"), found)}


def _gpu() -> dict[str, float | str] | None:
    """Memory of the card that torch works on; None where torch is not loaded or has none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return {"name": torch.cuda.get_device_name(), "used_mb": (total - free) // 2**20, "total_mb": total // 2**20}
