"""`live bench speed`: the whole program on one input with the null output, paced and saturated, never mixed.

Paced is the truth about latency (counted from each frame's scheduled time, so nothing is hidden by a late reader);
saturated is throughput. A clip is decoded in the run; the demo person is drawn ahead of time and is a raw input. Knows
only what the meter and the system say.

The report, as `--json` writes it: `live`, `machine`, `input`, `preset`, and `modes` with a run each: `paced` and
`saturated`, or `soak`. With several faces `alone` holds the same runs with one face. Of a run:

    size, format, input_fps, faces   what came in; format is that of the frames, after decoding
    seconds, counts, fps, stages_ms, latency_ms, first_swapped_s   as the meter says; stage `frame` is the whole swap
    fps_out, latency                 of the one output: pictures per second, ms from the scheduled time
    cpu_percent, cpu_percent_all     processor time of the whole process, of one core and of all cores together
    stolen_percent                   of one core: what other virtual machines took meanwhile
    memory_mb                        resident, at the start, every minute, and at the end; [] where unknown
    further_face_ms                  median of stage `frame` over that of the run alone, by further face; else null
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from live.bench.process import memory_mb, stolen_s
from live.bench.reel import Reel
from live.bench.report import head
from live.capture import route
from live.capture.contract import Wanted
from live.ends import Ask
from live.errors import OutputError, UsageError
from live.nets.devices import look
from live.preset import Preset
from live.session import Session
from live.studio import build
from live.values import PixelFormat

WARM_UP_S = 3.0
END_S = 30.0
MINUTE_S = 60.0
MODES = {"paced": "real", "saturated": "max"}
DEFAULT_FPS = 30.0
TRACED_S = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure. The size, rate and format of the demo person are keys of the preset."""

    input: str = "demo"
    seconds: float = 20.0
    """Of each mode, after the warm-up."""
    faces: int = 1
    """Side by side; more than one only of the demo person."""
    soak_minutes: int | None = None
    """Paced only, for so long, with the memory of every minute."""
    trace: Path | None = None
    """Where a trace of a second of the paced run goes, for chrome://tracing or Perfetto."""

    @property
    def drawn(self) -> bool:
        """Whether the input is drawn ahead of time."""
        return self.input == "demo"


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Run all modes. Returns the report.

    Raises: UsageError for what cannot be asked of the input; LiveError when something cannot be opened or fails.
    """
    if wish.faces > 1 and not wish.drawn:
        raise UsageError(f"--faces {wish.faces} is for --input demo; {wish.input} has the faces it has")
    if wish.faces > preset.faces.most:
        raise UsageError(
            f"--faces {wish.faces} needs --set faces.most={wish.faces}: the preset swaps no more than that"
        )
    if not wish.drawn and route(wish.input)[0] == "file":
        preset = preset.model_copy(update={"capture": preset.capture.model_copy(update={"loop": True})})
    modes = {"soak": "real"} if wish.soak_minutes else MODES
    report = head(input=wish.input, preset=preset.about)
    if wish.faces == 1:
        return report | {"modes": {mode: _measure_mode(preset, wish, pace) for mode, pace in modes.items()}}
    alone = {mode: _measure_mode(preset, replace(wish, faces=1), pace) for mode, pace in modes.items()}
    together = {mode: _measure_mode(preset, wish, pace) for mode, pace in modes.items()}
    for mode, numbers in together.items():
        more_ms = numbers["stages_ms"]["frame"]["p50"] - alone[mode]["stages_ms"]["frame"]["p50"]
        numbers["further_face_ms"] = round(more_ms / (wish.faces - 1), 2)
    return report | {"modes": together, "alone": alone}


def _measure_mode(preset: Preset, wish: Wish, pace: str) -> dict[str, Any]:
    session = _session(preset, wish, pace)
    info = session.capture.info
    session.start()
    session.wait(WARM_UP_S)
    session.meter.restart()
    cpu_s, others_s = time.process_time(), stolen_s()
    memory = [memory_mb()]
    for wait_s in [MINUTE_S] * wish.soak_minutes if wish.soak_minutes else [wish.seconds]:
        session.wait(wait_s)
        memory.append(memory_mb())
    summary = session.meter.summary()
    cpu_share = (time.process_time() - cpu_s) / summary["seconds"]
    if wish.trace is not None and pace == "real":
        _write_trace(session, wish.trace)
    summary |= {
        "size": f"{info.width_px}x{info.height_px}",
        "format": str(info.format),
        "input_fps": info.fps,
        "faces": wish.faces,
        "cpu_percent": round(100 * cpu_share, 1),
        "cpu_percent_all": round(100 * cpu_share / (os.cpu_count() or 1), 1),
        "stolen_percent": round(100 * (stolen_s() - others_s) / summary["seconds"], 1),
        "fps_out": next((fps for name, fps in summary["fps"].items() if name.startswith("out ")), 0.0),
        "latency": next(iter(summary["latency_ms"].values()), {}),
        "memory_mb": [value for value in memory if value is not None],
        "further_face_ms": None,
    }
    session.stop()
    session.wait(END_S)
    if session.error is not None:
        raise session.error
    return summary


def _write_trace(session: Session, path: Path) -> None:
    """Trace a second of a run, after it was measured: tracing slows it down."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if look().torch_cuda else [])]
    with profile(activities=kinds) as seen:
        session.wait(TRACED_S)
    try:
        seen.export_chrome_trace(str(path))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place with --trace") from None


def _session(preset: Preset, wish: Wish, pace: str) -> Session:
    if not wish.drawn:
        return build(preset, Ask(input=wish.input, outputs=("null",), pace=pace))[0]
    keys = preset.capture
    format = None if keys.format == "auto" else PixelFormat(keys.format)
    wanted = Wanted(keys.width_px, keys.height_px, keys.fps or DEFAULT_FPS, format, live=pace == "real")
    return build(preset, Ask(outputs=("null",)), Reel(wanted, faces=wish.faces))[0]


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    who = report["machine"]
    lines = [f"live {report['live']}, {report['input']}, {who['cores']} x {who['cpu']}, {who['system']}"]
    for mode, numbers in report["modes"].items():
        lines += ["", *_mode_lines(mode, numbers)]
    return "\n".join(lines)


def _mode_lines(mode: str, numbers: dict[str, Any]) -> list[str]:
    counts = numbers["counts"]
    frames = max(counts.get("in", 0), 1)
    faces = "" if numbers["faces"] == 1 else f", {numbers['faces']} faces"
    lines = [
        f"{mode}: {numbers['size']} {numbers['format']} at {numbers['input_fps']:g} fps{faces}, "
        f"{numbers['seconds']:.1f} s",
        f"  {numbers['fps_out']:.1f} fps out, {100 * counts.get('dropped', 0) / frames:.2f} % dropped, "
        f"{counts.get('hold', 0) + counts.get('slate', 0)} not proven, {numbers['cpu_percent']:.0f} % of one core "
        f"({numbers['cpu_percent_all']:.0f} % of all), {numbers['stolen_percent']:.0f} % taken by other machines",
        f"  {'ms':12}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}",
    ]
    rows = {"latency": numbers["latency"], **numbers["stages_ms"]}
    lines += [
        f"  {name:12}" + "".join(f"{values[key]:8.2f}" for key in ("p50", "p95", "p99", "max"))
        for name, values in rows.items()
        if values and not (name == "latency" and mode == "saturated")
    ]
    if numbers["further_face_ms"] is not None:
        lines.append(f"  each further face {numbers['further_face_ms']:.2f} ms")
    if numbers["memory_mb"]:
        samples = numbers["memory_mb"]
        between = f" ({', '.join(f'{value:.0f}' for value in samples[1:-1])})" if len(samples) > 2 else ""
        lines.append(f"  memory {samples[0]:.0f} MB at the start, {samples[-1]:.0f} MB at the end{between}")
    if numbers["first_swapped_s"] is not None:
        lines.append(f"  first swapped picture after {numbers['first_swapped_s']:.2f} s")
    return lines
