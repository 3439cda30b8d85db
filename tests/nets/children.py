"""A child of a builder that behaves as it is told: `python -m tests.nets.children '{"behaviour": ...}'`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from live.nets.build_child import end_with_parent, say
from live.nets.builder import READY


def main() -> int:
    task = json.loads(sys.argv[1])
    folder, behaviour = Path(task["folder"]), task["behaviour"]
    end_with_parent()
    (folder / "part").write_text("half")
    if "pid" in task:
        Path(task["pid"]).write_text(str(os.getpid()))
    if behaviour == "crash":
        os.abort()
    if behaviour == "error":
        say(error="the card has\ntoo little memory")
        return 1
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "chatter":
        print("x" * 100_000, "\n{}\n[1]\n", flush=True)
        sys.stdout.buffer.write(b"\xff\xfe\n" * 1000)
        sys.stdout.flush()
    if behaviour == "unready":
        return 0
    if "gate" in task:
        while not Path(task["gate"]).exists():
            time.sleep(0.02)
    say(note="nearly done")
    (folder / READY).write_text("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
