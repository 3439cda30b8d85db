"""The virtual machine's hardware: which drivers it has, and how they are taken away and brought back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import struct
from pathlib import Path

from .v4l2 import MMAP, OUTPUT, REQBUFS, STREAMON, opened, until

NAME = os.environ.get("LIVE_VM_MACHINE", "")
"""`0.12`, `0.12-open` (exclusive_caps=0) or `0.15`: the driver's version is in it."""
EXCLUSIVE = NAME != "0.12-open"
LOOPBACK = "v4l2loopback"
CONTROL = "/dev/v4l2loopback"
ADD, REMOVE = 0x40487E01, 0x40047E02
"""v4l2loopback.h of 0.15: add a device, remove one."""
VIVID = Path("/sys/bus/platform/drivers/vivid")
FINIT_MODULE, DELETE_MODULE, PIDFD_OPEN, PIDFD_GETFD = 313, 176, 434, 438
"""System calls of x86-64: the programs insmod and rmmod are not needed."""

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    answer = _libc.syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(answer)


def unload_loopbacks() -> None:
    """Remove the driver. Raises: OSError (EAGAIN) while a program has one of its devices open."""
    _call(DELETE_MODULE, LOOPBACK.encode(), os.O_NONBLOCK)


def load_loopbacks() -> None:
    """Load the driver with the devices the machine began with."""
    descriptor = os.open(os.environ["VM_VIRTUALCAM_DRIVER"], os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(FINIT_MODULE, descriptor, os.environ["VM_VIRTUALCAM_CAMERAS"].encode(), 0)
    finally:
        os.close(descriptor)


def in_use(error: OSError) -> bool:
    """Whether the kernel refused because a program has the device open."""
    return error.errno in (errno.EAGAIN, errno.EBUSY)


def unload_as_soon_as_possible(wait_s: float) -> None:
    """Remove the driver once nobody has a device open."""

    def gone() -> bool:
        with contextlib.suppress(OSError):
            unload_loopbacks()
            return True
        return False

    until(gone, "the driver can be removed", wait_s)


def remove_device(number: int) -> None:
    """Remove one virtual camera, 0.15 only. Raises: OSError (EBUSY) while a program has it open."""
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(control, REMOVE, number)
    finally:
        os.close(control)


def add_device(number: int, label: str) -> None:
    """Add one virtual camera, 0.15 only."""
    config = struct.pack("=ii32s4I3ii", number, -1, label.encode(), 0, 0, 0, 0, 0, 0, 0, not EXCLUSIVE)
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(control, ADD, config)
    finally:
        os.close(control)


def unplug_webcam() -> None:
    """Take the test webcam (vivid) away, also from programs that use it: what pulling a cable does."""
    (VIVID / "unbind").write_text("vivid.0")


def plug_webcam_in() -> None:
    """Bring the test webcam back."""
    (VIVID / "bind").write_text("vivid.0")


def make_usable(device: str) -> None:
    """Undo what a session without STREAMON did to a device of 0.12."""
    descriptor = opened(device)
    with contextlib.suppress(OSError):  # it answers EINVAL, since no size is set, and is free all the same
        fcntl.ioctl(descriptor, STREAMON, struct.pack("=i", OUTPUT))
    os.close(descriptor)


def take_the_buffers_from(process: int, device: str) -> None:
    """Let 0.15 refuse (EBUSY) whatever a program writes from now on to the device it has open."""
    (number,) = [int(link.name) for link in Path(f"/proc/{process}/fd").iterdir() if os.readlink(link) == device]
    handle = _call(PIDFD_OPEN, process, 0)
    descriptor = _call(PIDFD_GETFD, handle, number, 0)
    # The program must not be inside of write(): the driver would divide by the number of its buffers, which is 0 then.
    os.kill(process, signal.SIGSTOP)
    until(lambda: " T " in Path(f"/proc/{process}/stat").read_text(), "the program stops")
    try:
        fcntl.ioctl(descriptor, REQBUFS, struct.pack("=5I", 0, OUTPUT, MMAP, 0, 0))
    finally:
        os.close(descriptor)
        os.close(handle)
        os.kill(process, signal.SIGCONT)
