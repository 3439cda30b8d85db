"""Time per stage, drops, repeats, age of the frames at the outputs: one line a second, a summary at the end.

Threads add numbers without a lock (appending to a deque is atomic); one reader drains them.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
KEPT = 200_000
"""Samples kept per stage: more than an hour at 30 fps."""


@dataclass(slots=True)
class Meter:
    """Collects what a run measured."""

    stages_s: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=KEPT)))
    ages_s: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=KEPT)))
    counts: Counter[str] = field(default_factory=Counter)
    started_s: float = field(default_factory=time.monotonic)
    first_swapped_s: float | None = None
    """Seconds from `started_s` to the first proven picture with a swapped face at an output."""
    reason: str = ""
    """Why the newest frame is or is not proven."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of one frame."""
        begin_s = time.perf_counter()
        try:
            yield
        finally:
            self.stages_s[name].append(time.perf_counter() - begin_s)

    def add(self, name: str, spent_s: float) -> None:
        """Add the time of a stage that somebody else measured."""
        self.stages_s[name].append(spent_s)

    def count(self, name: str, by: int = 1) -> None:
        """Count an event."""
        self.counts[name] += by

    def delivered(self, output: str, age_s: float) -> None:
        """A new picture left through an output `age_s` after it was captured."""
        self.counts[f"out {output}"] += 1
        self.ages_s[output].append(age_s)

    def restart(self) -> None:
        """Forget what was measured while warming up; the time to the first swapped picture stays."""
        self.counts.clear()
        self.stages_s.clear()
        self.ages_s.clear()
        self.started_s = time.monotonic()

    def line(self, window: Window) -> str:
        """One line about the time since the last one."""
        rates = window.advance(self, time.monotonic())
        ages = window.ages_ms
        parts = [f"in {rates.get('in', 0):.1f} fps"]
        parts += [f"{name.removeprefix('out ')} {rate:.1f}" for name, rate in rates.items() if name.startswith("out ")]
        parts.append(f"dropped {self.counts['dropped']}")
        if ages.size:
            p50, p95, p99 = np.percentile(ages, (50, 95, 99))
            parts.append(f"latency {p50:.1f}/{p95:.1f}/{p99:.1f} ms")
        parts += [f"{name} {ms:.1f}" for name, ms in window.stages_ms.items()]
        return " | ".join([*parts, self.reason])

    def summary(self) -> dict[str, Any]:
        """The whole run in numbers: counts, fps, stage and latency percentiles in ms."""
        seconds = max(time.monotonic() - self.started_s, 1e-6)
        return {
            "seconds": round(seconds, 3),
            "first_swapped_s": self.first_swapped_s,
            "counts": dict(self.counts),
            "fps": {name: round(count / seconds, 2) for name, count in self.counts.items() if _is_rate(name)},
            "stages_ms": {name: percentiles_ms(values) for name, values in self.stages_s.items()},
            "latency_ms": {name: percentiles_ms(values) for name, values in self.ages_s.items()},
        }


def _is_rate(name: str) -> bool:
    return name == "in" or name.startswith("out ")


def percentiles_ms(seconds: deque[float] | list[float]) -> dict[str, float]:
    """p50, p95, p99, max and mean in ms; empty without samples."""
    values = np.array(list(seconds)) * 1000
    if not values.size:
        return {}
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    numbers = {"p50": p50, "p95": p95, "p99": p99, "max": values.max(), "mean": values.mean()}
    return {name: round(float(number), 2) for name, number in numbers.items()}


class Window:
    """What was added to a meter since the last look."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter()
        self._then_s = time.monotonic()
        self.ages_ms = np.empty(0)
        self.outputs_ms: dict[str, Floats] = {}
        """The same ages by output."""
        self.stages_ms: dict[str, float] = {}

    def advance(self, meter: Meter, now_s: float) -> dict[str, float]:
        """Move to now. Returns events per second of the captures and outputs."""
        elapsed_s = max(now_s - self._then_s, 1e-6)
        counts = Counter(meter.counts)
        rates = {name: (counts[name] - self._counts[name]) / elapsed_s for name in counts if _is_rate(name)}
        self.outputs_ms = {
            name: np.array(self._newest(f"age {name}", values), np.float32) * 1000
            for name, values in list(meter.ages_s.items())
        }
        self.ages_ms = np.concatenate(list(self.outputs_ms.values())) if self.outputs_ms else np.empty(0)
        self.stages_ms = {
            name: float(np.median(fresh)) * 1000
            for name, values in list(meter.stages_s.items())
            if (fresh := self._newest(f"stage {name}", values))
        }
        self._counts, self._then_s = counts, now_s
        return rates

    def _newest(self, key: str, values: deque[float]) -> list[float]:
        length = len(values)
        fresh = length - self._lengths[key] if length < KEPT else 30
        self._lengths[key] = length
        return [values[i] for i in range(length - fresh, length)] if fresh > 0 else []
