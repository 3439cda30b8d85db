"""The child process that owns the virtual camera: `python -m live.output.virtualcam_child '{...}'`.

Sends the newest picture as it comes and repeats it at the nominal rate while none comes, so that a meeting never sees a
frozen device. A device that is lost is opened again as soon as it is back. A parent that hangs or died is covered by
the slate; two seconds after its death the child leaves. Knows nothing about faces: the pictures were released by the
parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from live.output import loopback
from live.output.loopback import Setting
from live.output.parent import Parent
from live.pace import BackOff
from live.values import Pixels

LINGER_S = 2.0
"""How long the slate is shown after the parent's death."""
PATIENCE = 1.5
"""Periods until a picture is repeated: a camera's jitter is not a missing picture."""
RETRY_S = 0.5
"""A lost device is tried again at least this often."""
HANG_S = 5.0
"""A device that takes longer for one call hangs; a new child may have more luck, and no orphan stays."""


class HeldError(Exception):
    """A program that reads the device keeps it at another size or format, and pictures have to follow."""

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(f"{name} is held at {setting.width_px}x{setting.height_px} {setting.fourcc} by its reader")
        self.setting = setting


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

        colours = (settings["height_px"], settings["width_px"], 3)
        self._shape = colours if settings["format"] in {"BGR", "RGB"} else (-1,)
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

    pyvirtualcam's own `send` prints a failing write to stderr and goes on, so a device that is gone would stay unseen;
    and it turns RGB into I420, which the driver does not need.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """Open. Raises: HeldError; RuntimeError of pyvirtualcam; OSError."""
        device = _device(settings)
        if device is not None:
            loopback.make_usable(device)
        before = loopback.descriptors()
        self._camera = Camera({**settings, "device": device})
        self.name = self._camera.name
        self._descriptor = loopback.video_descriptor(loopback.descriptors() - before)
        wanted = Setting(settings["width_px"], settings["height_px"], settings["fourcc"])
        try:
            if settings["format"] in {"BGR", "RGB"}:
                loopback.set_fourcc(self._descriptor, wanted.fourcc)
            loopback.set_rate(self._descriptor, settings["fps"])
            loopback.start_streaming(self._descriptor)
            # A reader that holds the device at another setting keeps it there, and setting ours fails silently.
            setting = loopback.setting_of(self._descriptor) or wanted
            if setting != wanted:
                raise HeldError(self.name, setting)
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


def _device(settings: dict[str, Any]) -> str | None:
    """Where the device is now: one with a label may come back under another number."""
    label, device = settings.get("label"), settings["device"]
    if not label:
        return device
    there = [path for path, name in loopback.labels().items() if name == label]
    return device if device in there or not there else there[0]


class Projector:
    """Shows pictures on a device that may go and come back."""

    def __init__(self, parent: Parent, device: Device, reopen: Callable[[], Device]) -> None:
        self._parent = parent
        self._device: Device | None = device
        self._reopen = reopen
        self._back_off = BackOff(most_s=RETRY_S)

    def show(self, picture: Pixels) -> None:
        """Give the device a picture, if it is there or is back. Raises: HeldError when it came back otherwise."""
        if self._device is None and not self._returned():
            return
        assert self._device is not None
        try:
            self._device.send(picture)
        except OSError as error:
            self._parent.tell(note=f"the virtual camera is lost ({_said(error)}), trying to get it back")
            self.close()

    def close(self) -> None:
        """Give the device back."""
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(Exception):  # what is gone cannot be closed in order
                device.close()

    def _returned(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._back_off.due_s:
            return False
        try:
            self._device = self._reopen()
        except HeldError:
            raise
        except Exception:  # pyvirtualcam's backends raise what they like
            self._back_off.failed(now_s)
            return False
        self._back_off.worked()
        self._parent.tell(note=f"the virtual camera is back ({self._device.name})")
        return True


def run(parent: Parent, projector: Projector) -> None:
    """Show pictures until the parent leaves. Raises: HeldError."""
    period_s = 1.0 / parent.settings["fps"]
    shown: Pixels | None = None
    due_s = 0.0
    silent_s: float | None = None
    while not parent.dismissed:
        _stay_alive()
        now_s = time.monotonic()
        fresh = parent.ring.take()
        shown = shown if fresh is None else fresh
        healthy = parent.healthy(now_s)
        if healthy and silent_s is not None:
            parent.tell(note=f"the virtual camera was given nothing and showed the slate for {now_s - silent_s:.1f} s")
        silent_s = None if healthy or shown is None else silent_s or now_s
        if (fresh is not None and healthy) or now_s >= due_s:
            projector.show(shown if healthy and shown is not None else parent.ring.slate)
            due_s = now_s + period_s * (1.0 if fresh is None else PATIENCE)
        if parent.ended_s is not None and now_s - parent.ended_s > LINGER_S:
            break
        parent.wake.wait(max(0.0, due_s - time.monotonic()))
        parent.wake.clear()
    projector.show(parent.ring.slate)


def _stay_alive() -> None:
    """Let the kernel end this process if it is not called again in time.

    pyvirtualcam holds the interpreter's lock while it opens a device, so no thread of ours could.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, HANG_S)


def main() -> int:
    """Open the device, tell the parent, show pictures. Returns the exit code."""
    parent = Parent()
    kind: Callable[[dict[str, Any]], Device] = LoopbackCamera if sys.platform == "linux" else Camera
    try:
        device = kind(parent.settings)
    except HeldError as held:
        parent.tell(open={"held": [held.setting.width_px, held.setting.height_px, held.setting.fourcc]})
        return 0
    except Exception as error:
        parent.tell(error=_said(error))
        return 1
    parent.tell(open={"device": device.name})
    projector = Projector(parent, device, lambda: kind(parent.settings))
    try:
        run(parent, projector)
    except HeldError as held:
        parent.tell(gone=str(held))
        return 1
    finally:
        projector.close()
        parent.ring.close()
    return 0


def _said(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())


if __name__ == "__main__":
    sys.exit(main())
