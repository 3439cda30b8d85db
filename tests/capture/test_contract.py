"""What `live.capture.contract` promises, asked of every kind of capture in the folder that can be opened here."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import live.capture
from live.capture import MODULES
from live.capture.contract import Capture, Wanted
from live.capture.devices import CameraDevice
from live.pixels.host import plane_shapes
from live.values import Frame, PixelFormat

from .media import pattern, write_h264, write_video
from .test_camera import Looping
from .test_stream import Sender

ANY = Wanted()
KINDS = sorted(
    found.name
    for found in pkgutil.iter_modules(live.capture.__path__)
    if hasattr(importlib.import_module(f"live.capture.{found.name}"), "open")
)


@pytest.fixture
def reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Make something for a kind of capture to open; returns what its `open` takes."""
    left: list[Callable[[], object]] = []

    def make(kind: str) -> str:
        if kind == "file":
            return str(write_h264(tmp_path / "clip.mp4", 12, fps=100, size=(62, 47 + 1), sound=True))
        if kind == "picture":
            Image.effect_noise((61, 47), 90).convert("RGB").save(tmp_path / "photo.png")
            return str(tmp_path / "photo.png")
        if kind == "stream":
            sender = Sender(write_h264(tmp_path / "a.ts", 40, sound=True).read_bytes())
            left.append(sender.close)
            return sender.url
        if kind == "screen":
            left.append(start_screen(monkeypatch))
        if kind == "camera":
            clip = write_h264(tmp_path / "camera.mp4", 25)
            (tmp_path / "video0").touch()
            module = importlib.import_module("live.capture.camera")
            cameras = [CameraDevice(0, str(tmp_path / "video0"), "Webcam")]
            monkeypatch.setattr(module, "list_cameras", lambda: cameras)
            opened = module.open_first
            monkeypatch.setattr(
                module, "open_first", lambda found, wanted: opened(found, wanted, lambda *_: Looping(clip))
            )
        return ""

    yield make
    for stop in left:
        stop()


def start_screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "160x120x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)

    def stop() -> None:
        server.terminate()
        server.wait(10.0)

    return stop


def opened(kind: str, rest: str, wanted: Wanted = ANY) -> Capture:
    module: Any = importlib.import_module(f"live.capture.{kind}")
    capture: Capture = module.open(rest, wanted)
    return capture


def frames_of(capture: Capture, count: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < count and (item := capture.read()) is not None:
        if isinstance(item, Frame):
            frames.append(item)
    return frames


def test_the_folder_holds_the_kinds_that_addresses_name() -> None:
    assert set(KINDS) == set(MODULES.values())


@pytest.mark.parametrize("kind", KINDS)
def test_open_takes_the_rest_and_what_is_wanted(kind: str) -> None:
    module = importlib.import_module(f"live.capture.{kind}")
    assert list(inspect.signature(module.open).parameters)[:2] == ["rest", "wanted"]


@pytest.mark.parametrize("kind", KINDS)
def test_info_matches_the_frames_and_planes_belong_to_the_reader(kind: str, reach: Callable[[str], str]) -> None:
    capture = opened(kind, reach(kind))
    frames = frames_of(capture, 4)
    capture.close()
    info = capture.info
    assert len(frames) == 4
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert info.name
    assert info.live
    assert all("\n" not in note for note in info.notes)
    for frame in frames:
        assert (frame.width_px, frame.height_px, frame.format) == (info.width_px, info.height_px, info.format)
        assert frame.colour == info.colour
        assert [plane.shape for plane in frame.planes] == plane_shapes(frame.format, frame.width_px, frame.height_px)
        assert abs(frame.time_s - time.monotonic()) < 60
        for plane in frame.planes:
            assert plane.dtype == "uint8"
            assert plane.flags.c_contiguous
            plane[...] = 7  # owned: neither refused nor seen by a later frame
    assert len({plane.ctypes.data for frame in frames for plane in frame.planes}) == sum(len(f.planes) for f in frames)
    times_s = [frame.time_s for frame in frames]
    assert times_s == sorted(times_s)


@pytest.mark.parametrize("kind", KINDS)
def test_close_may_be_called_twice_and_ends_reading(kind: str, reach: Callable[[str], str]) -> None:
    capture = opened(kind, reach(kind))
    capture.read()
    capture.close()
    capture.close()
    assert capture.read() is None
    assert capture.read() is None


@pytest.mark.parametrize("kind", KINDS)
def test_close_before_the_first_read(kind: str, reach: Callable[[str], str]) -> None:
    capture = opened(kind, reach(kind))
    capture.close()
    assert capture.read() is None


@pytest.mark.parametrize("kind", KINDS)
def test_wanted_format_is_given_or_noted(kind: str, reach: Callable[[str], str]) -> None:
    capture = opened(kind, reach(kind), Wanted(format=PixelFormat.I420))
    frames = frames_of(capture, 1)
    capture.close()
    assert capture.info.format is frames[0].format
    assert frames[0].format is PixelFormat.I420 or capture.info.notes


@pytest.mark.parametrize("format", list(PixelFormat))
def test_a_file_can_be_asked_for_every_format(tmp_path: Path, format: PixelFormat) -> None:
    path = write_video(tmp_path / "a.mkv", [pattern(PixelFormat.I420, 64, 48)])
    [frame] = frames_of(opened("file", str(path), Wanted(live=False, format=format)), 9)
    assert frame.format is format
    assert [plane.shape for plane in frame.planes] == plane_shapes(format, 64, 48)
