"""v4l2loopback as the kernel shows it: which virtual cameras there are, and what one of them is set to.

Knows sysfs and a few V4L2 requests; nothing about pictures. Imports neither OpenCV nor numpy, so that a child process
starts at once.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

DEVICES = Path("/sys/devices/virtual/video4linux")
"""Where Linux lists cameras that are software."""
MODULE = Path("/sys/module/v4l2loopback")
OWN_LABEL = "live"
"""A loopback with this label is preferred: other programs have theirs."""

QUERYCAP, G_FMT, S_FMT, STREAMON, S_PARM = 0x80685600, 0xC0D05604, 0xC0D05605, 0x40045612, 0xC0CC5616
"""linux/videodev2.h; a request's number carries the size of its structure and never changes."""
VIDEO_OUTPUT = 2
"""The buffer type of a device that takes pictures."""
CAN_OUTPUT = 0x2
"""The capability of a device that takes pictures."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What pictures a device is set to."""

    width_px: int
    height_px: int
    fourcc: str
    """`NV12`, `YU12` (I420), `YUYV`, `RGB3`, `BGR3`, `GREY` ..."""


def labels() -> dict[str, str]:
    """Device -> label of the virtual cameras of this machine; empty where the system does not tell (not Linux)."""
    found = {}
    for name in sorted(DEVICES.glob("video*/name"), key=lambda path: int(path.parent.name.removeprefix("video"))):
        with contextlib.suppress(OSError):
            found[f"/dev/{name.parent.name}"] = name.read_text().strip()
    return found


def loaded() -> bool:
    """Whether the driver is loaded."""
    return MODULE.exists()


def driver_version() -> str | None:
    """The loaded driver's version, such as `0.15.0`; None when it does not tell (0.12 does not)."""
    try:
        return (MODULE / "version").read_text().strip()
    except OSError:
        return None


def exclusive_caps(device: str) -> bool | None:
    """Whether a device shows as a camera only while it is fed; None when the driver does not tell."""
    try:
        flags = (MODULE / "parameters" / "exclusive_caps").read_text().strip().split(",")
    except OSError:
        return None
    # The driver's arrays follow the order in which it made its devices.
    order = list(labels())
    if device not in order or order.index(device) >= len(flags):
        return None
    return flags[order.index(device)] in {"Y", "1"}


def setting_of(descriptor: int) -> Setting | None:
    """What an open device is set to for writing; None when it does not tell."""
    import fcntl

    try:
        answer = fcntl.ioctl(descriptor, G_FMT, struct.pack("=I", VIDEO_OUTPUT) + bytes(204))
    except OSError:
        return None
    width_px, height_px, fourcc = struct.unpack_from("=II4s", answer, 8)
    return Setting(width_px, height_px, fourcc.decode("ascii", "replace"))


def set_fourcc(descriptor: int, fourcc: str) -> None:
    """Set what kind of pictures an open device takes; the size stays. Raises: OSError when the driver refuses."""
    import fcntl

    answer = bytearray(fcntl.ioctl(descriptor, G_FMT, struct.pack("=I", VIDEO_OUTPUT) + bytes(204)))
    width_px, height_px = struct.unpack_from("=II", answer, 8)
    # width, height, fourcc, field (none), bytes a line and in all: the driver reckons those
    struct.pack_into("=II4sIII", answer, 8, width_px, height_px, fourcc.encode("ascii"), 1, 0, 0)
    fcntl.ioctl(descriptor, S_FMT, bytes(answer))


def set_rate(descriptor: int, fps: float) -> None:
    """Tell an open device how often pictures come: readers ask for it. A driver that does not want to know is left."""
    import fcntl

    rate = Fraction(fps).limit_denominator(1001)
    # capability, mode, seconds as numerator and denominator
    wanted = struct.pack("=5I", VIDEO_OUTPUT, 0, 0, rate.denominator, rate.numerator)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, S_PARM, wanted.ljust(204, b"\0"))


def start_streaming(descriptor: int) -> None:
    """Begin a session of pictures.

    v4l2loopback 0.12 with exclusive_caps=1 serves one session only, unless each one begins with STREAMON.
    """
    import fcntl

    with contextlib.suppress(OSError):  # 0.15 does not want it: EINVAL
        fcntl.ioctl(descriptor, STREAMON, struct.pack("=i", VIDEO_OUTPUT))


def make_usable(device: str) -> None:
    """Free a device that a program left behind as a camera, although nobody feeds it.

    v4l2loopback 0.12 with exclusive_caps=1 leaves it so after a session without STREAMON; what somebody uses stays.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not _capabilities(descriptor) & CAN_OUTPUT and not _used_by_others(device):
            start_streaming(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _capabilities(descriptor: int) -> int:
    """What a device can do now. Raises: OSError when it is no video device."""
    import fcntl

    of_driver, of_node = struct.unpack_from("=II", fcntl.ioctl(descriptor, QUERYCAP, bytes(104)), 84)
    return int(of_node if of_driver & 0x80000000 else of_driver)


def _used_by_others(device: str) -> bool:
    """Whether another process has a device open, as far as this user may see."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if link.parts[2] != str(os.getpid()) and os.readlink(link) == device:
                return True
    return False


def is_video(descriptor: int) -> bool:
    """Whether an open file is a video device."""
    try:
        _capabilities(descriptor)
    except OSError:
        return False
    return True


def descriptors() -> set[int]:
    """Descriptors that this process has open; not the one that listing them takes."""
    numbers = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(number))
            numbers.add(int(number))
    return numbers


def video_descriptor(candidates: set[int]) -> int:
    """The one of some descriptors that is a video device. Raises: OSError when there is none."""
    for candidate in candidates:
        if is_video(candidate):
            return candidate
    raise OSError("the virtual camera's descriptor was not found")
