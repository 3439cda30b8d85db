"""Video devices as the kernel shows them, without any library: so that a test sees what the driver does.

Knows the requests of linux/videodev2.h on 64-bit machines; nothing about our program.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WAIT_S = 10.0
"""Longest wait for anything that should happen at once; generous, because the processor is emulated."""

QUERYCAP, G_FMT, S_FMT = 0x80685600, 0xC0D05604, 0xC0D05605
REQBUFS, QUERYBUF, QBUF, DQBUF = 0xC0145608, 0xC0585609, 0xC058560F, 0xC0585611
STREAMON, STREAMOFF, G_PARM, S_PARM = 0x40045612, 0x40045613, 0xC0CC5615, 0xC0CC5616
CAPTURE, OUTPUT = 1, 2
"""Buffer types, and the two capabilities of the same meaning."""
MMAP = 1
NODES = Path("/sys/class/video4linux")


def until(true: Callable[[], object], what: str, wait_s: float = WAIT_S) -> float:
    """Wait until something is true; returns how long that took."""
    begin_s = time.monotonic()
    while not true():
        assert time.monotonic() - begin_s < wait_s, f"{what}: not within {wait_s:g} s"
        threading.Event().wait(0.01)
    return time.monotonic() - begin_s


def device_of(label: str) -> str:
    """The device with a label (or the beginning of one)."""
    for node in sorted(NODES.glob("video*")):
        if (node / "name").read_text().startswith(label):
            return f"/dev/{node.name}"
    raise LookupError(f"no device is labelled {label}")


def opened(device: str, flags: int = os.O_RDWR | os.O_NONBLOCK) -> int:
    """A descriptor of a device."""
    return os.open(device, flags | os.O_CLOEXEC)


def capabilities(device: str) -> set[int]:
    """Which of `CAPTURE` and `OUTPUT` a device offers now."""
    descriptor = opened(device)
    try:
        answer = fcntl.ioctl(descriptor, QUERYCAP, bytes(104))
    finally:
        os.close(descriptor)
    offered = struct.unpack_from("=I", answer, 88)[0]
    return {kind for kind in (CAPTURE, OUTPUT) if offered & kind}


def get_format(descriptor: int, kind: int) -> tuple[int, int, str]:
    """Width, height, four letters."""
    answer = fcntl.ioctl(descriptor, G_FMT, struct.pack("=I", kind) + bytes(204))
    width, height, fourcc = struct.unpack_from("=II4s", answer, 8)
    return width, height, fourcc.decode()


def set_format(descriptor: int, kind: int, width_px: int, height_px: int, fourcc: str) -> tuple[int, int, str]:
    """Ask for a format; returns what the device is set to then."""
    asked = struct.pack("=IIII4sI", kind, 0, width_px, height_px, fourcc.encode(), 1)
    answer = fcntl.ioctl(descriptor, S_FMT, asked.ljust(208, b"\0"))
    width, height, given = struct.unpack_from("=II4s", answer, 8)
    return width, height, given.decode()


@dataclass(frozen=True)
class Taken:
    """One picture out of a device."""

    bytes: bytes
    sequence: int
    time_s: float
    """The driver's own clock."""


class Reader:
    """Reads a device through mapped buffers, as programs do; never waits longer than it is told to.

    Asks for the two buffers that the driver has: when a reader asks for fewer while a picture is written, 0.12 loses
    hold of its list and the kernel stops.
    """

    def __init__(self, device: str, buffers: int = 2) -> None:
        self.descriptor = opened(device)
        self._maps: list[mmap.mmap] = []
        try:
            self._start(buffers)
        except BaseException:
            self.close()
            raise

    def _start(self, buffers: int) -> None:
        now = get_format(self.descriptor, CAPTURE)
        self.width_px, self.height_px, self.fourcc = set_format(self.descriptor, CAPTURE, *now)
        parameters = fcntl.ioctl(self.descriptor, G_PARM, struct.pack("=I", CAPTURE) + bytes(200))
        seconds, pictures = struct.unpack_from("=II", parameters, 12)
        self.fps = pictures / seconds
        granted = fcntl.ioctl(self.descriptor, REQBUFS, struct.pack("=5I", buffers, CAPTURE, MMAP, 0, 0))
        for index in range(struct.unpack_from("=I", granted)[0]):
            buffer = self._request(QUERYBUF, index)
            offset, length = struct.unpack_from("=I", buffer, 64)[0], struct.unpack_from("=I", buffer, 72)[0]
            self._maps.append(mmap.mmap(self.descriptor, length, mmap.MAP_SHARED, offset=offset))
            self._request(QBUF, index)
        fcntl.ioctl(self.descriptor, STREAMON, struct.pack("=i", CAPTURE))

    def _request(self, request: int, index: int) -> bytes:
        return fcntl.ioctl(self.descriptor, request, struct.pack("=II52xI24x", index, CAPTURE, MMAP))

    def take(self, wait_s: float = WAIT_S) -> Taken | None:
        """The next picture; None when none comes in time."""
        end_s = time.monotonic() + wait_s
        while (left_s := end_s - time.monotonic()) > 0:
            if not select.select([self.descriptor], [], [], left_s)[0]:
                break
            try:
                buffer = self._request(DQBUF, 0)
            except BlockingIOError:
                continue
            index, _, used = struct.unpack_from("=III", buffer)
            seconds, micros = struct.unpack_from("=qq", buffer, 24)
            picture = Taken(self._maps[index][:used], struct.unpack_from("=I", buffer, 56)[0], seconds + micros * 1e-6)
            self._request(QBUF, index)
            return picture
        return None

    def read(self) -> bytes:
        """The next picture's bytes."""
        taken = self.take()
        assert taken is not None, f"no picture for {WAIT_S:g} s"
        return taken.bytes

    def until(self, wanted: bytes, wait_s: float = WAIT_S) -> list[bytes]:
        """Read up to a picture; returns those that came before it."""
        end_s = time.monotonic() + wait_s
        before: list[bytes] = []
        while (taken := self.take(max(0.001, end_s - time.monotonic()))) is not None:
            if taken.bytes == wanted:
                return before
            before.append(taken.bytes)
            assert time.monotonic() < end_s, f"the picture did not come within {wait_s:g} s"
        raise AssertionError(f"pictures ended after {len(before)}")

    def close(self) -> None:
        for mapped in self._maps:
            mapped.close()
        self._maps = []
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reader_of(device: str, wait_s: float = WAIT_S) -> Reader:
    """A reader, as soon as the device can be read."""
    found: list[Reader] = []

    def try_it() -> bool:
        with contextlib.suppress(OSError):
            found.append(Reader(device))
        return bool(found)

    until(try_it, f"{device} can be read", wait_s)
    return found[0]
