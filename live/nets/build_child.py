"""The child process that builds what a backend needs before its first run: `python -m live.nets.build_child '{...}'`.

Loads the network and runs it once with the fewest and once with the most rows, so that everything the backend builds
lies in its folder. `live.nets.builder` is the other end. Ends with its parent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from live.errors import LiveError
from live.nets.builder import READY
from live.nets.contract import Array, Runner
from live.nets.ort_options import MOST_ROWS
from live.nets.ort_runner import OrtRunner


def main() -> int:
    """Build as the task on the command line says. Returns the exit code."""
    end_with_parent()
    task = json.loads(sys.argv[1])
    folder, started_s = Path(task["folder"]), time.monotonic()
    try:
        say(note=f"building for {task['backend']}, {task['precision']}; this takes minutes the first time")
        runner = OrtRunner(
            Path(task["model"]), task["backend"], task["precision"], folder=folder, threads=task["threads"]
        )
        for rows in dict.fromkeys((1, MOST_ROWS.get(task["backend"], 1))):
            runner.run(blank(runner, rows))
            say(note=f"built for {rows} face{'s' if rows > 1 else ''}, {time.monotonic() - started_s:.0f} s")
    except LiveError as error:
        say(error=str(error))
        return 1
    (folder / READY).write_text(json.dumps({"seconds": round(time.monotonic() - started_s, 1)}), "utf-8")
    return 0


def blank(runner: Runner, rows: int) -> dict[str, Array]:
    """Inputs of zeros for so many faces."""
    return {
        port.name: np.zeros(
            [rows if at == 0 and side is None else side or 1 for at, side in enumerate(port.shape)], port.dtype
        )
        for port in runner.inputs
    }


def say(**words: Any) -> None:
    """Tell the parent."""
    print(json.dumps(words), flush=True)


def end_with_parent() -> None:
    """Leave as soon as the parent's end of stdin is closed, whatever this process is doing."""

    def watch() -> None:
        while os.read(0, 64):
            pass
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
