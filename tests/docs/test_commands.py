"""Every command in the documentation is run, or it is said why not."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image

from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.cli import main, parser
from live.config import load_preset
from live.errors import LiveError
from live.resources import people_dir

from .commands import PAGES, ROOT, commands

T = TypeVar("T")

NOT_RUN = {
    r"sudo\b": "changes the system; tests/vm loads the driver with such lines",
    r"echo .*\| sudo tee": "changes the system",
    r"(winget|flatpak|git)\b": "changes the system, or needs the network",
    r"docker (compose|run|build)\b": "no container engine in tests; docker/replay.py runs what the files say",
    r"srt-live-transmit": "another program",
    r"pip (un)?install": "would change the environment of the tests; extras are checked below",
    r"python (-m tests\.|tools/measure_card)": "measures for minutes",
}
PARSED = {
    r"\b(NAME|DIR|FILE|DEVICE|ADDRESS)\b": "stands for something of the reader's",
    r"live bench twins": "writes 1.5 GB; tests/bench writes narrow ones",
    r"\?listen": "waits a minute for a sender; tests/capture runs it",
}
REFUSED = {
    r"virtualcam|bench camera": r"virtual camera|camera\.local",
    r"bench compare$": r"compare a network",
    r"models pull": r"is here|licence|nothing was fetched",
    r"output window": r"window|screen",
    r"input (camera|rtsp|rtmp|/dev)": r"camera|cannot be opened|sent no video|nothing listens|no such",
    r"output (rtmp|rtsp)": r"cannot stream to",
    r"device=cuda": r"torch can use no card",
    r"models verify": r"BROKEN|broken|hash",
    r"ctl (lock|person-face)": r"person|looks like|nobody|recogniser",
}
"""Commands that need what a test machine may lack: then one line says so."""
SHORT = {
    r"live bench speed .*--input": ["--seconds", "0.5"],
    r"live bench speed": ["--seconds", "0.3", "--size", "320x180"],
    r"live bench control": ["--presses", "1", "--switches", "1", "--asking", "0.2"],
    r"live bench precision": ["--budget", "1", "--networks", "masker", "--batch", "1", "--modes", "fp32"],
    r"live bench step": ["--slots", "256", "--faces", "1"],
}
"""What makes them quick; the last one given counts."""
VERBS = ("bench", "ctl", "devices", "doctor", "faces", "licences", "models", "presets", "--help", "--version")
COMMANDS = commands()
TO_A_RUN = sorted((command for command in COMMANDS if " ctl " in command), key=lambda command: command.endswith("quit"))


def rule(rules: Mapping[str, T], command: str) -> T | None:
    return next((what for pattern, what in rules.items() if re.search(pattern, command)), None)


def is_whole(arguments: list[str]) -> bool:
    """Whether the grammar takes it; else it names a verb."""
    try:
        parser().parse_args(arguments)
    except (SystemExit, LiveError):
        return False
    return True


def verb_of(arguments: list[str]) -> list[str]:
    """What shows that the verb is there."""
    return [*(word for word in arguments if not word.startswith("-")), "--help"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would stand: a photo, clips, a preset of one's own, networks (narrow twins)."""
    folder = tmp_path_factory.mktemp("reader")
    with Image.open(people_dir() / "ada.webp") as picture:
        for name in ("me.jpg", "friend.jpg"):
            picture.convert("RGB").save(folder / name, quality=95)
    models = folder / "models"
    list(write_stand_ins(models, ["w600k_r50", "inswapper_128", "gfpgan_1.4"], width=SMALL))
    shutil.copy(models / "GFPGANv1.4.onnx", folder / "mine.onnx")
    (folder / "mine.yaml").write_text("about: mine\nfaces: {most: 2}\n")
    made = live(folder, ["--input", "demo", "--output", "talk.mp4", "--pace", "max", "--duration", "1"])
    assert made.returncode == 0, made.stderr
    for name in ("clip.mp4", "clip720.mp4", "clip720p60.mp4", "clip1080.mp4"):
        shutil.copy(folder / "talk.mp4", folder / name)
    return folder


def live(folder: Path, arguments: list[str], home: str = "home") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "live.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=folder,
        env=environment(folder, home),
        input="no\n",
        check=False,
    )


def environment(folder: Path, home: str) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return given | {"LIVE_HOME": str(folder / home), "LIVE_MODELS": str(folder / "models")}


def judge(command: str, done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        return
    allowed = rule(REFUSED, command)
    assert allowed is not None, done.stderr
    assert re.search(allowed, (done.stdout + done.stderr).splitlines()[-1]), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in TO_A_RUN])
def test_a_command_in_the_documentation_does_what_it_says(command: str, folder: Path) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    if words[0] != "live":
        assert rule(NOT_RUN, command), "say in NOT_RUN why it is not run, or run it"
        return
    if not is_whole(words[1:]):
        assert live(folder, verb_of(words[1:])).returncode == 0
        return
    if rule(PARSED, command):
        return
    more = rule(SHORT, command) or []
    if words[1] not in VERBS:
        more = ["--duration", "1", *(["--output", "null"] if "--set" in words and "--output" not in words else [])]
    judge(command, live(folder, [*words[1:], *more], home=COMMANDS[command].stem))


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A run on air, which commands of this process reach."""
    monkeypatch.setenv("LIVE_HOME", str(folder / "run"))
    command = [sys.executable, "-m", "live.cli", "--input", "demo", "--output", "web", "--face", "ada"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, env=environment(folder, "run"), stdout=quiet, stderr=quiet) as process:
        yield process
        process.kill()


def say(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """A command of this process: dozens of programs would take a minute."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: object = main(arguments)
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, int(str(code or 0)), out.getvalue(), err.getvalue())


@pytest.mark.slow
def test_every_command_to_a_run_that_the_documentation_names_works(run: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 30
    while say(["ctl", "state"]).returncode:
        assert run.poll() is None
        assert time.monotonic() < deadline_s
    assert TO_A_RUN[-1] == "live ctl quit"
    for command in TO_A_RUN:
        words = shlex.split(command)[1:]
        judge(command, say(words if is_whole(words) else verb_of(words)))
    assert run.wait(20) == 0


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for command in COMMANDS for extra in re.findall(r"live-faceswap\[(\w+)\]", command)}
    assert named
    assert named <= set(extras)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{target} is not there"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{target}: there is no such heading"


def test_keys_named_in_the_documentation_exist() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for override in re.findall(r"--set ([a-z_]+(?:\.[a-z_]+)*=[^\s`]+)", text.replace("...", "")):
            if not override.partition("=")[2].isupper():
                load_preset("default", [override])
