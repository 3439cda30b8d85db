"""`live bench camera` without a device: the reader on recorded pictures, the whole program on a preloaded one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from live.bench import camera, camera_reader, reader
from live.bench.arrivals import statistics, unpacked
from live.bench.camera import Wish, device_of, measure, table
from live.bench.camera_reader import Expected, Reading, corner
from live.bench.reader import Reader
from live.capture.counter import burn, decode
from live.capture.pattern import planes_of
from live.capture.planes import AV_NAME
from live.cli import main
from live.config import load_preset
from live.errors import LiveError, OutputError, UsageError
from live.output import loopback
from live.values import Frame, PixelFormat, Pixels
from tests.output.test_virtualcam import library  # noqa: F401  a fixture

SIZE = (160, 96)
WISH = Wish("pattern", None, "160x96", 30.0, "auto", 1.0)


def picture(number: int, format: PixelFormat = PixelFormat.NV12) -> Frame:
    frame = Frame(planes_of(number, format, *SIZE), format, *SIZE, 500 + number / 30, number)
    burn(frame)
    return frame


def flat(frame: Frame) -> Pixels:
    return np.concatenate([plane.ravel() for plane in frame.planes])


@pytest.mark.parametrize("format", [PixelFormat.NV12, PixelFormat.I420, PixelFormat.YUYV, PixelFormat.BGR])
def test_the_counter_is_read_from_raw_bytes(format: PixelFormat) -> None:
    found = decode(corner(flat(picture(77, format)), AV_NAME[format], SIZE[0]))
    assert found == (77, pytest.approx(500 + 77 / 30, abs=1e-6))


@pytest.mark.parametrize("format", [PixelFormat.NV12, PixelFormat.I420, PixelFormat.YUYV, PixelFormat.BGR])
def test_every_wrong_byte_is_seen(format: PixelFormat) -> None:
    expected = Expected(format, *SIZE)
    for number in (0, 17, 1, 17):
        frame = picture(number, format)
        content = flat(frame)
        assert expected.wrong_bytes(number, frame.time_s, content) == 0
        content[[5, 7000, -1]] ^= 1
        assert expected.wrong_bytes(number, frame.time_s, content) == 3
    assert expected.wrong_bytes(18, 500.6, flat(picture(19, format))) > SIZE[1]


OPEN = av.open


def recorded(path: Path, frames: list[Frame], name: str) -> Path:
    """Raw pictures in a file, as a device would give them."""
    with av.open(str(path), "w", format="nut") as container:
        stream: Any = container.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, name
        for number, frame in enumerate(frames):
            packet = av.Packet(flat(frame).tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 30)
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


def read(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **task: Any) -> list[Any]:
    """What the reader says about a recording."""
    monkeypatch.setattr(camera_reader.av, "open", lambda device, format, options: OPEN(device))
    assert Reading({"device": str(path), "open_s": 0.0, "compare": None, "may_skip": False, **task}).run() == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_reading_tells_every_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [picture(number) for number in (3, 4, 4, 6)]
    frames[1].planes[1][20, 20, 0] ^= 1
    frames.append(replace(frames[0], planes=tuple(np.full_like(plane, 128) for plane in frames[0].planes)))
    path = recorded(tmp_path / "a.nut", frames, "nv12")
    opened, ended = read(path, monkeypatch, capsys, compare=["nv12", *SIZE])
    assert opened["opened"] == {"width_px": 160, "height_px": 96, "format": "nv12", "fps": 30.0}
    assert ended["ended"] is None
    rows = unpacked(ended["rows"])
    assert rows[:, 0].tolist() == [3, 4, 4, 6, -1]
    assert rows[:4, 1] == pytest.approx([500 + number / 30 for number in (3, 4, 4, 6)], abs=1e-6)
    assert (np.diff(rows[:, 2]) >= 0).all()
    assert rows[:, 3] == pytest.approx(np.arange(5) / 30, abs=0.001)
    assert rows[:, 4].tolist() == [0, 1, 0, 0, -1]


def test_pictures_in_another_format_or_size_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path / "a.nut", [picture(1, PixelFormat.I420)], "yuv420p")
    for compare in (None, ["nv12", *SIZE], ["i420", 320, 96]):
        _, ended = read(path, monkeypatch, capsys, compare=compare)
        assert unpacked(ended["rows"])[:, [0, 4]].tolist() == [[1, -1]]
    _, ended = read(path, monkeypatch, capsys, compare=["i420", *SIZE])
    assert unpacked(ended["rows"])[:, [0, 4]].tolist() == [[1, 0]]


def test_comparing_is_left_out_while_pictures_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera_reader, "WAITED_S", 3600.0)
    path = recorded(tmp_path / "a.nut", [picture(number) for number in range(4)], "nv12")
    _, ended = read(path, monkeypatch, capsys, compare=["nv12", *SIZE], may_skip=True)
    assert unpacked(ended["rows"])[:, [0, 4]].tolist() == [[0, 0], [1, -1], [2, -1], [3, -1]]


def test_a_device_with_pictures_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path / "a.nut", [picture(1, PixelFormat.I444)], "yuv444p")
    (ended,) = read(path, monkeypatch, capsys)
    assert "yuv444p" in ended["ended"]
    assert "nv12" in ended["ended"]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="the reader speaks V4L2")


@linux
def test_a_device_that_is_none_is_tried_and_then_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reader, "OPEN_S", 0.3)
    began = Reader()
    began_s = time.monotonic()
    with pytest.raises(OutputError, match="reader got no picture") as error:
        began.open(str(tmp_path / "video0"), None)
    assert "\n" not in str(error.value)
    assert time.monotonic() - began_s > 0.3
    began.close()
    began.close()
    assert not is_running(began.pid)


@linux
def test_a_reader_that_hangs_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LEAVE_S", 0.2)
    began = Reader()
    os.kill(began.pid, signal.SIGSTOP)
    began.close()
    assert not is_running(began.pid)


@linux
def test_a_reader_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import json, os, sys; from live.bench.reader import Reader; r = Reader(); r._hear('ready', 30);"
        "task = dict(device=sys.argv[1], open_s=60, compare=None, may_skip=True);"
        "os.write(r._process.stdin.fileno(), json.dumps(task).encode() + b'\\n');"
        "print(r.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "device")]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    pid = int(done.stdout)
    deadline_s = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline_s:
        os.sched_yield()
    assert not is_running(pid)


def loopbacks(monkeypatch: pytest.MonkeyPatch, folder: Path, *labels: str) -> None:
    for number, label in enumerate(labels):
        (folder / f"video{number}").mkdir()
        (folder / f"video{number}" / "name").write_text(f"{label}\n")
    monkeypatch.setattr(loopback, "DEVICES", folder)


@linux
@pytest.mark.parametrize(
    ("address", "device"),
    [
        (None, "/dev/video1"),
        ("virtualcam", "/dev/video1"),
        ("virtualcam:OBS", "/dev/video0"),
        ("OBS", "/dev/video0"),
        ("virtualcam:OBS?format=nv12", "/dev/video0"),
        ("/dev/video7", "/dev/video7"),
        ("virtualcam:/dev/video7", "/dev/video7"),
    ],
)
def test_an_address_finds_its_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None, device: str
) -> None:
    loopbacks(monkeypatch, tmp_path, "OBS", "live")
    assert device_of(address) == device


@linux
def test_without_our_label_the_first_loopback_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loopbacks(monkeypatch, tmp_path, "OBS", "other")
    assert device_of(None) == "/dev/video0"
    with pytest.raises(UsageError, match=r"'studio'; there are: \"OBS\" \(/dev/video0\)"):
        device_of("virtualcam:studio")


@linux
def test_without_a_loopback_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loopback, "DEVICES", tmp_path)
    for address in (None, "virtualcam:live"):
        with pytest.raises(OutputError, match="modprobe v4l2loopback") as error:
            device_of(address)
        assert "\n" not in str(error.value)


def test_other_systems_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera.sys, "platform", "win32")
    with pytest.raises(OutputError, match="only Linux"):
        device_of(None)


@pytest.mark.parametrize(
    ("wish", "format"),
    [
        (WISH, "auto"),
        (replace(WISH, format="yuyv"), "yuyv"),
        (replace(WISH, format="rgb"), "bgr"),
        (replace(WISH, format="nv12", input="camera:0"), "auto"),
    ],
)
def test_the_test_card_comes_in_the_format_of_the_device(wish: Wish, format: str) -> None:
    keys = load_preset("pass", wish.overrides()).capture
    assert (keys.width_px, keys.height_px, keys.fps, keys.counter, keys.format) == (160, 96, 30.0, True, format)


@pytest.mark.parametrize("size", ["1280", "1280x", "axb", "1280x720x3", "-2x5", ""])
def test_a_wrong_size_is_one_line(size: str) -> None:
    with pytest.raises(UsageError, match=r"--size .* like 1280x720"):
        replace(WISH, size=size).overrides()


DEVICE = "/dev/video99"


@pytest.fixture
def pipe(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """A preloaded device that gives its pictures to a pipe, and a reader of that pipe in the place of V4L2."""
    path = tmp_path / "camera"
    os.mkfifo(path)
    held = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # so that the child's opening does not wait for the reader
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKE_CAMERA_DEVICE", DEVICE)
    monkeypatch.setenv("FAKE_CAMERA_PIPE", str(path))
    monkeypatch.setattr(reader, "READER", "tests.bench.pipe_reader")
    monkeypatch.setattr(camera, "WARM_UP_S", 0.5)
    yield path
    os.close(held)


@linux
@pytest.mark.parametrize(("format", "name"), [("auto", "nv12"), ("rgb", "rgb24")])
def test_the_whole_program_is_measured_from_outside(
    pipe: Path, monkeypatch: pytest.MonkeyPatch, format: str, name: str
) -> None:
    monkeypatch.setenv("PIPE_CAMERA", f"{pipe},{name},160,96")
    wish = replace(WISH, device=DEVICE, format=format)
    report = measure(load_preset("pass", wish.overrides()), wish)
    got = report["reader"]
    assert got["unique"] > 15
    assert got["reordered"] == got["without_counter"] == 0
    assert got["stamps_rising"]
    assert (got["wrong"], got["compared"] > 15) == ((0, True) if format != "rgb" else (None, False))
    assert 0 < got["latency_ms"]["p50"] < 1000
    assert report["program"]["stages_ms"]["send"]["p50"] > 0
    assert report["device"]["format"] == name
    assert all(begin > 1 and end > 1 for begin, end in report["program"]["memory_mb"].values())
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    lines = table(report).splitlines()
    assert max(map(len, lines)) < 140
    for word in (DEVICE, name, "different ones a second", "dropped", "latency", "send", "time stamps rising"):
        assert any(word in line for line in lines), word


@linux
def test_a_reader_that_got_nothing_is_an_error(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_CAMERA", f"{pipe}.none,nv12,160,96")
    monkeypatch.setattr(reader, "OPEN_S", 0.3)
    wish = replace(WISH, device=DEVICE)
    with pytest.raises(LiveError, match=r"reader got no picture.*No such file"):
        measure(load_preset("pass", wish.overrides()), wish)


@pytest.mark.parametrize(("numbers", "code"), [((1, 2), 0), ((-1, -1), 1), ((), 1)])
def test_the_exit_code_says_whether_anything_was_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], numbers: Any, code: int
) -> None:
    rows = np.array([(number, place, place + 0.5, place, -1) for place, number in enumerate(numbers)], float)
    report = {
        "live": "1",
        "machine": {"cpu": "x", "cores": 1, "system": "y"},
        "input": {"address": "pattern", "width_px": 160, "height_px": 96, "fps": 30.0, "format": "nv12"},
        "device": {"path": DEVICE, "label": None, "width_px": 160, "height_px": 96, "format": "nv12", "ended": "gone"},
        "reader": statistics(rows.reshape(-1, 5), 0, 10),
        "program": {
            "counts": {"in": 9, "dropped": 1, "dropped x": 2},
            "cpu_percent": 1.0,
            "memory_mb": {"program": [1.0, 2.0]},
            "stages_ms": {"send": {}},
        },
    }
    monkeypatch.setattr(camera, "measure", lambda preset, wish: report)
    assert main(["bench", "camera", "--json", str(tmp_path / "a.json")]) == code
    assert json.loads((tmp_path / "a.json").read_text()) == report
    out = capsys.readouterr().out
    assert f"{len(numbers)} pictures read" in out
    assert "9 captured, 3 dropped" in out
    assert "ended early: gone" in out
