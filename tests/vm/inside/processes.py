"""The output's child process, and a program of ours that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from .v4l2 import WAIT_S, until

CHILD = b"live.output.virtualcam_child"
PARENT = """
import sys, threading, time
from live.output import open_output
from live.values import PixelFormat
from tests.vm.inside.pictures import Pictures, showing
pictures = Pictures(PixelFormat({format!r}), {width_px}, {height_px}, {count})
output = open_output("virtualcam:live", pictures.format_at({fps}))
with showing(output, pictures, {fps}):
    print("shows", flush=True)
    threading.Event().wait()
"""


def children() -> dict[int, int]:
    """Processes that own a virtual camera -> their parents."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if CHILD in (folder / "cmdline").read_bytes().split(b"\0"):
                stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                if stat[0] != "Z":
                    found[int(folder.name)] = int(stat[1])
    return found


def own_child() -> int:
    """The process of this program's output."""
    own = [child for child, parent in children().items() if parent == os.getpid()]
    assert len(own) == 1, f"not one child: {own}"
    return own[0]


def kill_child() -> None:
    """Kill the process of this program's output, as a crash or the system's memory killer would."""
    child = own_child()
    os.kill(child, signal.SIGKILL)
    until(lambda: child not in children(), "the child is gone")


class Program:
    """Another process that shows numbered pictures in the virtual camera labelled `live`."""

    def __init__(self, format: str, width_px: int, height_px: int, count: int, fps: float) -> None:
        source = PARENT.format(format=format, width_px=width_px, height_px=height_px, count=count, fps=fps)
        root = Path(__file__).parents[3]
        self._process = subprocess.Popen(
            [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ}
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "shows\n"

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def close(self) -> None:
        """Kill it. May be called twice."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait(WAIT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
