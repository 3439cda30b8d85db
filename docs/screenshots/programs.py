"""Other programs, run together and ended together. Standard library only: also used in an emulated machine."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

END_S = 20.0
POLL_S = 0.2
LAST_LINES = 15


class Programs(contextlib.ExitStack):
    """A stack on which programs are started: the last one ends first."""

    def __init__(self, logs: Path) -> None:
        """Args: logs the folder that takes what the programs say, one file each."""
        super().__init__()
        self._logs = logs

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one. Raises: OSError when there is no such program."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.callback(end, process)
        return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, then see to it."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(done: Callable[[], bool], longest_s: float, otherwise: str) -> None:
    """Ask again and again. Raises: SystemExit with `otherwise` when it stays false."""
    deadline_s = time.monotonic() + longest_s
    while not done():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{otherwise} within {longest_s:g} s")
        time.sleep(POLL_S)


def last_words(logs: Path) -> str:
    """The last lines of every log in a folder."""
    said = ""
    for log in sorted(logs.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        said += "\n".join([f"--- {log.name}", *lines, ""])
    return said
