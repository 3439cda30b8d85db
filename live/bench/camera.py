"""`live bench camera`: the whole program into the real virtual camera, judged by a reader in a process of its own.

Every picture carries its number and capture time; the reader (`live.bench.camera_reader`) tells which came out of the
device, when, and with which pixels. The meter's numbers stand beside it, they decide nothing. Linux only: the reader
speaks V4L2.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import live
from live.arguments import size_px
from live.bench.arrivals import statistics, unpacked
from live.bench.reader import Reader
from live.bench.report import machine
from live.bench.speed import END_S, WARM_UP_S
from live.ends import Ask
from live.errors import OutputError, UsageError
from live.meter import Meter
from live.output.contract import Output
from live.output.loopback import OWN_LABEL, labels
from live.output.virtualcam import explained
from live.preset import Preset
from live.session import Session
from live.studio import build
from live.values import Frame, Sound

FIRST_S = 10.0
"""Longest until the first picture is sent."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure."""

    input: str
    device: str | None
    """As for the output virtualcam, or a device; None: the first loopback, the one labelled `live` preferred."""
    size: str
    """`1280x720`."""
    fps: float
    format: str
    """The device's: `nv12`, `i420`, `yuyv`, `rgb`, `bgr`; `auto`: whatever suits the input."""
    seconds: float

    def overrides(self) -> list[str]:
        """The preset's keys that follow from it, as `--set` takes them. Raises: UsageError."""
        width_px, height_px = size_px(self.size)
        keys = [f"width_px={width_px}", f"height_px={height_px}", f"fps={self.fps:g}", "counter=true"]
        if self.input == "pattern" and self.format != "auto":
            keys.append(f"format={'bgr' if self.format == 'rgb' else self.format}")
        return [f"capture.{key}" for key in keys]


class Timed:
    """An output whose `send` is timed by the meter, as stage `send`."""

    def __init__(self, output: Output, meter: Meter) -> None:
        self._output, self._meter = output, meter
        self.name, self.live, self.keys = output.name, output.live, output.keys
        self.sent = threading.Event()
        """Set once a picture was sent."""

    def send(self, frame: Frame) -> None:
        """Give one picture to the output."""
        with self._meter.stage("send"):
            self._output.send(frame)
        self.sent.set()

    def sound(self, sound: Sound) -> None:
        """Give one packet to the output."""
        self._output.sound(sound)

    def close(self) -> None:
        """Close the output."""
        self._output.close()


def device_of(address: str | None) -> str:
    """The device that an address of the virtual camera means. Raises: UsageError, OutputError with the cure."""
    if sys.platform != "linux":
        raise OutputError("live bench camera reads the virtual camera through V4L2, which only Linux has")
    kind, _, rest = (address or "virtualcam").partition(":")
    wanted = (rest if kind == "virtualcam" else address or "").partition("?")[0].strip()
    if wanted.startswith("/"):
        return wanted
    found = labels()
    if not found:
        raise explained(OutputError("no v4l2 loopback device"), None)
    if not wanted:
        return next((device for device, label in found.items() if label == OWN_LABEL), next(iter(found)))
    for device, label in found.items():
        if label == wanted:
            return device
    there = ", ".join(f'"{label}" ({device})' for device, label in found.items())
    raise UsageError(f"no virtual camera is labelled {wanted!r}; there are: {there}")


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Run the program into the device and read from it. Returns the report.

    Raises: LiveError, one line, when something cannot be opened or fails on the way.
    """
    device = device_of(wish.device)
    address = f"virtualcam:{device}" + ("" if wish.format == "auto" else f"?format={wish.format}")
    session, _ = build(preset, Ask(input=wish.input, outputs=(address,)))
    timed = Timed(session.outputs[0], session.meter)
    session.outputs = [timed]
    session.start()
    try:
        _wait_sent(session, timed)
        reader = Reader()  # not before: its imports would slow down the opening of the device
        try:
            return _report(session, reader, device, preset, wish)
        finally:
            reader.close()
    finally:
        session.stop()
        session.wait(END_S)


def _wait_sent(session: Session, timed: Timed) -> None:
    """Wait for the first picture: before it the device is no camera. Raises: LiveError when none comes."""
    deadline_s = time.monotonic() + FIRST_S
    while not timed.sent.wait(0.05):
        if session.error is not None or time.monotonic() > deadline_s:
            raise session.error or OutputError(f"no picture was sent within {FIRST_S:.0f} s; does the input deliver?")


def _report(session: Session, reader: Reader, device: str, preset: Preset, wish: Wish) -> dict[str, Any]:
    """Measure for as long as wished. Raises: LiveError."""
    info = session.capture.info
    # Odd sizes lose a column or row on the way, and with it their place in the card.
    even = (info.width_px // 2 * 2, info.height_px // 2 * 2)
    compare = (
        [info.format.value, *even] if wish.input == "pattern" and even == (info.width_px, info.height_px) else None
    )
    opened = reader.open(device, compare)
    session.wait(WARM_UP_S)
    session.meter.restart()
    begin_s, begin_mb = time.monotonic(), memory_mb(reader.pid)
    cpu_s = time.process_time()
    session.wait(wish.seconds)
    end_s, end_mb = time.monotonic(), memory_mb(reader.pid)
    summary = session.meter.summary()
    summary["cpu_percent"] = round(100 * (time.process_time() - cpu_s) / (end_s - begin_s), 1)
    summary["memory_mb"] = {name: [begin_mb[name], end_mb[name]] for name in begin_mb}
    said = reader.finish()
    if session.error is not None:
        raise session.error
    return {
        "live": live.__version__,
        "machine": machine(),
        "preset": preset.about,
        "input": {
            "address": wish.input,
            "width_px": info.width_px,
            "height_px": info.height_px,
            "fps": info.fps,
            "format": info.format.value,
        },
        "device": {"path": device, "label": labels().get(device), **opened, "ended": said["ended"]},
        "reader": statistics(unpacked(said["rows"]), begin_s, end_s),
        "program": summary,
    }


def memory_mb(reader: int) -> dict[str, float]:
    """Resident memory of this process and of the children of its outputs, MB. Args: reader the child that is none."""
    children = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread may have ended
            children |= {int(pid) for pid in listed.read_text().split()}
    return {"program": _resident_mb(os.getpid()), "children": sum(_resident_mb(pid) for pid in children - {reader})}


def _resident_mb(pid: int) -> float:
    with suppress(OSError, ValueError):  # it may have ended
        return round(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
    return 0.0


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    who, put_in, device, got, program = (report[key] for key in ("machine", "input", "device", "reader", "program"))
    label = f' "{device["label"]}"' if device["label"] else ""
    rising = {True: "rising", False: "NOT RISING", None: "not given"}[got["stamps_rising"]]
    wrong = f"{got['wrong']} of {got['compared']} compared have wrong pixels"
    lost = sum(count for name, count in program["counts"].items() if name.startswith("dropped"))
    memory = ", ".join(f"{name} {begin:.0f} -> {end:.0f} MB" for name, (begin, end) in program["memory_mb"].items())
    lines = [
        f"live {report['live']}, {who['cores']} x {who['cpu']}, {who['system']}",
        f"{put_in['address']} {put_in['width_px']}x{put_in['height_px']} {put_in['format']} at {put_in['fps']:g} fps"
        f" -> {device['path']}{label} -> reader {device['width_px']}x{device['height_px']} {device['format']}",
        "",
        f"{got['pictures']} pictures read in {got['seconds']:.1f} s, {got['unique_fps']:.2f} different ones a second",
        f"  {got['dropped']} dropped ({got['dropped_percent']:.2f} %), {got['repeated']} repeated, "
        f"{got['reordered']} reordered, {got['without_counter']} without counter",
        f"  {'pixels not compared' if got['wrong'] is None else wrong}, time stamps {rising}",
        f"  the program's own count: {program['counts'].get('in', 0)} captured, {lost} dropped before the output",
        f"  {program['cpu_percent']:.0f} % of one core, resident memory: {memory}",
        f"  {'ms':14}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}",
    ]
    rows = {
        "latency": got["latency_ms"],
        "... in driver": got["driver_ms"],
        "interval": got["interval_ms"],
        **program["stages_ms"],
    }
    lines += [
        f"  {name:14}" + "".join(f"{values[key]:8.2f}" for key in ("p50", "p95", "p99", "max"))
        for name, values in rows.items()
        if values
    ]
    if device["ended"]:
        lines.append(f"  the reader ended early: {device['ended']}")
    return "\n".join(lines)
