"""`live bench speed`: the whole program on one input with the null output, paced and saturated, never mixed.

Paced is the truth about latency (counted from each frame's scheduled time, so nothing is hidden by a late reader);
saturated is throughput. Knows only what the meter says.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from live.bench.report import head
from live.config import Preset
from live.studio import Ask, build

WARM_UP_S = 3.0
END_S = 30.0
MODES = {"paced": "real", "saturated": "max"}


def measure(preset: Preset, input: str, seconds: float) -> dict[str, Any]:
    """Run both modes. Returns the report: machine, preset, and per mode the meter's summary."""
    looped = preset.model_copy(update={"capture": preset.capture.model_copy(update={"loop": True})})
    return head(input=input, preset=preset.about) | {
        "modes": {mode: _measure_mode(looped, input, pace, seconds) for mode, pace in MODES.items()},
    }


def _measure_mode(preset: Preset, input: str, pace: str, seconds: float) -> dict[str, Any]:
    session, _ = build(preset, Ask(input=input, outputs=("null",), pace=pace))
    session.start()
    session.wait(WARM_UP_S)
    session.meter.restart()
    cpu_s, stolen_s = time.process_time(), _stolen_s()
    session.wait(seconds)
    summary = session.meter.summary()
    summary["cpu_percent"] = round(100 * (time.process_time() - cpu_s) / summary["seconds"], 1)
    summary["stolen_percent"] = round(100 * (_stolen_s() - stolen_s) / summary["seconds"], 1)
    summary["fps_out"] = next((fps for name, fps in summary["fps"].items() if name.startswith("out ")), 0.0)
    summary["latency"] = next(iter(summary["latency_ms"].values()), {})
    summary["size"] = f"{session.capture.info.width_px}x{session.capture.info.height_px}"
    summary["input_fps"] = session.capture.info.fps
    session.stop()
    session.wait(END_S)
    if session.error is not None:
        raise session.error
    return summary


def _stolen_s() -> float:
    """Seconds that a virtual machine's processors were given to others so far; 0 where the system does not say."""
    path = Path("/proc/stat")
    return int(path.read_text().split()[8]) / os.sysconf("SC_CLK_TCK") if path.exists() else 0.0


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    who = report["machine"]
    lines = [f"live {report['live']}, {report['input']}, {who['cores']} x {who['cpu']}, {who['system']}"]
    for mode, numbers in report["modes"].items():
        counts = numbers["counts"]
        frames = max(counts.get("in", 0), 1)
        lines += [
            "",
            f"{mode}: {numbers['size']} at {numbers['input_fps']:g} fps, {numbers['seconds']:.1f} s",
            f"  {numbers['fps_out']:.1f} fps out, {100 * counts.get('dropped', 0) / frames:.2f} % dropped, "
            f"{counts.get('hold', 0) + counts.get('slate', 0)} not proven, "
            f"{numbers['cpu_percent']:.0f} % of one core, {numbers['stolen_percent']:.0f} % taken by other machines",
        ]
        rows = {"latency": numbers["latency"], **numbers["stages_ms"]}
        lines.append(f"  {'ms':12}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
        lines += [
            f"  {name:12}" + "".join(f"{values[key]:8.2f}" for key in ("p50", "p95", "p99", "max"))
            for name, values in rows.items()
            if values and not (name == "latency" and mode == "saturated")
        ]
        if numbers["first_swapped_s"] is not None:
            lines.append(f"  first swapped picture after {numbers['first_swapped_s']:.2f} s")
    return "\n".join(lines)
