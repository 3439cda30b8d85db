"""Which cameras this machine has: on Linux asked from the kernel itself, elsewhere from FFmpeg's device list.

Only lists; opening is `camera.py`'s business. A camera that another program uses is listed all the same.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

OWN_LABEL = "live"
"""The label of this program's virtual camera."""
SYS_FOLDER = Path("/sys/class/video4linux")
# The kernel's interface, linux/videodev2.h: request numbers carry the size of their structure and never change.
VIDIOC_QUERYCAP, VIDIOC_ENUM_FMT = 0x80685600, 0xC0405602
VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS = 0xC02C564A, 0xC034564B
VIDEO_CAPTURE, HAS_DEVICE_CAPS, LOOPBACK_DRIVER = 0x1, 0x80000000, "v4l2 loopback"
DISCRETE = 1
"""Kind of an entry in a list of sizes or intervals: one, not a range."""
MOST_ENTRIES = 64
"""Of each list that a driver gives: broken ones never end."""

Control = Callable[[int, int, bytearray], object]
"""`fcntl.ioctl(descriptor, request, buffer)`: fills the buffer, OSError when the driver refuses."""


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One kind of picture that a camera can send."""

    format: str
    """Four letters of the driver: `MJPG`, `YUYV`, `NV12` ..."""
    width_px: int
    height_px: int
    """The only size, or the largest of a range."""
    fps: tuple[float, ...]
    """Rates, highest first; empty where the driver does not say."""
    smallest_px: tuple[int, int] | None = None
    """Width and height where a range of sizes begins; None: there is one size."""
    any_fps: bool = False
    """True: every rate up to the one in `fps`."""


@dataclass(frozen=True, slots=True)
class Opener:
    """A program that holds a device open."""

    program: str
    process: int
    access: str
    """`writes`, `reads`, or `opens`: most programs open a camera for both, whatever they do with it."""
    command: str = ""
    """How it was started; empty where the system does not tell."""

    def __str__(self) -> str:
        return f"{self.program} (process {self.process})"


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A camera as the system lists it."""

    index: int
    path: str
    """`/dev/video0`; on Windows and macOS the same as the name."""
    name: str
    modes: tuple[CameraMode, ...] = ()
    """Empty where the system does not tell or the device may not be opened."""
    own: bool = False
    """This program's own virtual camera: an output, refused as input."""


def list_cameras() -> list[CameraDevice]:
    """All cameras, in the system's order; metadata and output-only devices are left out."""
    if sys.platform == "linux":
        return list_linux_cameras()
    if sys.platform == "win32":
        return parse_device_log(_device_log("dshow"))
    return parse_device_log(_device_log("avfoundation"))


def list_linux_cameras(
    folder: Path = SYS_FOLDER, dev: Path = Path("/dev"), control: Control | None = None
) -> list[CameraDevice]:
    """Cameras named in `folder` (sysfs) whose nodes in `dev` can capture. `control` stands for `fcntl.ioctl`."""
    if control is None:
        import fcntl

        control = fcntl.ioctl
    nodes = sorted(folder.glob("video*"), key=lambda node: int(re.sub(r"\D", "", node.name) or 0))
    cameras = []
    for node in nodes:
        try:
            name = (node / "name").read_text("utf-8", "replace").strip() or node.name
        except OSError:
            name = node.name
        index = int(re.sub(r"\D", "", node.name) or 0)
        camera = _ask(CameraDevice(index, str(dev / node.name), name, own=name == OWN_LABEL), control)
        if camera is not None:
            cameras.append(camera)
    return cameras


def _ask(camera: CameraDevice, control: Control) -> CameraDevice | None:
    """The camera with what its driver says; None when it cannot capture. Unreadable nodes stay as they are."""
    try:
        descriptor = os.open(camera.path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return camera  # no permission, or a loopback that nobody feeds: named, so that opening it says what is wrong
    try:
        answer = bytearray(104)
        control(descriptor, VIDIOC_QUERYCAP, answer)
        driver, capabilities, of_node = struct.unpack("16s68xII12x", answer)
        own = camera.own and driver.rstrip(b"\0").decode("ascii", "replace") == LOOPBACK_DRIVER
        can = of_node if capabilities & HAS_DEVICE_CAPS else capabilities
        if not can & VIDEO_CAPTURE and not own:
            return None
        return replace(camera, own=own, modes=tuple(_modes(descriptor, control)))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _entries(descriptor: int, control: Control, request: int, head: bytes, size: int) -> list[bytes]:
    """What an ENUM request gives for index 0, 1, ...; `head` is what stands behind the index."""
    entries = []
    for index in range(MOST_ENTRIES):
        buffer = bytearray(struct.pack("I", index) + head).ljust(size, b"\0")
        try:
            control(descriptor, request, buffer)
        except OSError:
            break
        entries.append(bytes(buffer))
    return entries


def _modes(descriptor: int, control: Control) -> list[CameraMode]:
    modes = []
    for entry in _entries(descriptor, control, VIDIOC_ENUM_FMT, struct.pack("I", VIDEO_CAPTURE), 64):
        code = entry[44:48]
        for size in _entries(descriptor, control, VIDIOC_ENUM_FRAMESIZES, code, 44):
            kind, width, height = struct.unpack_from("III", size, 8)
            smallest = None
            if kind != DISCRETE:  # min width, max width, step, min height, max height, step
                least_width, width, _, least_height, height = struct.unpack_from("IIIII", size, 12)
                smallest = (least_width, least_height)
            rates, any_fps = [], False
            head = code + struct.pack("II", width, height)
            for interval in _entries(descriptor, control, VIDIOC_ENUM_FRAMEINTERVALS, head, 52):
                seconds, parts = struct.unpack_from("II", interval, 20)
                if seconds and parts:
                    rates.append(round(parts / seconds, 3))
                if struct.unpack_from("I", interval, 16)[0] != DISCRETE:  # the shortest interval of a range
                    any_fps = True
                    break
            format = code.decode("ascii", "replace").strip()
            modes.append(CameraMode(format, width, height, tuple(sorted(set(rates), reverse=True)), smallest, any_fps))
    return modes


def openers(path: str, proc: Path = Path("/proc")) -> list[Opener]:
    """Other programs that hold a device open, as far as this user may see them; on Linux only."""
    target, found = os.path.realpath(path), []
    for process in sorted(proc.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if int(process.name) == os.getpid():
            continue
        with suppress(OSError):  # processes end while they are looked at, and other users' may not be looked at
            links = [link for link in (process / "fd").iterdir() if _leads_to(link, target)]
            if not links:
                continue
            accesses = {_access(process / "fdinfo" / link.name) for link in links}
            access = next(name for name in ("writes", "opens", "reads") if name in accesses)
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            name = (process / "comm").read_text("utf-8", "replace").strip()
            found.append(Opener(name, int(process.name), access, command))
    return found[:MOST_ENTRIES]


def _leads_to(link: Path, target: str) -> bool:
    try:
        return os.readlink(link) == target
    except OSError:
        return False


def _access(fdinfo: Path) -> str:
    """How a file was opened: the last two bits of its flags, octal."""
    try:
        found = re.search(r"^flags:\s*([0-7]+)", fdinfo.read_text("utf-8", "replace"), re.MULTILINE)
    except OSError:
        return "opens"
    return {os.O_RDONLY: "reads", os.O_WRONLY: "writes"}.get(int(found[1], 8) & 3 if found else os.O_RDWR, "opens")


def _device_log(format: str) -> list[str]:
    """What FFmpeg logs when asked to list the devices of a kind."""
    import av
    import av.logging

    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        # Listing always ends in an error.
        with av.logging.Capture() as logs, suppress(av.FFmpegError, ValueError):
            av.open("dummy" if format == "dshow" else "", format=format, options={"list_devices": "true"}).close()
    finally:
        av.logging.set_level(level)
    return [str(entry[2]) for entry in logs]


def parse_device_log(lines: list[str]) -> list[CameraDevice]:
    """Cameras out of FFmpeg's list: `"Name" (video)` of dshow, `[0] Name` under a heading of avfoundation."""
    names, in_video = [], False
    for line in "".join(lines).splitlines():
        if "video devices" in line or "audio devices" in line:
            in_video = "video devices" in line
        elif found := re.search(r'"([^"@][^"]*)" \((?:video|none)\)', line):
            names.append(found[1])
        elif in_video and (found := re.search(r"\[\d+\] (.+)$", line)) and not found[1].startswith("Capture screen"):
            names.append(found[1].strip())
    return [CameraDevice(index, name, name, own=name == OWN_LABEL) for index, name in enumerate(names)]
