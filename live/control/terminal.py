"""The status of a run in its terminal: a few lines that stay put while the log goes by above them.

Without a terminal it is quiet: a line now and then; or JSON lines, one a second, for programs. Knows text, and figures
as `Desk.state` gives them.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

CLEAR, UP = "\x1b[K", "\x1b[1A"
BOLD, RED, GREEN, YELLOW, FAINT, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
BAR = 12
"""Letters of a stage's bar at its longest."""
MOST_STAGES = 6


class Screen:
    """A terminal with a block of lines at its end. Written to like a file, from any thread."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._lines: list[str] = []
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Write above the block; text without an end of line waits for none."""
        if text.strip("\n") or not self._lines:
            with self._lock:
                lines = self._taken_away()
                self._to.write(text if text.endswith("\n") or not lines else text + "\n")
                self._put(lines)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._to.flush()

    def show(self, lines: list[str]) -> None:
        """Replace the block."""
        width = shutil.get_terminal_size().columns
        with self._lock:
            self._taken_away()
            self._put([_cut(line, width - 1) for line in lines])

    def close(self) -> None:
        """Leave the last block where it is."""
        with self._lock:
            self._lines = []

    def _taken_away(self) -> list[str]:
        lines, self._lines = self._lines, []
        self._to.write(f"{UP}\r{CLEAR}" * len(lines))
        return lines

    def _put(self, lines: list[str]) -> None:
        self._to.write("".join(f"{line}{CLEAR}\n" for line in lines))
        self._to.flush()
        self._lines = lines


@contextmanager
def above(screen: Screen, handlers: list[Any]) -> Iterator[None]:
    """Let log handlers of streams write above the block meanwhile."""
    before = [(handler, handler.setStream(screen)) for handler in handlers if hasattr(handler, "setStream")]
    try:
        yield
    finally:
        screen.close()
        for handler, stream in before:
            if stream is not None:
                handler.setStream(stream)


def block(state: Mapping[str, Any]) -> list[str]:
    """The lines that stay put, coloured."""
    measured = state["measured"]
    return [_headline(state), _numbers(measured), _stages(measured.get("stages_ms", {}))]


def plain(state: Mapping[str, Any]) -> str:
    """One line for a log."""
    measured = state["measured"]
    rates = [f"{name.removeprefix('out ')} {rate:.1f} fps" for name, rate in measured["fps"].items()]
    latency = [
        f"latency {'/'.join(f'{one[key]:.0f}' for key in ('p50', 'p95', 'p99'))} ms" for one in _latencies(measured)
    ]
    stages = [f"{name} {ms:.1f}" for name, ms in measured["stages_ms"].items()]
    dropped = f"dropped {measured['counts'].get('dropped', 0)}"
    return " | ".join([*rates, dropped, *latency, *stages, str(state["proof"])])


def json_line(state: Mapping[str, Any]) -> str:
    """One line for a program; without the log, which goes its own way."""
    return json.dumps({key: value for key, value in state.items() if key != "log"}, default=str)


def _headline(state: Mapping[str, Any]) -> str:
    if state["panic"]:
        shown = f"{BOLD}{RED}PANIC: the slate is shown{PLAIN}"
    elif state["pause"]:
        shown = f"{BOLD}{YELLOW}paused{PLAIN}"
    else:
        shown = f"{GREEN}on air{PLAIN}"
    bare = f" {BOLD}{RED}others are BARE{PLAIN}" if state["protect"] != "everyone" else ""
    recording = f" {RED}rec{PLAIN}" if state["recording"] else ""
    governor = state["governor"]
    saving = f" {YELLOW}[{governor['words']}]{PLAIN}" if governor and governor["step"] else ""
    face = f"{BOLD}{state['face'] or 'no face'}{PLAIN}"
    return f"{shown}  {face}  {FAINT}{state['proof']}{PLAIN}{bare}{recording}{saving}"


def _numbers(measured: Mapping[str, Any]) -> str:
    parts = [f"{name.removeprefix('out ')} {rate:.1f} fps" for name, rate in measured["fps"].items()]
    for one in _latencies(measured)[:1]:
        parts.append(f"latency {one['p50']:.0f} ms, p99 {one['p99']:.0f}")
    parts.append(f"dropped {measured['counts'].get('dropped', 0)}")
    return "  ".join(parts)


def _stages(stages_ms: Mapping[str, float]) -> str:
    longest = max(stages_ms.values(), default=0.0) or 1.0
    shown = sorted(stages_ms.items(), key=lambda pair: -pair[1])[:MOST_STAGES]
    return (
        FAINT
        + "  ".join(f"{name} {'▇' * max(1, round(BAR * ms / longest / 2))} {ms:.1f}" for name, ms in shown)
        + PLAIN
    )


def _latencies(measured: Mapping[str, Any]) -> list[Mapping[str, float]]:
    return [found for found in measured["latency_ms"].values() if found]


def _cut(line: str, width: int) -> str:
    """A line of at most so many letters, its colours kept: a longer one would wrap and not stay put."""
    shown, at = 0, 0
    while at < len(line):
        if line[at] == "\x1b":
            at = line.index("m", at) + 1
            continue
        if shown == width:
            return line[:at] + PLAIN
        shown, at = shown + 1, at + 1
    return line
