"""How cameras and virtual cameras are told to people."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from live.capture.devices import CameraDevice, CameraMode, Opener
from live.doctor import Finding, device_lines, virtual_camera
from live.doctor import devices as module
from live.doctor.devices import camera_lines, mode_lines, virtual_lines
from live.doctor.loopbacks import OWN_CHILD, LoopbackState

MODES = (
    CameraMode("MJPG", 1920, 1080, (30.0,)),
    CameraMode("MJPG", 1280, 720, (60.0, 30.0)),
    CameraMode("MJPG", 640, 480, (60.0, 30.0)),
    CameraMode("YUYV", 640, 480, (30.0, 7.5)),
    CameraMode("GREY", 64, 48, ()),
)
WEBCAM = CameraDevice(0, "/dev/none0", "HD Webcam", MODES)
VIRTUAL = LoopbackState("/dev/none10", "live", exclusive=True)


def test_modes_of_the_same_rates_share_a_line() -> None:
    assert camera_lines(WEBCAM) == [
        "camera:0  /dev/none0  HD Webcam",
        "    MJPG  1920x1080 at 30 fps",
        "    MJPG  1280x720, 640x480 at 60, 30 fps",
        "    YUYV  640x480 at 30, 7.5 fps",
        "    GREY  64x48",
    ]


def test_ranges_are_told_as_ranges() -> None:
    range = CameraMode("NV12", 8192, 4096, (30.0,), smallest_px=(2, 1), any_fps=True)
    assert mode_lines((range,)) == ["    NV12  2x1 to 8192x4096 at up to 30 fps"]
    assert mode_lines((CameraMode("NV12", 640, 480, (), smallest_px=(640, 480)),)) == ["    NV12  640x480"]


def test_endless_lists_are_wrapped_and_cut() -> None:
    sizes = tuple(CameraMode("MJPG", 16 * n, 9 * n, (30.0,)) for n in range(1, 60))
    assert all(len(line) <= module.WIDTH for line in mode_lines(sizes))
    many = tuple(CameraMode("MJPG", 640, 480, (float(n),)) for n in range(1, 60))
    assert len(mode_lines(many)) == module.MOST_GROUPS + 1
    assert mode_lines(many)[-1] == "    and 47 more"


def test_a_loopback_that_nobody_feeds_is_told_so() -> None:
    other = CameraDevice(3, "/dev/none3", "OBS", (CameraMode("YUYV", 640, 480, (30.0,)),))
    assert camera_lines(other, LoopbackState("/dev/none3", "OBS")) == [
        "camera:3  /dev/none3  OBS  (a virtual camera that nobody feeds now)"
    ]
    fed = camera_lines(other, LoopbackState("/dev/none3", "OBS", fed=True))
    assert fed == ["camera:3  /dev/none3  OBS  (a virtual camera)", "    YUYV  640x480 at 30 fps"]


def test_a_camera_that_may_not_be_opened_says_how_to_change_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "video0"
    node.touch()
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    assert "usermod -aG video" in camera_lines(CameraDevice(0, str(node), "HD Webcam"))[1]


def test_outputs_of_other_systems_are_marked() -> None:
    obs = CameraDevice(1, "OBS Virtual Camera", "OBS Virtual Camera")
    [line] = camera_lines(obs)
    assert line.startswith("camera:1  OBS Virtual Camera  (a virtual camera: an output of live")


def test_a_virtual_camera_says_what_it_is_set_to_and_who_uses_it() -> None:
    users = (Opener("python", 71, "writes", OWN_CHILD), Opener("zoom", 80, "opens"), Opener("cheese", 81, "reads"))
    using = LoopbackState("/dev/none10", "live", exclusive=True, setting="NV12 1280x720", fed=True, users=users)
    assert virtual_lines(using) == [
        "virtualcam:/dev/none10  live  (this program's own output)",
        "    NV12 1280x720, exclusive_caps=1, fed now",
        "    fed by live (process 71)",
        "    open in zoom (process 80)",
        "    read by cheese (process 81)",
    ]
    assert virtual_lines(VIRTUAL)[1] == "    no setting yet, exclusive_caps=1, nobody feeds it"
    away = LoopbackState("/dev/none11", "spare", there=False, allowed=False)
    assert virtual_lines(away) == [
        "virtualcam:/dev/none11  spare",
        "    its node is missing here; `live doctor` says how to get it",
    ]


def test_our_own_camera_is_listed_as_output_only(monkeypatch: pytest.MonkeyPatch) -> None:
    own = CameraDevice(10, "/dev/none10", "live", own=True)
    monkeypatch.setattr(module, "list_cameras", lambda: [WEBCAM, own])
    monkeypatch.setattr(module, "loopback_states", lambda: [VIRTUAL])
    monkeypatch.setattr(module.sys, "platform", "linux")
    lines = device_lines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "camera:0  /dev/none0  HD Webcam",
        "virtualcam:/dev/none10  live  (this program's own output)",
    ]
    monkeypatch.setattr(module, "list_cameras", lambda: [own])
    assert device_lines()[0].startswith("no camera found")


def test_every_system_has_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("linux", "win32", "darwin", "freebsd14"):
        assert virtual_camera(platform)[0].name == "virtual camera"

    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", gone)
    [found] = virtual_camera("linux")
    assert found.mend == ("pip install pyvirtualcam",)


def test_a_finding_aligns_its_commands() -> None:
    lines = str(Finding("virtual camera", False, "gone", ("one", "two"))).splitlines()
    assert lines[0] == "missing  virtual camera   gone"
    assert [line.index(word) for line, word in zip(lines, ("gone", "one", "two"))] == [26, 32, 32]
    assert "better: one" in str(Finding("camera", True, "there", ("one",)))
    assert str(Finding("program", False, "broken", needed=True)).startswith("MISSING")
