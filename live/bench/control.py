"""How fast the controls are, told by the picture: hotkeys, random switches, panic, and a state that many ask for.

A whole run in this process, paced at its input's rate, with an output that notes what it is given and when. Which face
a picture shows is told by the colours inside the face: the two source faces are chosen to differ. The swap is the real
one; keys come through the X server where there is a display (XTEST, as xdotool sends them).
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live.control.desk import Desk, Helpers
from live.control.figures import Figures
from live.control.hotkeys import listen
from live.control.notes import Notes
from live.control.server import ControlServer
from live.control.wardrobe import Wardrobe
from live.ends import Ask
from live.errors import UsageError
from live.faces.gallery import Gallery
from live.meter import percentiles_ms
from live.output.web import free_port
from live.pixels.host import read_region
from live.preset import Preset
from live.session import Session
from live.studio import build
from live.swap.contract import Preparer
from live.values import Box, Frame, Sound

READY_S, ANSWER_S = 60.0, 2.0
KEY = "ctrl+alt+n"
PAIR = ("amara", "freya")
"""Bundled people whose skins differ most."""
ASKER = """
import http.client, sys, time
port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
connection, begin = http.client.HTTPConnection("127.0.0.1", port, timeout=10), time.monotonic()
for number in range(int(rate * seconds)):
    time.sleep(max(0.0, begin + number / rate - time.monotonic()))
    connection.request("GET", "/state")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
print(int(rate * seconds) / (time.monotonic() - begin))
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is measured."""

    input: str = "demo"
    presses: int = 100
    switches: int = 100
    asking_s: float = 60.0
    asking_hz: float = 200.0


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

    def __init__(self, preset: Preset, wish: Wish) -> None:
        ask = Ask(input=wish.input, outputs=("null",), faces=(PAIR[0],), pace="real")
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

    def stop(self) -> None:
        """End everything."""
        self.session.stop()
        self.session.wait(5)
        self.wardrobe.close()
        self.engine.close()


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Measure everything; three minutes, mostly for the asking. A clip starts over at its end. Raises: LiveError."""
    rig = Rig(preset.model_copy(update={"capture": preset.capture.model_copy(update={"loop": True})}), wish)
    rig.start()
    try:
        report: dict[str, Any] = {"fps": rig.session.capture.info.fps}
        report["command"] = _answers(rig, wish.presses, lambda: rig.desk.press("n"))
        report["hotkey"] = _hotkey(rig, wish)
        report["switches"] = _switches(rig, wish.switches)
        report["panic"] = _panic(rig)
        report["panic, swap thread stopped"] = _panic_while_stopped(rig.session, rig.engine, rig)
        report["asking"] = _asking(rig, wish)
        return report
    finally:
        rig.stop()


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    frame_ms = 1000 / report["fps"] if report["fps"] else 33.3
    rows = [f"{'':28} {'p50':>7} {'p99':>7} {'max':>7}   target"]
    targets = {
        "command": frame_ms + 20,
        "hotkey": frame_ms + 20,
        "panic": frame_ms,
        "panic, swap thread stopped": frame_ms,
    }
    for name, target_ms in targets.items():
        found = report[name]
        numbers = (
            " ".join(f"{found[key]:7.1f}" for key in ("p50", "p99", "max")) if found else "not measured: no display"
        )
        rows.append(f"{name + ', ms':28} {numbers}   {target_ms:.1f}")
    for name in ("switches", "asking"):
        rows.append(f"{name}: " + ", ".join(f"{key} {value}" for key, value in report[name].items()))
    return "\n".join(rows)


def _answers(rig: Rig, count: int, press: Callable[[], None]) -> dict[str, float]:
    """From a press to the first picture with the other face, at the output; presses fall anywhere between frames."""
    found, chance = [], random.Random(0)
    for _ in range(count):
        time.sleep(0.15 + chance.random() / 15)
        wanted = PAIR[1 - PAIR.index(rig.desk.current or PAIR[0])]
        begin_s = time.monotonic()
        press()
        given_s = rig.output.first(begin_s, rig.shows(wanted))
        found.append(ANSWER_S if given_s is None else given_s - begin_s)
    return percentiles_ms(found)


def _hotkey(rig: Rig, wish: Wish) -> dict[str, float]:
    """The same through the X server; empty without a display."""
    if sys.platform != "linux" or not os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return {}
    from live.control.hotkeys.x11 import X11Hotkeys

    hotkeys = listen({KEY: "next-face"}, lambda key: rig.desk.say(rig.desk.anywhere[key]))
    assert isinstance(hotkeys, X11Hotkeys)
    hotkeys.ready.wait(10)
    try:
        return _answers(rig, wish.presses, _xtest())
    finally:
        hotkeys.close()


def _xtest() -> Callable[[], None]:
    """A function that presses the key on the display. Raises: UsageError where libXtst is missing."""
    from live.control.hotkeys import x11_child

    library = x11_child.load()
    try:
        test = ctypes.CDLL("libXtst.so.6")
    except OSError:
        raise UsageError("pressing keys needs libXtst (Debian: apt install libxtst6)") from None
    test.XTestFakeKeyEvent.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_ulong]
    display = library.XOpenDisplay(None)
    names = (b"Control_L", b"Alt_L", b"n")
    codes = [library.XKeysymToKeycode(display, library.XStringToKeysym(name)) for name in names]

    def press() -> None:
        for code in codes:
            test.XTestFakeKeyEvent(display, code, 1, 0)
        for code in reversed(codes):
            test.XTestFakeKeyEvent(display, code, 0, 0)
        library.XSync(display, 0)

    return press


def _switches(rig: Rig, count: int) -> dict[str, Any]:
    """Frames lost during random switches, and in the same time before, without any."""
    chance, begin = random.Random(1), _lost(rig.session)
    pauses_s = [chance.uniform(0.02, 0.2) for _ in range(count)]
    time.sleep(sum(pauses_s))
    before = _lost(rig.session)
    for pause_s in pauses_s:
        rig.desk.press("n")
        time.sleep(pause_s)
    return {"switches": count, "frames lost": _lost(rig.session) - before, "without switches": before - begin}


def _panic(rig: Rig) -> dict[str, float]:
    """From the command to the slate at the output."""
    found = []
    for _ in range(20):
        rig.output.first(time.monotonic(), lambda colour: not _is_slate(rig, colour))
        time.sleep(0.05)
        begin_s = time.monotonic()
        rig.desk.execute("panic", ["on"])
        given_s = rig.output.first(begin_s, lambda colour: _is_slate(rig, colour))
        found.append(ANSWER_S if given_s is None else given_s - begin_s)
        rig.desk.execute("panic", ["off"])
        time.sleep(0.2)
    return percentiles_ms(found)


def _panic_while_stopped(session: Session, engine: Preparer, rig: Rig) -> dict[str, float]:
    """The same while the swap thread hangs in the middle of a frame."""
    go_on, way = threading.Event(), session.pipeline
    begin = way.begin

    def hang(*given: Any) -> Any:
        go_on.wait(10)
        return begin(*given)

    way.begin = hang  # type: ignore[method-assign, assignment]
    try:
        time.sleep(0.1)
        begin_s = time.monotonic()
        rig.desk.execute("panic", ["on"])
        given_s = rig.output.first(begin_s, lambda colour: _is_slate(rig, colour))
    finally:
        way.begin = begin  # type: ignore[method-assign]
        go_on.set()
    rig.desk.execute("panic", ["off"])
    time.sleep(1.5)
    return percentiles_ms([ANSWER_S if given_s is None else given_s - begin_s])


def _is_slate(rig: Rig, colour: Any) -> bool:
    """Whether the colours are none of the faces'."""
    return bool(min(np.linalg.norm(colour - look) for look in rig.looks.values()) > 40)


def _asking(rig: Rig, wish: Wish) -> dict[str, Any]:
    """Frames lost while another process asks for the state, and in the same time before, while nobody asks."""
    begin = _lost(rig.session)
    time.sleep(wish.asking_s)
    server = ControlServer(None, free_port(26_000, 500), rig.desk.state, rig.desk.execute)
    server.start()
    before, frames = _lost(rig.session), rig.session.meter.counts["in"]
    arguments = [str(server.port), str(wish.asking_hz), str(wish.asking_s)]
    asker = subprocess.run([sys.executable, "-c", ASKER, *arguments], capture_output=True, text=True, check=False)
    server.stop()
    rate = round(json.loads(asker.stdout), 1) if asker.returncode == 0 else asker.stderr.strip()[-200:]
    return {
        "requests a second": rate,
        "frames in": rig.session.meter.counts["in"] - frames,
        "frames lost": _lost(rig.session) - before,
        "while nobody asked": before - begin,
    }


def _lost(session: Session) -> int:
    """Frames that were dropped on the way, so far."""
    return sum(count for name, count in session.meter.counts.items() if name.startswith("dropped"))


def _nothing(name: str) -> str:
    raise UsageError("not in this measurement")
