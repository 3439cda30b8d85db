"""The program as a user starts it: what it says about mistakes, and that it ends with the right code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

from live.capture.counter import decode
from live.cli import main


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = main(list(arguments))
    except SystemExit as exit:  # --help and --version
        code = int(exit.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


COUNTED_AND_SMALL = ["--preset", "pass", "--set", "capture.counter=true", "--set", "capture.width_px=64"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "fsat"], ["fsat", 'did you mean "fast"']),
        (["--set", "faces.moost=1"], ["faces.moost", "faces.most"]),
        (["--set", "faces.most=99"], ["faces.most", "99", "1 to 8"]),
        (["--input", "nowhere.mp4"], ["nowhere.mp4"]),
        (["--input", "ftp://host/clip"], ["ftp", "known"]),
        (["--input", "demo", "--output", "null", "--face", "nobody"], ["nobody", "ada"]),
        (["--input", "demo", "--output", "null", "--face", "ada", "--face", "nobody"], ["nobody", "ada"]),
        (["--input", "demo", "--face", "a.jpg", "--face", "b.jpg", "--consent", "self"], ["2 photos", "faces add"]),
        (["--input", "demo", *["--face", "ada"] * 9], ["9 faces", "up to 8"]),
        (["--input", "demo", "--output", "out.xyz"], ["out.xyz", "mp4"]),
        (["--input", "demo", "--output", "/nowhere/at/all/out.mp4"], ["/nowhere/at/all", "does not exist"]),
        (["--input", "demo", "--output", "null", "--set", "engine=none"], ["none", "privacy.unproven=pass"]),
        (["--duration", "-1"], ["--duration", "-1"]),
        (["--duration", "soon"], ["--duration", "soon"]),
        (["frobnicate"], ["frobnicate"]),
        (["faces"], ["VERB", "--help"]),
        (["faces", "add", "none.jpg", "--consent", "self"], ["none.jpg"]),
        (["faces", "remove", "nobody"], ["nobody"]),
        (["bench", "speed", "--input", "nowhere.mp4"], ["nowhere.mp4"]),
        (["bench", "camera", "--size", "12"], ["--size", "12", "1280x720"]),
        (["bench", "camera", "--format", "mjpeg"], ["--format", "mjpeg", "nv12"]),
        (["bench", "camera", "--fps", "999"], ["fps", "999", "0 to 240"]),
        (["--input", "pattern:bars", "--output", "null", "--preset", "pass"], ["pattern", "bars"]),
        (["bench", "speed", "--input", "pattern", *COUNTED_AND_SMALL], ["counter", "128x48"]),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(*arguments, capsys=capsys)
    lines = [line for line in err.splitlines() if line.startswith("live: ")]
    assert code == 2
    assert len(lines) == 1
    assert "Traceback" not in err
    assert all(word in lines[0] for word in words), lines[0]


def test_a_photo_without_consent_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "me.jpg"
    photo.write_bytes(b"")
    code, _, err = run("faces", "add", str(photo), "--name", "me", capsys=capsys)
    assert code == 2
    assert "--consent" in err


def test_the_input_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.mp4"
    assert run("--input", "demo", "--output", str(clip), "--duration", "0.5", capsys=capsys)[0] == 0
    before = clip.read_bytes()
    code, _, err = run("--input", str(clip), "--output", str(clip), capsys=capsys)
    assert code == 2
    assert "is the input too" in err
    assert clip.read_bytes() == before


def test_listings_name_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fast" in run("presets", capsys=capsys)[1]
    assert "ada" in run("faces", "list", capsys=capsys)[1]
    assert run("devices", capsys=capsys)[0] == 0
    assert "--preset" in run("--help", capsys=capsys)[1]
    assert run("--version", capsys=capsys)[1].startswith("live ")


def test_the_preset_for_checks_stands_apart(capsys: pytest.CaptureFixture[str]) -> None:
    everyday, _, tests = run("presets", capsys=capsys)[1].partition("not for calls:")
    assert {"default", "fast", "balanced", "quality"} <= {line.split()[0] for line in everyday.split("\n") if line}
    (line,) = tests.strip().splitlines()
    assert line.startswith("pass")
    assert "BARE" in line


def test_the_test_card_runs_without_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "card.mkv"
    sized = ["--set", "capture.width_px=320", "--set", "capture.height_px=240", "--set", "capture.counter=true"]
    arguments = ["--input", "pattern", "--output", str(clip), "--preset", "pass", "--duration", "0.5", *sized]
    assert run(*arguments, capsys=capsys)[0] == 0
    with av.open(str(clip)) as container:
        shown = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    numbers = [found[0] for picture in shown if (found := decode(picture)) is not None]
    assert len(numbers) == len(shown) >= 2
    assert numbers == sorted(set(numbers))


def test_the_doctor_finds_the_embedded_parts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("doctor", capsys=capsys)
    assert code == 0
    for part in ("detector", "landmarker", "source faces", "virtual camera"):
        assert part in out


def test_every_frame_of_a_file_comes_out_in_order_with_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, swapped = tmp_path / "clip.mkv", tmp_path / "swapped.mkv"
    quiet = ["--set", "capture.width_px=320", "--set", "capture.height_px=240"]
    assert run("--input", "demo:chen", "--output", str(clip), "--duration", "1", *quiet, capsys=capsys)[0] == 0
    code, out, err = run("--input", str(clip), "--output", str(swapped), "--face", "ada", capsys=capsys)
    assert code == 0, err
    assert "latency" in out
    times = []
    for path in (clip, swapped):
        with av.open(str(path)) as container:
            times.append([frame.time for frame in container.decode(video=0)])
    assert times[0] == times[1]
    assert len(times[0]) > 10


BUSY = """
import threading, sys
from live import cli
import torch
begun = threading.Event()
def work():
    while True:
        torch.randn(400, 400) @ torch.randn(400, 400)
        begun.set()
threading.Thread(target=work, daemon=True).start()
begun.wait()
cli.main = lambda: print("the summary") or 3
cli.program()
"""


def test_a_network_that_is_still_made_ready_does_not_crash_the_end() -> None:
    ended = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "the summary\n", "")
