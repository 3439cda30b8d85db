"""The status that stays put, the plain line, and JSON lines."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from live.control import terminal

STATE = {
    "panic": False, "pause": False, "face": "ada", "proof": "1 of 1 faces swapped", "protect": "everyone",
    "recording": None, "governor": {"step": 0, "words": "everything"}, "log": [{"text": "hello"}],
    "measured": {
        "fps": {"in": 30.0, "out window": 29.9}, "counts": {"dropped": 3}, "stages_ms": {"look": 7.0, "swap": 9.5},
        "latency_ms": {"window": {"p50": 20.0, "p95": 28.0, "p99": 31.0}},
    },
}  # fmt: skip


def rendered(text: str) -> list[str]:
    """What a terminal shows after these letters: enough of one for ours."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[1A|\x1b\[K|\x1b\[\d+m|\r|\n|[^\x1b\r\n]+", text):
        if part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[K":
            lines[row] = lines[row] if lines[row] and not lines[row].startswith("\0") else ""
        elif part == "\r":
            lines[row] = "\0"
        elif part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif not part.startswith("\x1b"):
            lines[row] = ("" if lines[row] == "\0" else lines[row]) + part
    return [line.strip("\0") for line in lines if line.strip("\0")]


def test_the_status_stays_put_while_the_log_goes_by_above_it() -> None:
    to = io.StringIO()
    screen = terminal.Screen(to)
    screen.write("first\n")
    screen.show(["status 1", "numbers 1"])
    screen.write("second\n")
    screen.show(["status 2", "numbers 2"])
    assert rendered(to.getvalue()) == ["first", "second", "status 2", "numbers 2"]


def test_log_handlers_write_above_and_get_their_stream_back() -> None:
    to, before = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(before)
    screen = terminal.Screen(to)
    record = logging.LogRecord("live", logging.INFO, "", 0, "a line", None, None)
    with terminal.above(screen, [handler, logging.NullHandler()]):
        screen.show(["status"])
        handler.emit(record)
    handler.emit(record)
    assert rendered(to.getvalue()) == ["a line", "status"]
    assert before.getvalue() == "a line\n"


def test_a_long_line_is_cut_so_that_it_cannot_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    to = io.StringIO()
    terminal.Screen(to).show(["\x1b[1m" + "x" * 50 + "\x1b[0m"])
    assert rendered(to.getvalue()) == ["x" * 19]
    assert to.getvalue().rstrip("\x1b[K\n").endswith("\x1b[0m")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ["on air", "ada", "1 of 1 faces swapped"]),
        ({"panic": True}, ["PANIC"]),
        ({"pause": True}, ["paused"]),
        ({"protect": "chosen"}, ["others are BARE"]),
        ({"recording": "file x.mp4"}, ["rec"]),
        ({"governor": {"step": 2, "words": "no restorer"}}, ["[no restorer]"]),
        ({"governor": None, "face": None}, ["no face"]),
    ],
)
def test_the_headline_says_what_matters(change: dict[str, object], words: list[str]) -> None:
    headline, numbers, stages = terminal.block({**STATE, **change})
    assert all(word in headline for word in words)
    assert "29.9 fps" in numbers
    assert "p99 31" in numbers
    assert "swap" in stages


def test_before_anything_was_measured_there_are_no_numbers() -> None:
    empty = {**STATE, "measured": {"fps": {}, "counts": {}, "stages_ms": {}, "latency_ms": {"window": {}}}}
    assert len(terminal.block(empty)) == 3
    assert "dropped 0" in terminal.plain(empty)


def test_the_plain_line_and_the_json_line_are_one_line() -> None:
    plain = terminal.plain(STATE)
    assert "latency 20/28/31 ms" in plain
    assert "\n" not in plain
    line = terminal.json_line(STATE)
    assert "\n" not in line
    found = json.loads(line)
    assert found["measured"]["counts"] == {"dropped": 3}
    assert "log" not in found
