"""What a slow virtual camera costs the other threads of the program: `python -m tests.output.handoff`.

A device (the preloaded one) whose write takes 30 ms, fed 30 times a second: once by pyvirtualcam in the process itself,
once by the output of this program, once not at all. Meanwhile two other threads hand something over 200 times a second,
as capture and swap do. Printed is, in ms, how long after it was due each hand-over was done.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("fake_v4l2loopback.c")
DEVICE = "/dev/video99"
PERIOD_S, HAND_OVER_S = 1 / 30, 1 / 200


def main() -> None:
    """Measure each way in a process of its own and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", default="1280x720")
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--write-ms", type=int, default=30)
    options.add_argument("--way", choices=("nothing", "pyvirtualcam", "live"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    width_px, height_px = (int(side) for side in asked.size.split("x"))
    if asked.way:
        print(json.dumps(_measure(asked.way, width_px, height_px, asked.seconds)))
        return
    print(f"NV12 {asked.size} at 30 fps, a write takes {asked.write_ms} ms, {asked.seconds:g} s each")
    print(f"{'hand-over, ms':16}{'p50':>8}{'p99':>8}{'max':>8}   send() p50     p99")
    for way in ("nothing", "pyvirtualcam", "live"):
        found = _in_process(way, asked)
        waits, sends = found["waits_ms"], found["sends_ms"]
        tail = f"   {sends[0]:8.2f}{sends[1]:8.2f}" if sends else ""
        print(f"{way:16}{waits[0]:8.2f}{waits[1]:8.2f}{waits[2]:8.2f}{tail}")


def _in_process(way: str, asked: argparse.Namespace) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        library, pipe = Path(folder) / "fake.so", Path(folder) / "pipe"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        os.mkfifo(pipe)
        drain = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.DEVNULL)
        keeper = os.open(pipe, os.O_WRONLY)
        device = {"FAKE_CAMERA_DEVICE": DEVICE, "FAKE_CAMERA_PIPE": str(pipe)}
        device |= {"FAKE_CAMERA_WRITE_MS": str(asked.write_ms), "LD_PRELOAD": str(library)}
        command = [sys.executable, "-m", "tests.output.handoff", "--way", way]
        command += ["--size", asked.size, "--seconds", str(asked.seconds)]
        try:
            done = subprocess.run(command, env={**os.environ, **device}, capture_output=True, text=True, check=True)
        finally:
            os.close(keeper)
            drain.wait()
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(way: str, width_px: int, height_px: int, seconds: float) -> dict[str, list[float]]:
    from live.latest import Mailbox
    from live.session import SWITCH_INTERVAL_S

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = threading.Event()
    mailbox: Mailbox[float] = Mailbox(1)
    waits_s: list[float] = []
    sends_s: list[float] = []

    def give() -> None:
        due_s = time.perf_counter()
        while not stop.is_set():
            due_s += HAND_OVER_S
            time.sleep(max(0.0, due_s - time.perf_counter()))
            mailbox.put(due_s)

    def take() -> None:
        while not stop.is_set():
            due_s = mailbox.take(0.5)
            if due_s is not None:
                waits_s.append(time.perf_counter() - due_s)

    send = _sender(way, width_px, height_px)
    threads = [threading.Thread(target=work, daemon=True) for work in (give, take)]
    for thread in threads:
        thread.start()
    end_s = time.perf_counter() + seconds
    while (begin_s := time.perf_counter()) < end_s:
        if send is not None:
            send()
            sends_s.append(time.perf_counter() - begin_s)
        time.sleep(max(0.0, begin_s + PERIOD_S - time.perf_counter()))
    stop.set()
    for thread in threads:
        thread.join()
    return {
        "waits_ms": [float(np.percentile(waits_s, part) * 1000) for part in (50, 99, 100)],
        "sends_ms": [float(np.percentile(sends_s, part) * 1000) for part in (50, 99)] if sends_s else [],
    }


def _sender(way: str, width_px: int, height_px: int):
    from live.output import open_output
    from live.values import PixelFormat

    from .frames import format_of, noise

    frame = noise(1, PixelFormat.NV12, width_px, height_px)
    if way == "live":
        output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
        return lambda: output.send(frame)
    if way == "pyvirtualcam":
        import pyvirtualcam

        nv12 = pyvirtualcam.PixelFormat.NV12
        camera = pyvirtualcam.Camera(width_px, height_px, 30, fmt=nv12, device=DEVICE)
        packed = np.concatenate([plane.ravel() for plane in frame.planes])
        return lambda: camera.send(packed)
    return None


if __name__ == "__main__":
    main()
