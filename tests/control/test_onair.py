"""The whole program on air, with its surfaces: presets while running, recordings, JSON lines, a photo as reference."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from live.control import runs
from live.control.ctl import ask
from live.errors import UsageError

START_S, ANSWER_S = 60.0, 30.0
SMALL = ("capture.width_px=480", "capture.height_px=270", "capture.fps=15", "keys.hotkeys=false")


WORDS = ("--input", "demo", "--pace", "real", "--output", "null", "--status", "json")


class Program:
    """A run as a user starts it, and what it said on standard output."""

    def __init__(self, home: Path) -> None:
        sets = [word for pair in (*SMALL, f"control.folder={home}") for word in ("--set", pair)]
        self.said = home / "said.txt"
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "live.cli", *WORDS, *sets],
                env={**os.environ, "LIVE_HOME": str(home)}, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        self.until(lambda: bool(runs.running()), START_S)
        self.reach = runs.choose(None)
        self.until(lambda: "swapped" in self.state()["proof"], START_S)

    def state(self) -> dict[str, Any]:
        return ask(self.reach, "GET", "/state")

    def say(self, name: str, *words: str) -> str:
        return ask(self.reach, "POST", f"/command/{name}", list(words))["said"]

    def until(self, holds: Callable[[], object], timeout_s: float = ANSWER_S) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline_s
            assert self.process.poll() is None
            time.sleep(0.05)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def _program(home: Path) -> Iterator[Program]:
    before = os.environ.get("LIVE_HOME")
    os.environ["LIVE_HOME"] = str(home)
    program = Program(home)
    yield program
    program.process.send_signal(signal.SIGINT)
    _, told = program.process.communicate(timeout=60)
    assert program.process.returncode == 0, told
    assert "terminate" not in told
    assert runs.running() == []
    if before is None:
        del os.environ["LIVE_HOME"]
    else:
        os.environ["LIVE_HOME"] = before


@pytest.fixture
def program(_program: Program, home: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("LIVE_HOME", str(home))
    return _program


def test_another_preset_takes_over_without_a_bare_or_lost_picture(program: Program) -> None:
    program.say("lock", "1", "others-bare")
    before = program.state()
    assert (before["preset"], before["protect"]) == ("default", "chosen")
    assert "fast" in program.say("preset", "fast")
    program.until(lambda: program.state()["preset"] == "fast")
    now = program.state()
    assert (now["shape"], before["shape"]) == (0.0, 0.5)
    assert now["protect"] == "everyone"  # people are numbered anew
    assert now["face"] == before["face"]
    program.until(lambda: "1 of 1 faces swapped" in program.state()["proof"])
    assert program.state()["measured"]["counts"].get("failed", 0) == 0


def test_presets_that_show_bare_pictures_cannot_be_gone_over_to(program: Program) -> None:
    assert "pass" not in program.state()["presets"]
    with pytest.raises(UsageError, match="pass"):
        program.say("preset", "pass")


def test_a_recording_is_made_on_air_and_plays(program: Program, home: Path) -> None:
    program.say("record", "on")
    assert program.state()["recording"]
    time.sleep(1.5)
    program.say("record")
    assert program.state()["recording"] is None
    (file,) = home.glob("live-*.mp4")
    with av.open(str(file)) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 3


def test_a_reference_photo_without_a_recogniser_is_one_clear_line(program: Program) -> None:
    with pytest.raises(UsageError, match="live models pull") as error:
        program.say("lock-like", "ada", "others-bare")
    assert "\n" not in str(error.value)
    assert program.state()["protect"] == "everyone"


def test_faces_are_prepared_before_anybody_asks_for_them(program: Program) -> None:
    program.until(lambda: len(program.state()["ready"]) >= 3, 60)
    assert program.say("next-face") == f"face: {program.state()['faces'][1]}"
    program.until(lambda: program.state()["face"] == program.state()["faces"][1])


def test_the_status_comes_as_json_lines(program: Program) -> None:
    program.until(lambda: program.said.read_text().count("\n") >= 2)
    for line in program.said.read_text().splitlines()[:2]:
        assert json.loads(line)["input"].startswith("demo")
