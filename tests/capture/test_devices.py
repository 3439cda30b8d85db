from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from live.capture import devices
from live.capture.devices import CameraMode, list_linux_cameras, parse_device_log

CAPTURE, OUTPUT, META, DEVICE_CAPS = 0x1, 0x2, 0x00800000, 0x80000000


class Kernel:
    """Answers as the kernel does for the nodes it is given: (driver, capabilities, formats with size and rates)."""

    def __init__(self, folder: Path, dev: Path) -> None:
        self.folder, self.dev = folder, dev
        self.nodes: dict[str, tuple[bytes, int, list[tuple[bytes, int, int, list[tuple[int, int]]]]]] = {}

    def add(
        self, node: str, name: str, capabilities: int, formats: Sequence[object] = (), driver: bytes = b"uvcvideo"
    ) -> None:
        (self.folder / node).mkdir(parents=True)
        (self.folder / node / "name").write_text(name + "\n")
        (self.dev / node).touch()
        self.nodes[node] = (driver, capabilities, formats)  # type: ignore[assignment]

    def control(self, descriptor: int, request: int, buffer: bytearray) -> None:
        node = Path(f"/proc/self/fd/{descriptor}").resolve().name
        driver, capabilities, formats = self.nodes[node]
        index = struct.unpack_from("I", buffer)[0]
        if request == devices.VIDIOC_QUERYCAP:
            buffer[:16] = driver.ljust(16, b"\0")
            struct.pack_into("II", buffer, 84, 0xFFFFFFFF, capabilities)
        elif request == devices.VIDIOC_ENUM_FMT and index < len(formats):
            buffer[44:48] = formats[index][0]
        elif request == devices.VIDIOC_ENUM_FRAMESIZES and index == 0:
            [(_, width, height, _)] = [entry for entry in formats if entry[0] == bytes(buffer[4:8])]
            struct.pack_into("III", buffer, 8, 1, width, height)
        elif request == devices.VIDIOC_ENUM_FRAMEINTERVALS:
            [rates] = [entry[3] for entry in formats if entry[0] == bytes(buffer[4:8])]
            if index >= len(rates):
                raise OSError(22, "Invalid argument")
            struct.pack_into("III", buffer, 16, 1, *rates[index])
        else:
            raise OSError(22, "Invalid argument")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    (tmp_path / "dev").mkdir()
    return Kernel(tmp_path / "sys", tmp_path / "dev")


def test_cameras_are_listed_with_their_modes_and_without_other_nodes(kernel: Kernel) -> None:
    formats = [(b"MJPG", 1280, 720, [(1, 30), (1, 60)]), (b"YUYV", 640, 480, [(1, 30), (2, 15)])]
    kernel.add("video10", "Later", CAPTURE | DEVICE_CAPS)
    kernel.add("video0", "HD Webcam", CAPTURE | DEVICE_CAPS, formats)
    kernel.add("video1", "HD Webcam", META | DEVICE_CAPS)
    kernel.add("video2", "Sink", OUTPUT | DEVICE_CAPS, driver=b"v4l2 loopback")
    cameras = list_linux_cameras(kernel.folder, kernel.dev, kernel.control)
    assert [(camera.index, camera.name) for camera in cameras] == [(0, "HD Webcam"), (10, "Later")]
    assert cameras[0].path == str(kernel.dev / "video0")
    assert cameras[0].modes == (
        CameraMode("MJPG", 1280, 720, (60.0, 30.0)),
        CameraMode("YUYV", 640, 480, (30.0, 7.5)),
    )


def test_our_own_virtual_camera_is_labelled(kernel: Kernel) -> None:
    kernel.add("video0", "live", CAPTURE | OUTPUT | DEVICE_CAPS, driver=b"v4l2 loopback")
    kernel.add("video1", "live", CAPTURE | DEVICE_CAPS)
    kernel.add("video2", "live", OUTPUT | DEVICE_CAPS, driver=b"v4l2 loopback")
    own = {camera.index: camera.own for camera in list_linux_cameras(kernel.folder, kernel.dev, kernel.control)}
    assert own == {0: True, 1: False, 2: True}


def test_a_driver_whose_lists_never_end_is_bounded(kernel: Kernel) -> None:
    kernel.add("video0", "Broken", CAPTURE | DEVICE_CAPS, [(b"YUYV", 640, 480, [(1, 30)] * 100_000)])
    [camera] = list_linux_cameras(kernel.folder, kernel.dev, kernel.control)
    assert camera.modes == (CameraMode("YUYV", 640, 480, (30.0,)),)


def test_a_machine_without_cameras_has_none(tmp_path: Path) -> None:
    assert list_linux_cameras(tmp_path / "none", tmp_path) == []


def test_device_lists_of_windows_and_macos() -> None:
    dshow = [
        '"Integrated Camera" (video)\n',
        '  Alternative name "@device_pnp_x"\n',
        '"live" (video)\n',
        '"Mic" (audio)\n',
    ]
    assert [(camera.name, camera.own) for camera in parse_device_log(dshow)] == [
        ("Integrated Camera", False),
        ("live", True),
    ]
    avfoundation = [
        "AVFoundation video devices:\n", "[0] FaceTime HD Camera\n", "[1] Capture screen 0\n",
        "AVFoundation audio devices:\n", "[0] MacBook Microphone\n",
    ]  # fmt: skip
    assert [camera.name for camera in parse_device_log(avfoundation)] == ["FaceTime HD Camera"]


class Ranges(Kernel):
    """A driver that names ranges of sizes and rates, as some webcams and v4l2loopback do."""

    def control(self, descriptor: int, request: int, buffer: bytearray) -> None:
        index = struct.unpack_from("I", buffer)[0]
        if request == devices.VIDIOC_ENUM_FRAMESIZES and index == 0:
            struct.pack_into("IIIIIII", buffer, 8, 3, 48, 4096, 2, 32, 2160, 2)
        elif request == devices.VIDIOC_ENUM_FRAMEINTERVALS and index == 0:
            assert struct.unpack_from("II", buffer, 8) == (4096, 2160)
            struct.pack_into("IIIIIII", buffer, 16, 2, 1, 60, 1, 1, 0, 0)
        elif request in (devices.VIDIOC_ENUM_FRAMESIZES, devices.VIDIOC_ENUM_FRAMEINTERVALS):
            raise OSError(22, "Invalid argument")
        else:
            super().control(descriptor, request, buffer)


def test_ranges_of_sizes_and_rates_stay_ranges(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    kernel = Ranges(tmp_path / "sys", tmp_path / "dev")
    kernel.add("video0", "Flexible", CAPTURE | DEVICE_CAPS, [(b"YUYV", 0, 0, [])])
    [camera] = list_linux_cameras(kernel.folder, kernel.dev, kernel.control)
    assert camera.modes == (CameraMode("YUYV", 4096, 2160, (60.0,), smallest_px=(48, 32), any_fps=True),)


def test_programs_that_hold_a_device_are_named_with_what_they_do(tmp_path: Path) -> None:
    device, proc = tmp_path / "video0", tmp_path / "proc"
    device.touch()
    for process, name, flags in (("9", "obs", "0100001"), ("20", "zoom", "0104002"), ("100", "cheese", "0100000")):
        (proc / process / "fd").mkdir(parents=True)
        (proc / process / "fdinfo").mkdir()
        (proc / process / "fd/0").symlink_to("/dev/null")
        (proc / process / "fd/7").symlink_to(device)
        (proc / process / "fdinfo/7").write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t5\n")
        (proc / process / "comm").write_text(name + "\n")
        (proc / process / "cmdline").write_bytes(f"{name}\0--flag\0".encode())
    (proc / "300/fd").mkdir(parents=True)
    (proc / "300/fd/3").symlink_to("/dev/null")
    found = devices.openers(str(device), proc)
    assert [(str(opener), opener.access) for opener in found] == [
        ("obs (process 9)", "writes"),
        ("zoom (process 20)", "opens"),
        ("cheese (process 100)", "reads"),
    ]
    assert found[0].command == "obs --flag"


def test_a_file_of_a_real_process_is_found(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.touch()
    code = f"import sys; file = open({str(held)!r}, 'a'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [opener] = devices.openers(str(held))
        process.communicate()
    assert (opener.process, opener.access) == (process.pid, "writes")
    assert devices.openers(str(held)) == []
