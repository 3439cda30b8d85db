"""A run in this process with its controls, and an output that notes what it is given and when: for `bench control`.

Which face a picture shows is told by the colours inside the face: the two source faces are chosen to differ.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live.control.desk import Desk, Helpers
from live.control.figures import Figures
from live.control.notes import Notes
from live.control.wardrobe import Wardrobe
from live.ends import Ask
from live.errors import UsageError
from live.faces.gallery import Gallery
from live.pixels.host import read_region
from live.preset import Preset
from live.studio import build
from live.values import Box, Frame, Sound

READY_S, ANSWER_S = 60.0, 2.0
KEY = "ctrl+alt+n"
PAIR = ("amara", "freya")
"""Bundled people whose skins differ most."""


@dataclass(slots=True)
class Watching:
    """An output that notes the colours of each picture's face and when it was given."""

    name: str = "watching"
    live: bool = True
    keys: Any = None
    box: Box | None = None
    given: list[tuple[float, Any]] = field(default_factory=list)
    """Seconds, monotonic, and the mean B, G, R inside the box."""
    _condition: threading.Condition = field(default_factory=threading.Condition)

    def send(self, frame: Frame) -> None:
        """Note a picture."""
        colour = None if self.box is None else read_region(frame, self.box).reshape(-1, 3).mean(axis=0)
        with self._condition:
            self.given.append((time.monotonic(), colour))
            self._condition.notify_all()

    def sound(self, sound: Sound) -> None:
        """It has none."""

    def close(self) -> None:
        """Nothing is held."""

    def first(self, from_s: float, holds: Callable[[Any], bool]) -> float | None:
        """When the first picture after `from_s` was given for which it holds; None where none came in time."""
        at = 0
        with self._condition:
            until_s = time.monotonic() + ANSWER_S
            while time.monotonic() < until_s:
                for given_s, colour in self.given[at:]:
                    if given_s >= from_s and colour is not None and holds(colour):
                        return given_s
                at = len(self.given)
                self._condition.wait(0.2)
        return None


class Rig:
    """A run with its controls."""

    def __init__(self, preset: Preset, input: str) -> None:
        """Args: input: an address; it is paced as in a call."""
        ask = Ask(input=input, outputs=("null",), faces=(PAIR[0],), pace="real")
        self.session, self.engine = build(preset, ask)
        self.output = Watching()
        self.session.outputs = [self.output]
        self.session.change(crossfade_s=0.0)
        gallery = Gallery(None)
        self.wardrobe = Wardrobe(PAIR, gallery.get, self.engine.prepare)
        helpers = Helpers(_nothing, str, lambda on: "", lambda: None, lambda name: 0)
        figures = Figures(self.session.meter)
        keys = {KEY: "next-face"}
        self.desk = Desk(
            self.session, self.wardrobe, helpers, figures, Notes(), None, {"n": "next-face"}, keys,
            current=PAIR[0], preset="", protect="everyone",
        )  # fmt: skip

    def start(self) -> None:
        """Start and wait until both faces are ready and a swapped picture was given. Raises: UsageError."""
        self.session.start()
        self.wardrobe.start(PAIR[0])
        until_s = time.monotonic() + READY_S
        while set(self.wardrobe.ready) != set(PAIR) or self.session.meter.first_swapped_s is None:
            if time.monotonic() > until_s:
                raise UsageError(f"no swapped picture within {READY_S:g} s: {self.session.meter.reason}")
            time.sleep(0.05)
        x1, y1, x2, y2 = self.session.sight.faces[0].box
        third_x, third_y = (x2 - x1) / 3, (y2 - y1) / 3
        self.output.box = (int(x1 + third_x) & ~1, int(y1 + third_y) & ~1, int(x2 - third_x), int(y2 - third_y))
        self.looks = {name: self._look_of(name) for name in PAIR}

    def _look_of(self, name: str) -> Any:
        self.desk.execute("face", [name])
        time.sleep(1.0)
        return np.median([colour for _, colour in self.output.given[-10:]], axis=0)

    def shows(self, name: str) -> Callable[[Any], bool]:
        """Whether a picture's colours are nearer to a face's than to the other's."""
        (other,) = set(PAIR) - {name}
        return lambda colour: bool(
            np.linalg.norm(colour - self.looks[name]) < np.linalg.norm(colour - self.looks[other])
        )

    def shows_slate(self, colour: Any) -> bool:
        """Whether the colours are none of the faces'."""
        return bool(min(np.linalg.norm(colour - look) for look in self.looks.values()) > 40)

    def lost(self) -> int:
        """Frames that were dropped on the way, so far."""
        return sum(count for name, count in self.session.meter.counts.items() if name.startswith("dropped"))

    def stop(self) -> None:
        """End everything."""
        self.session.stop()
        self.session.wait(5)
        self.wardrobe.close()
        self.engine.close()


def _nothing(name: str) -> str:
    raise UsageError("not in this measurement")
