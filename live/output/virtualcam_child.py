"""The child process that owns the virtual camera: `python -m live.output.virtualcam_child '{...}'`.

Sends the newest picture as it comes and repeats it at the nominal rate while none comes, so that a meeting never sees a
frozen device. A parent that hangs or died is covered by the slate; two seconds after its death the child leaves. Knows
nothing about faces: the pictures were released by the parent.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import time
from typing import Any, Protocol

from live.output.parent import Parent
from live.values import Pixels

LINGER_S = 2.0
"""How long the slate is shown after the parent's death."""
PATIENCE = 1.5
"""Periods until a picture is repeated: a camera's jitter is not a missing picture."""

QUERYCAP = 0x80685600
G_FMT = 0xC0D05604
STREAMON = 0x40045612
VIDEO_OUTPUT = 2
"""linux/videodev2.h: requests and the buffer type of a device that takes pictures."""


class Device(Protocol):
    """A virtual camera."""

    name: str

    def send(self, picture: Pixels) -> None:
        """Show one picture (bytes,). Raises: OSError when the device is gone."""

    def close(self) -> None:
        """Give the device back."""


class Camera:
    """pyvirtualcam's camera, on Windows and macOS."""

    def __init__(self, settings: dict[str, Any]) -> None:
        import pyvirtualcam

        self._shape = (settings["height_px"], settings["width_px"], 3) if settings["format"] == "BGR" else (-1,)
        self._camera = pyvirtualcam.Camera(
            settings["width_px"],
            settings["height_px"],
            settings["fps"],
            fmt=pyvirtualcam.PixelFormat[settings["format"]],
            device=settings["device"],
        )
        self.name = str(self._camera.device)

    def send(self, picture: Pixels) -> None:
        """Show one picture. Any error of the backend counts as gone."""
        try:
            self._camera.send(picture.reshape(self._shape))
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Give the device back."""
        self._camera.close()


class LoopbackCamera:
    """v4l2loopback, opened by pyvirtualcam and written to directly.

    pyvirtualcam's own `send` prints a failing write to stderr and goes on, so a device that is gone would stay unseen.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        before = _descriptors()
        self._camera = Camera(settings)
        self.name = self._camera.name
        self._descriptor = _video_descriptor(_descriptors() - before)
        try:
            _start_streaming(self._descriptor)
            _check_size(self._descriptor, settings["width_px"], settings["height_px"], self.name)
        except BaseException:
            self.close()
            raise

    def send(self, picture: Pixels) -> None:
        """Write one picture."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._descriptor, picture.data)

    def close(self) -> None:
        """Give the device back."""
        self._camera.close()


def _descriptors() -> set[int]:
    """Descriptors that are open; not the one that listing them takes."""
    numbers = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(number))
            numbers.add(int(number))
    return numbers


def _video_descriptor(candidates: set[int]) -> int:
    """The descriptor pyvirtualcam opened. Raises: OSError when there is none."""
    import fcntl

    for candidate in candidates:
        with contextlib.suppress(OSError):
            fcntl.ioctl(candidate, QUERYCAP, bytes(104))
            return candidate
    raise OSError("the virtual camera's descriptor was not found")


def _start_streaming(descriptor: int) -> None:
    """v4l2loopback 0.12 with exclusive_caps=1 serves one session only, unless each one begins with STREAMON."""
    import fcntl

    with contextlib.suppress(OSError):  # 0.15 does not want it: EINVAL
        fcntl.ioctl(descriptor, STREAMON, struct.pack("<i", VIDEO_OUTPUT))


def _check_size(descriptor: int, width_px: int, height_px: int, name: str) -> None:
    """A reader that holds the device at another size keeps it there, silently. Raises: OSError then."""
    import fcntl

    try:
        answer = fcntl.ioctl(descriptor, G_FMT, struct.pack("=I", VIDEO_OUTPUT) + bytes(204))
    except OSError:
        return
    width, height = struct.unpack_from("=II", answer, 8)
    if (width, height) != (width_px, height_px):
        raise OSError(f"{name} is held at {width}x{height} by a program that reads it, wanted {width_px}x{height_px}")


def run(parent: Parent, device: Device) -> int:
    """Show pictures until the parent leaves. Returns the exit code.

    Raises: OSError when the device is gone.
    """
    period_s = 1.0 / parent.settings["fps"]
    shown: Pixels | None = None
    due_s = 0.0
    while not parent.dismissed:
        now_s = time.monotonic()
        fresh = parent.ring.take()
        shown = shown if fresh is None else fresh
        healthy = parent.healthy(now_s)
        if (fresh is not None and healthy) or now_s >= due_s:
            device.send(shown if healthy and shown is not None else parent.ring.slate)
            due_s = now_s + period_s * (1.0 if fresh is None else PATIENCE)
        if parent.ended_s is not None and now_s - parent.ended_s > LINGER_S:
            break
        parent.wake.wait(max(0.0, due_s - time.monotonic()))
        parent.wake.clear()
    device.send(parent.ring.slate)
    return 0


def main() -> int:
    """Open the device, tell the parent, show pictures."""
    parent = Parent()
    try:
        device: Device = (LoopbackCamera if sys.platform == "linux" else Camera)(parent.settings)
    except Exception as error:
        parent.tell(error=" ".join(str(error).split()))
        parent.ring.close()
        return 1
    parent.tell(open={"device": device.name})
    try:
        return run(parent, device)
    except Exception as error:
        parent.tell(gone=" ".join(str(error).split()))
        return 1
    finally:
        device.close()
        parent.ring.close()


if __name__ == "__main__":
    sys.exit(main())
