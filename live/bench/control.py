"""How fast the controls are, told by the picture: hotkeys, random switches, panic, and a state that many ask for.

A whole run in this process, paced at its input's rate; control_rig.py sets it up. The swap is the real one; keys come
through the X server where there is a display (XTEST, as xdotool sends them).
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
from dataclasses import dataclass
from typing import Any

from live.bench.control_rig import ANSWER_S, KEY, PAIR, Rig
from live.control.hotkeys import listen
from live.control.server import ControlServer
from live.errors import UsageError
from live.meter import percentiles_ms
from live.output.web import free_port
from live.preset import Preset

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


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Measure everything; three minutes, mostly for the asking. A clip starts over at its end. Raises: LiveError."""
    rig = Rig(preset.model_copy(update={"capture": preset.capture.model_copy(update={"loop": True})}), wish.input)
    rig.start()
    try:
        report: dict[str, Any] = {"fps": rig.session.capture.info.fps}
        report["command"] = _answers(rig, wish.presses, lambda: rig.desk.press("n"))
        report["hotkey"] = _hotkey(rig, wish)
        report["switches"] = _switches(rig, wish.switches)
        report["panic"] = _panic(rig)
        report["panic, swap thread stopped"] = _panic_while_stopped(rig)
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
    chance, begin = random.Random(1), rig.lost()
    pauses_s = [chance.uniform(0.02, 0.2) for _ in range(count)]
    time.sleep(sum(pauses_s))
    before = rig.lost()
    for pause_s in pauses_s:
        rig.desk.press("n")
        time.sleep(pause_s)
    return {"switches": count, "frames lost": rig.lost() - before, "without switches": before - begin}


def _panic(rig: Rig) -> dict[str, float]:
    """From the command to the slate at the output."""
    found = []
    for _ in range(20):
        rig.output.first(time.monotonic(), lambda colour: not rig.shows_slate(colour))
        time.sleep(0.05)
        begin_s = time.monotonic()
        rig.desk.execute("panic", ["on"])
        given_s = rig.output.first(begin_s, lambda colour: rig.shows_slate(colour))
        found.append(ANSWER_S if given_s is None else given_s - begin_s)
        rig.desk.execute("panic", ["off"])
        time.sleep(0.2)
    return percentiles_ms(found)


def _panic_while_stopped(rig: Rig) -> dict[str, float]:
    """The same while the swap thread hangs in the middle of a frame."""
    go_on, way = threading.Event(), rig.session.pipeline
    begin = way.begin

    def hang(*given: Any) -> Any:
        go_on.wait(10)
        return begin(*given)

    way.begin = hang  # type: ignore[method-assign, assignment]
    try:
        time.sleep(0.1)
        begin_s = time.monotonic()
        rig.desk.execute("panic", ["on"])
        given_s = rig.output.first(begin_s, lambda colour: rig.shows_slate(colour))
    finally:
        way.begin = begin  # type: ignore[method-assign]
        go_on.set()
    rig.desk.execute("panic", ["off"])
    time.sleep(1.5)
    return percentiles_ms([ANSWER_S if given_s is None else given_s - begin_s])


def _asking(rig: Rig, wish: Wish) -> dict[str, Any]:
    """Frames lost while another process asks for the state, and in the same time before, while nobody asks."""
    begin = rig.lost()
    time.sleep(wish.asking_s)
    server = ControlServer(None, free_port(26_000, 500), rig.desk.state, rig.desk.execute)
    server.start()
    before, frames = rig.lost(), rig.session.meter.counts["in"]
    arguments = [str(server.port), str(wish.asking_hz), str(wish.asking_s)]
    asker = subprocess.run([sys.executable, "-c", ASKER, *arguments], capture_output=True, text=True, check=False)
    server.stop()
    rate = round(json.loads(asker.stdout), 1) if asker.returncode == 0 else asker.stderr.strip()[-200:]
    return {
        "requests a second": rate,
        "frames in": rig.session.meter.counts["in"] - frames,
        "frames lost": rig.lost() - before,
        "while nobody asked": before - begin,
    }
