"""Screens: what FFmpeg is told on each system, and real grabbing under Xvfb."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from live.capture import screen
from live.capture.contract import Wanted
from live.errors import CaptureError, UsageError
from live.values import Frame, PixelFormat


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A white screen of 320x240 px."""
    read_end, write_end = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(write_end),
        "-screen",
        "0",
        "320x240x24",
        "-wr",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10.0)


@pytest.fixture
def on_display(display: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    return display


@pytest.mark.screen
def test_the_whole_screen_is_grabbed_at_its_rate(on_display: str) -> None:
    capture = screen.open("", Wanted(fps=50))
    frames = [capture.read() for _ in range(10)]
    capture.close()
    capture.close()
    assert capture.read() is None
    assert (capture.info.width_px, capture.info.height_px, capture.info.format) == (320, 240, PixelFormat.BGR)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [frame.number for frame in frames if frame] == list(range(10))
    assert frames[0] is not None
    assert frames[-1] is not None
    assert frames[0].planes[0].mean() > 250  # white, but for the pointer
    assert 0.1 < frames[-1].time_s - frames[0].time_s < 1.0


@pytest.mark.screen
def test_a_region_is_grabbed(on_display: str) -> None:
    capture = screen.open("200,100,101,51", Wanted())
    frame = capture.read()
    capture.close()
    assert frame is not None
    assert frame.planes[0].shape == (51, 101, 3)
    assert (frame.planes[0] == 255).all()


@pytest.mark.screen
def test_a_region_outside_the_screen_is_one_line(on_display: str) -> None:
    with pytest.raises(CaptureError, match="is the region inside the screen"):
        screen.open("200,100,1000,1000", Wanted())


@pytest.mark.screen
def test_a_window_is_found_by_a_part_of_its_title(on_display: str) -> None:
    if not (shutil.which("xterm") and shutil.which("xwininfo")):
        pytest.skip("needs xterm and xwininfo")
    command = [
        "xterm",
        "-T",
        "Notes of Anna",
        "-bg",
        "#0000ff",
        "-fg",
        "#0000ff",
        "-geometry",
        "20x8+0+0",
        "-e",
        "cat",
    ]
    window = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        capture = until_it_shows("of anna")
        frame = until_it_is_blue(capture)
        capture.close()
    finally:
        window.terminate()
        window.wait(10.0)
    assert frame.width_px < 320
    with pytest.raises(UsageError, match='there is no window with "Zelda" in its title'):
        screen.open("Zelda", Wanted())


def until_it_shows(title: str) -> screen.ScreenCapture:
    end_s = time.monotonic() + 15.0
    while True:
        try:
            return screen.open(title, Wanted())
        except (UsageError, CaptureError):  # not listed yet, or listed but not mapped
            if time.monotonic() > end_s:
                raise


def until_it_is_blue(capture: screen.ScreenCapture) -> Frame:
    end_s = time.monotonic() + 15.0
    while True:
        frame = capture.read()
        assert frame is not None
        if np.median(frame.planes[0].reshape(-1, 3), 0).tolist() == [255, 0, 0] or time.monotonic() > end_s:
            assert np.median(frame.planes[0].reshape(-1, 3), 0).tolist() == [255, 0, 0]
            return frame


@pytest.mark.skipif(sys.platform != "linux", reason="X11 and Wayland are Linux's")
def test_without_a_display_or_under_wayland_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CaptureError, match="there is no screen here"):
        screen.open("", Wanted())
    monkeypatch.setenv("DISPLAY", ":59999")
    with pytest.raises(CaptureError, match="the screen cannot be grabbed"):
        screen.open("", Wanted())
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(CaptureError, match="Wayland lets no program read the screen"):
        screen.open("", Wanted())


@pytest.mark.parametrize("rest", ["0,0,0,48", "-5,0,64,48", "0,0,64,99999", "0,0,1,1"])
def test_an_impossible_region_is_the_users_mistake(rest: str) -> None:
    with pytest.raises(UsageError, match="is no region"):
        screen.open(rest, Wanted())


def test_what_windows_and_macos_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert screen._grab("10,20,64,48", 30.0).options == {
        "framerate": "30", "offset_x": "10", "offset_y": "20", "video_size": "64x48",
    }  # fmt: skip
    assert screen._grab("Editor", 30.0).device == "title=Editor"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert screen._grab("10,20,64,48", 30.0).crop == (10, 20, 64, 48)
    with pytest.raises(UsageError, match="macOS"):
        screen._grab("Editor", 30.0)
