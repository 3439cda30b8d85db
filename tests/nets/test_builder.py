"""Builds in real child processes: whole or not at all, ended when they hang, crash or are not wanted any more."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from live.errors import ModelError
from live.nets.builder import READY, Builder
from tests.nets import small
from tests.parts import wait_for


def builder(folder: Path, behaviour: str, *, limit_s: float = 60, **task) -> Builder:
    return Builder("a test", folder, {"behaviour": behaviour, **task}, module="tests.nets.children", limit_s=limit_s)


def gone(pid: int) -> bool:
    """Whether a process has ended; one whose parent has not asked yet counts as ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def test_a_build_is_kept_and_not_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "nets" / "engine"
    with caplog.at_level(logging.INFO):
        assert builder(folder, "fine").run() == folder
    assert (folder / "part").read_text() == "half"
    assert any("nearly done" in message for message in caplog.messages)
    assert builder(folder, "crash").run() == folder
    assert os.listdir(tmp_path / "nets") == ["engine"]


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("crash", r"a test: its process ended with"),
        ("error", r"a test: the card has too little memory"),
        ("unready", r"a test: its process ended with 0"),
    ],
)
def test_a_build_that_fails_leaves_nothing_and_says_why(tmp_path: Path, behaviour: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        builder(tmp_path / "nets" / "engine", behaviour).run()
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "nets") == []


def test_a_build_that_hangs_is_ended(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    hanging = builder(tmp_path / "nets" / "engine", "hang", limit_s=6, pid=str(note))
    with pytest.raises(ModelError, match=r"not done after 6 s; --set nets\.build_limit_s"):
        hanging.run()
    assert gone(int(note.read_text()))
    assert os.listdir(tmp_path / "nets") == []


def test_a_build_can_be_cancelled(tmp_path: Path) -> None:
    note, caught = tmp_path / "pid", []
    hanging = builder(tmp_path / "nets" / "engine", "hang", pid=str(note))

    def run() -> None:
        try:
            hanging.run()
        except ModelError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_for(lambda: note.exists() and note.read_text(), 20)
    hanging.cancel()
    thread.join(5)
    assert caught == ["a test: cancelled"]
    assert gone(int(note.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether the child is gone")
def test_a_build_ends_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import json, sys; from pathlib import Path; from live.nets.builder import Builder;"
        "Builder('a test', Path(sys.argv[1]), json.loads(sys.argv[2]), module='tests.nets.children', limit_s=60).run()"
    )
    task = json.dumps({"behaviour": "hang", "pid": str(note)})
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "nets" / "engine"), task])
    try:
        assert wait_for(lambda: note.exists() and note.read_text(), 20)
    finally:
        with contextlib.suppress(OSError):
            parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_for(lambda: gone(int(note.read_text())), 20)


def test_noise_on_its_output_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    assert builder(folder, "chatter").run() == folder


def test_the_faster_of_two_builds_of_the_same_is_taken(tmp_path: Path) -> None:
    folder, gate, note = tmp_path / "engine", tmp_path / "gate", tmp_path / "pid"
    slow = builder(folder, "fine", gate=str(gate), pid=str(note))
    thread = threading.Thread(target=slow.run)
    thread.start()
    assert wait_for(lambda: note.exists(), 20)
    assert builder(folder, "fine").run() == folder
    gate.write_text("")
    thread.join(20)
    assert (folder / READY).is_file()
    assert [path for path in os.listdir(tmp_path) if path.startswith(".unfinished")] == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="a test: cannot write to"):
        builder(tmp_path / "file" / "engine", "fine").run()


def test_the_real_child_builds_with_the_processor(tmp_path: Path) -> None:
    """The way TensorRT takes, with a backend that runs everywhere."""
    path = small.swapper(tmp_path / "model.onnx")
    task = {"model": str(path), "backend": "cpu", "precision": "fp32", "threads": 1}
    folder = tmp_path / "engine"
    built = Builder("cpu", folder, task, module="live.nets.build_child", limit_s=60).run()
    assert "seconds" in json.loads((built / READY).read_text())
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    task["model"] = str(tmp_path / "broken.onnx")
    with pytest.raises(ModelError, match=r"cpu: broken\.onnx is no whole ONNX file"):
        Builder("cpu", tmp_path / "other", task, module="live.nets.build_child", limit_s=60).run()
