"""`live bench compare`: our way of frames against that of the field's programs, same networks, same run, turn by turn.

The order is A B A B, so that a machine that slows down slows both. Ratios are what counts; a network with random
weights does for speed. Knows ways and what the meter says.

The report, as `--json` writes it: `live`, `machine`, `device`, `engine`, `restorer`, `precision`, and `rounds`, each
with `ours` and `theirs`: `saturated_fps`, `paced` with the latency's percentiles in ms and the frames per second, and
`device_ms` from upload to download.
`ratios`: medians over the rounds, frames per second of ours by theirs, latency of theirs by ours.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live.bench.peers_way import Parts, PeersWay
from live.bench.reel import Reel
from live.bench.report import head, write_json
from live.bench.speed import DEFAULT_FPS
from live.capture.contract import Wanted
from live.device_engines import build_device_engine, parts_of_engine
from live.ends import Ask
from live.engines import device_of
from live.errors import UsageError
from live.preset import Preset
from live.privacy import Rules, Watch
from live.session import Session
from live.studio import build, build_tracker
from live.swap.device.engine import DeviceEngine
from live.values import Kind, PixelFormat

ROUNDS = 2
WARM_UP_S = 1.5
"""Of each run: everything was captured and warmed up before."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to compare. Size, rate, format and networks are keys of the preset."""

    seconds: float = 5.0
    faces: int = 1
    rounds: int = ROUNDS
    json: Path | None = None
    """Written after every round, so that a run that is cut keeps what it has."""


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Run both ways in turn. Raises: UsageError for the mesh, which no other program has; LiveError."""
    if preset.engine in ("mesh", "none"):
        raise UsageError(f"engine {preset.engine}: the other programs have none; compare a network: --set engine=NAME")
    device = device_of(preset) or "cpu"
    reel = _reel(preset, wish)
    info = reel.info
    kind = Kind(info.format, info.colour, info.width_px, info.height_px)
    engine = build_device_engine(preset, device, kind, files=True)
    report = head(device=engine.place.name, engine=preset.engine, restorer=preset.restorer)
    report |= {"precision": preset.nets.precision, "size": f"{info.width_px}x{info.height_px}"}
    report |= {"format": str(info.format), "faces": wish.faces, "rounds": []}
    for _ in range(wish.rounds):
        report["rounds"].append(
            {name: _both(preset, wish, engine, reel, ours=name == "ours") for name in ("ours", "theirs")}
        )
        report["ratios"] = _ratios(report["rounds"])
        if wish.json is not None:
            write_json(report, wish.json)
    return report


def _both(preset: Preset, wish: Wish, engine: DeviceEngine, reel: Reel, *, ours: bool) -> dict[str, Any]:
    """One way, saturated and paced."""
    full = _run(preset, wish, engine, reel.again(live=False), ours=ours)
    paced = _run(preset, wish, engine, reel.again(live=True), ours=ours)
    latency: dict[str, float] = next(iter(paced["latency_ms"].values()), {})
    device: dict[str, float] = paced["stages_ms"].get("device", {})
    return {"saturated_fps": _fps(full), "paced": {"fps": _fps(paced), **latency}, "device_ms": device}


def _run(preset: Preset, wish: Wish, engine: DeviceEngine, reel: Reel, *, ours: bool) -> dict[str, Any]:
    session: Session = build(preset, Ask(outputs=("null",)), reel, engine)[0]
    if not ours:
        watch = Watch(Rules(**preset.privacy.model_dump(exclude={"protect"})))
        session.pipeline = PeersWay(build_tracker(preset), Parts(*parts_of_engine(engine)), engine.place, watch)
    session.start()
    session.wait(WARM_UP_S)
    session.meter.restart()
    session.wait(wish.seconds)
    summary = session.meter.summary()
    session.stop()
    session.wait()
    if session.error is not None:
        raise session.error
    return summary


def _reel(preset: Preset, wish: Wish) -> Reel:
    keys = preset.capture
    format = None if keys.format == "auto" else PixelFormat(keys.format)
    wanted = Wanted(keys.width_px, keys.height_px, keys.fps or DEFAULT_FPS, format, live=False)
    return Reel(wanted, faces=wish.faces)


def _fps(summary: dict[str, Any]) -> float:
    return next((fps for name, fps in summary["fps"].items() if name.startswith("out ")), 0.0)


def _ratios(rounds: list[dict[str, Any]]) -> dict[str, float]:
    fps = statistics.median(row["ours"]["saturated_fps"] / max(row["theirs"]["saturated_fps"], 0.01) for row in rounds)
    p50, p99 = (
        statistics.median(
            row["theirs"]["paced"].get(key, 0) / max(row["ours"]["paced"].get(key, 0), 0.01) for row in rounds
        )
        for key in ("p50", "p99")
    )
    return {"fps": round(fps, 2), "latency_p50": round(p50, 2), "latency_p99": round(p99, 2)}


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"live {report['live']}, {report['engine']}, restorer {report['restorer']}, {report['size']} "
        f"{report['format']}, {report['faces']} face(s), {report['device']}",
        f"{'':10}{'saturated':>12}{'paced':>8}{'p50':>9}{'p95':>9}{'p99':>9}",
        f"{'':10}{'fps':>12}{'fps':>8}{'ms':>9}{'ms':>9}{'ms':>9}",
    ]
    for row in report["rounds"]:
        for name, side in row.items():
            paced = side["paced"]
            times = "".join(f"{paced.get(key, float('nan')):9.2f}" for key in ("p50", "p95", "p99"))
            lines.append(f"{name:10}{side['saturated_fps']:12.1f}{paced['fps']:8.1f}{times}")
    ratios = report["ratios"]
    lines.append(
        f"ours has {ratios['fps']:g} times the frames per second, theirs {ratios['latency_p50']:g} times the latency "
        f"at p50 and {ratios['latency_p99']:g} times at p99"
    )
    return "\n".join(lines)
