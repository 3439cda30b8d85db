"""Opens files one after the other within bounded memory and says in JSON lines what became of each.

A process of its own, so that a crash of a decoder or a memory limit is seen as such.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from live.capture import open_capture
from live.capture.contract import Wanted
from live.errors import LiveError
from live.pixels.host import plane_shapes
from live.values import Frame

MEMORY = 3 * 2**30
MOST_FRAMES = 2000


def outcome(path: str) -> dict[str, object]:
    frames = 0
    try:
        capture = open_capture(path, Wanted(live=False))
        try:
            while frames < MOST_FRAMES and (item := capture.read()) is not None:
                if isinstance(item, Frame):
                    assert item.number == frames
                    shapes = plane_shapes(item.format, item.width_px, item.height_px)
                    assert [plane.shape for plane in item.planes] == shapes
                    frames += 1
        finally:
            capture.close()
    except LiveError as error:
        return {"frames": frames, "error": str(error)}
    except BaseException as error:
        return {"frames": frames, "bug": f"{type(error).__name__}: {error}"}
    return {"frames": frames}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for path in sys.stdin.read().split("\0"):
        began_s = time.process_time()
        result = {"path": path, **outcome(path)}
        print(json.dumps({**result, "seconds": time.process_time() - began_s}), flush=True)


if __name__ == "__main__":
    main()
