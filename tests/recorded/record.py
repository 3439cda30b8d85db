"""Records how long a frame takes on each rung of the governor's ladder: `python -m tests.recorded.record stages.json`.

The mesh on the demo person at 720p, preset balanced, on the processor. What the tests replay was recorded on two cores
of a virtual machine that others worked on, too: that is the kind of machine a governor is for.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import av  # noqa: F401  before OpenCV, see live/cli.py

from live.config import load_preset
from live.ends import Ask
from live.governor import Run, ladder
from live.studio import build

SECONDS = 10.0
WARM_UP = 30
STAGES = ("look", "cut", "swap", "paste")


def main(path: Path) -> None:
    """Write {rung: {stage: [ms of each frame]}}."""
    found = {}
    for number, step in enumerate(ladder(Run(live=False))):
        session, engine = build(
            load_preset("balanced"), Ask(input="demo", outputs=("null",), pace="max", duration_s=SECONDS)
        )
        session.settings = replace(session.settings, quality=step.quality)
        session.start()
        session.wait(60)
        engine.close()
        stages = session.meter.stages_s
        found[number] = {name: [round(1000 * s, 2) for s in list(stages[name])[WARM_UP:]] for name in STAGES}
        print(step.words, {name: sorted(times)[len(times) // 2] for name, times in found[number].items()})
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
