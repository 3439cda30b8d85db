"""`live ctl` and the files by which it finds a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.cli import main
from live.control import runs
from live.control.guard import Guard
from live.control.server import ControlServer
from live.errors import UsageError
from live.output.web import free_port


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_HOME", str(tmp_path))


class Heard(list):
    """A desk that notes what it is told."""

    def execute(self, name: str, arguments: list[str]) -> str:
        if name == "snapshot":
            raise UsageError("nothing is shown yet")
        self.append((name, arguments))
        return f"{name}: {' '.join(arguments)}"


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard, port = Heard(), free_port(24_000, 900)
    server = ControlServer(None, port, lambda: {"face": "ada"}, heard.execute)
    server.start()
    path = runs.announce(runs.Reach(os.getpid(), "127.0.0.1", port, None))
    yield heard
    runs.withdraw(path)
    server.stop()


def ctl(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["ctl", *words])
    return (code, *capsys.readouterr())


def test_commands_arrive_with_their_arguments(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl("next-face", capsys=capsys)[:2] == (0, "next-face: \n")
    assert ctl("strength", "-0.1", capsys=capsys)[:2] == (0, "strength: -0.1\n")
    assert ctl("people", "largest", "others-bare", capsys=capsys)[0] == 0
    assert heard == [("next-face", []), ("strength", ["-0.1"]), ("people", ["largest", "others-bare"])]


def test_the_state_is_json(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(ctl("state", capsys=capsys)[1]) == {"face": "ada"}


def test_wrong_words_never_leave_and_refusals_come_back(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ctl("strength", "7", capsys=capsys)
    assert code == 2
    assert "0.5 to 1" in err
    assert heard == []
    code, _, err = ctl("snapshot", capsys=capsys)
    assert (code, err) == (2, "live: nothing is shown yet\n")


def test_the_token_is_found_in_the_file_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    heard, port = Heard(), free_port(24_000, 900)
    guard = Guard("0.0.0.0", port)
    server = ControlServer(None, port, dict, heard.execute, guard=guard, listen="0.0.0.0")
    server.start()
    code, _, err = ctl("panic", "--port", str(port), capsys=capsys)
    assert code == 2
    assert "token" in err
    path = runs.announce(runs.Reach(os.getpid(), "127.0.0.1", port, guard.token))
    assert path is not None
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    assert ctl("panic", "--port", str(port), capsys=capsys)[0] == 0
    assert heard == [("panic", [])]
    server.stop()


def test_nothing_running_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ctl("panic", capsys=capsys)
    assert code == 2
    assert "no live is running" in err
    code, _, err = ctl("panic", "--port", str(free_port(24_000, 900)), capsys=capsys)
    assert code == 1
    assert err.count("\n") == 1


def test_of_several_runs_one_has_to_be_chosen() -> None:
    runs.announce(runs.Reach(os.getpid(), "127.0.0.1", 1111, None))
    runs.announce(runs.Reach(os.getppid(), "127.0.0.1", 2222, None))
    with pytest.raises(UsageError, match="--port"):
        runs.choose(None)
    assert runs.choose(2222).process == os.getppid()


def test_files_of_programs_that_are_gone_or_broken_are_as_good_as_none(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(20)
    path = runs.announce(runs.Reach(gone.pid, "127.0.0.1", 1111, None))
    folder = tmp_path / "running"
    for name, text in {"a": "{", "b": "[]", "c": '{"process": "x"}', "d": "x" * 10_000}.items():
        (folder / f"{name}.json").write_text(text)
    assert runs.running() == []
    assert path is not None
    assert not path.exists()


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ctl", "people", "--help"])
    assert "live ctl people everyone|largest|leftmost [others-bare]" in capsys.readouterr().out


def test_it_is_quick_to_start() -> None:
    """A Stream Deck starts it for every press."""
    code = "import sys, live.control.ctl; sys.exit(bool({'torch', 'aiohttp', 'onnxruntime', 'cv2'} & set(sys.modules)))"
    began_s = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
    assert time.monotonic() - began_s < 20
