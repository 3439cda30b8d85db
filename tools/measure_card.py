"""Everything that is to be measured on a graphics card, in one go: `python tools/measure_card.py --out DIR`.

The tests of the card first, then `live bench`, the most telling first, each with a limit, until the budget is spent.
Every report is written as soon as it is there; what fails is told and the next one begins.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("w600k_r50", "inswapper_128", "hyperswap_1a_256", "gfpgan_1.4")
HD = ("capture.width_px=1920", "capture.height_px=1080", "capture.format=nv12", "capture.fps=60")
UHD = ("capture.width_px=3840", "capture.height_px=2160", "capture.format=nv12", "capture.fps=60")


@dataclass(frozen=True)
class Measurement:
    """One command."""

    name: str
    arguments: tuple[str, ...]
    """Of Python."""
    limit_s: float
    report: bool = True
    """Whether it writes a report with --json."""


def bench(name: str, what: str, keys: tuple[str, ...], limit_s: float, *more: str) -> Measurement:
    """A `live bench` command with `--set` for every key."""
    overrides = [part for key in keys for part in ("--set", key)]
    return Measurement(name, ("-m", "live.cli", "bench", what, *overrides, *more), limit_s)


def measurements(device: str) -> Iterator[Measurement]:
    """All of them, in their order."""
    mesh, one = f"device={device}", "faces.most=1"
    swap = (mesh, "engine=inswapper_128")
    yield Measurement(
        "tests", ("-m", "pytest", "-q", "-m", "gpu", "tests/nets", "tests/swap/device"), 240, report=False
    )
    for engine in ("inswapper_128", "hyperswap_1a_256"):
        keys = (mesh, f"engine={engine}")
        yield bench(f"step-{engine}", "step", keys, 120, "--slots", "768", "--faces", "1", "4", "8", "--kernels")
    yield bench("compare-1080p", "compare", (*swap, *HD, one), 150)
    yield bench("compare-4-faces", "compare", (*swap, *HD, "faces.most=4"), 150, "--faces", "4")
    yield bench("compare-restorer", "compare", (*swap, *HD, one, "restorer=gfpgan_1.4"), 180)
    yield bench("compare-4k", "compare", (*swap, *UHD, one), 150)
    paced = ("--seconds", "5", "--trace", "{out}/speed-1080p-trace.json")
    yield bench(
        "speed-1080p", "speed", (*swap, one), 120, "--size", "1920x1080", "--format", "nv12", "--fps", "60", *paced
    )
    yield bench(
        "speed-mesh", "speed", (mesh, "engine=mesh"), 120, "--size", "1920x1080", "--format", "nv12", "--seconds", "5"
    )
    yield bench("precision", "precision", (), 300, "--modes", "fp32", "tf32", "fp16", "--budget", "200")


def run(each: Measurement, out: Path, models: Path, left_s: float) -> str:
    """Run one within what is left. Returns: how it ended."""
    arguments = [part.replace("{out}", str(out)) for part in each.arguments]
    if each.report:
        arguments += ["--json", str(out / f"{each.name}.json")]
    environment = {**os.environ, "LIVE_MODELS": str(models), "REQUIRE_GPU": "1"}
    with (out / f"{each.name}.txt").open("wb") as text:
        try:
            done = subprocess.run(
                [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=text, stderr=subprocess.STDOUT,
                timeout=min(each.limit_s, left_s), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "cut: its time is over"
    return "fine" if done.returncode == 0 else f"FAILED with {done.returncode}, see {each.name}.txt"


def main() -> int:
    """Measure. Returns the exit code: 1 where something failed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, help="where reports go")
    options.add_argument("--models", type=Path, help="networks (default: made in OUT, of random weights, 1.5 GB)")
    options.add_argument("--only", nargs="+", metavar="NAME", help="some of them")
    options.add_argument("--device", default="cuda")
    options.add_argument("--budget", type=float, default=780, metavar="S", help="for all together (default 780)")
    wish, begun_s, failed = options.parse_args(), time.monotonic(), False
    wish.out.mkdir(parents=True, exist_ok=True)
    models = wish.models or wish.out / "models"
    if wish.models is None:
        subprocess.run(
            [sys.executable, "-m", "live.cli", "bench", "twins", str(models), *NETWORKS], cwd=ROOT, check=True
        )
    for each in measurements(wish.device):
        left_s = wish.budget - (time.monotonic() - begun_s)
        if (wish.only and each.name not in wish.only) or left_s < 5:
            continue
        step_s = time.monotonic()
        ended = run(each, wish.out.resolve(), models.resolve(), left_s)
        failed = failed or ended.startswith("FAILED")
        print(f"{each.name:24}{time.monotonic() - step_s:7.0f} s  {ended}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
