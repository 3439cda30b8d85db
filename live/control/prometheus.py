"""A run's figures in the text format of Prometheus. Pure.

Source of the format: Prometheus, exposition formats, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KIND = "text/plain; version=0.0.4; charset=utf-8"


def metrics(state: Mapping[str, Any]) -> str:
    """The metrics of a state as `Desk.state` gives it."""
    return "\n".join(_lines(state)) + "\n"


def _lines(state: Mapping[str, Any]) -> Iterator[str]:
    measured = state.get("measured", {})
    yield from _family("live_events_total", "counter", "frames in, out of each output, dropped, held, behind the slate")
    for name, count in measured.get("counts", {}).items():
        yield _sample("live_events_total", count, event=name)
    yield from _family("live_rate_hertz", "gauge", "frames per second, of the input and of each output")
    for name, rate in measured.get("fps", {}).items():
        yield _sample("live_rate_hertz", rate, of=name)
    yield from _family("live_latency_seconds", "gauge", "from capture to the end of the output's write, last 10 s")
    for name, found in measured.get("latency_ms", {}).items():
        for quantile, ms in found.items():
            yield _sample("live_latency_seconds", ms / 1000, output=name, quantile=f"0.{quantile.removeprefix('p')}")
    yield from _family("live_stage_seconds", "gauge", "median time of a stage of a frame, last second")
    for name, ms in measured.get("stages_ms", {}).items():
        yield _sample("live_stage_seconds", ms / 1000, stage=name)
    for name in ("panic", "pause"):
        yield from _family(f"live_{name}", "gauge", f"1 while {name} is on")
        yield _sample(f"live_{name}", int(bool(state.get(name))))
    governor = state.get("governor")
    if governor:
        yield from _family("live_governor_step", "gauge", "what is given up for time: 0 is nothing")
        yield _sample("live_governor_step", governor["step"])


def _family(name: str, kind: str, help: str) -> tuple[str, str]:
    return f"# HELP {name} {help}", f"# TYPE {name} {kind}"


def _sample(name: str, value: float, **labels: str) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value:g}" if told else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
