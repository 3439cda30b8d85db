"""A long run into the preloaded virtual camera: `python -m tests.output.soak --seconds 600`.

The test card in NV12 through the whole program (engine none) to the device, whose pictures another process takes and
judges by the counters burnt into them. Printed are drops, order, wrong pixels, the time that `send` takes and memory.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("fake_v4l2loopback.c")
DEVICE = "/dev/video99"
WARM_UP_S = 3.0
PICTURE = 1


def main() -> None:
    """Run, or read (in the process of its own)."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", default="1920x1080")
    options.add_argument("--fps", type=float, default=30.0)
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--read", metavar="PIPE", help=argparse.SUPPRESS)
    asked = options.parse_args()
    width_px, height_px = (int(side) for side in asked.size.split("x"))
    if asked.read:
        _read(Path(asked.read), width_px, height_px)
    else:
        _run(width_px, height_px, asked.fps, asked.seconds)


def _run(width_px: int, height_px: int, fps: float, seconds: float) -> None:
    from live.bench.arrivals import statistics, unpacked
    from live.bench.camera import Timed, memory_mb
    from live.config import load_preset
    from live.ends import Ask
    from live.studio import build

    with tempfile.TemporaryDirectory() as folder:
        library, pipe = Path(folder) / "fake.so", Path(folder) / "pipe"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        os.mkfifo(pipe)
        keeper = os.open(pipe, os.O_RDWR)  # the output looks at its device before it opens it for good
        command = [sys.executable, "-m", "tests.output.soak", "--read", str(pipe), "--size", f"{width_px}x{height_px}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
            os.environ |= {"FAKE_CAMERA_DEVICE": DEVICE, "FAKE_CAMERA_PIPE": str(pipe), "LD_PRELOAD": str(library)}
            sets = ["counter=true", "format=nv12", f"width_px={width_px}", f"height_px={height_px}", f"fps={fps}"]
            preset = load_preset("pass", [f"capture.{key}" for key in sets])
            session, _ = build(preset, Ask(input="pattern", outputs=(f"virtualcam:{DEVICE}",)))
            session.outputs = [Timed(session.outputs[0], session.meter)]
            session.start()
            session.wait(WARM_UP_S)
            session.meter.restart()
            begin_s, begin_mb = time.monotonic(), memory_mb(reader.pid)
            session.wait(seconds)
            end_s, end_mb = time.monotonic(), memory_mb(reader.pid)
            summary = session.meter.summary()
            session.stop()
            session.wait(30.0)
            os.close(keeper)
            assert reader.stdout is not None
            found = statistics(unpacked(reader.stdout.read().split()[-1]), begin_s, end_s)
    print(f"NV12 {width_px}x{height_px} at {fps:g} fps, {seconds:g} s, error: {session.error}")
    for name in ("unique_fps", "dropped", "dropped_percent", "repeated", "reordered", "without_counter", "compared"):
        print(f"  {name:16} {found[name]}")
    print(f"  {'wrong':16} {found['wrong']}")
    print(f"  {'latency ms':16} {found['latency_ms']}")
    print(f"  {'send ms':16} {summary['stages_ms']['send']}")
    print(f"  {'memory MB':16} {begin_mb} -> {end_mb}")


def _read(pipe: Path, width_px: int, height_px: int) -> None:
    """Take every picture from the pipe, compare each tenth with the card, print the rows."""
    from live.bench.arrivals import NO_COUNTER, NOT_COMPARED, packed
    from live.capture.counter import burn, decode
    from live.capture.pattern import planes_of
    from live.values import Frame, PixelFormat

    rows = array("d")
    shape = (PixelFormat.NV12, width_px, height_px)
    with pipe.open("rb", buffering=1 << 20) as records:
        while len(head := records.read(8)) == 8:
            kind, length = struct.unpack("=II", head)
            body = records.read(length)
            arrival_s = time.monotonic()
            if kind != PICTURE:
                continue
            picture = np.frombuffer(body, np.uint8)
            told = decode(picture[: width_px * height_px].reshape(height_px, width_px))
            differing = NOT_COMPARED
            if told is not None and told[0] % 10 == 0:
                expected = Frame(planes_of(told[0], *shape), *shape, told[1], told[0])
                burn(expected)
                differing = float((picture != np.concatenate([plane.ravel() for plane in expected.planes])).sum())
            number, capture_s = told or (NO_COUNTER, 0.0)
            rows.extend((number, capture_s, arrival_s, float("nan"), differing))
    print(packed(rows))


if __name__ == "__main__":
    main()
