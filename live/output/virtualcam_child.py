"""The child process that owns the virtual camera: `python -m live.output.virtualcam_child`.

How pictures are shown is `live.output.projector`'s business. Knows nothing about faces: the pictures were released by
the parent.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from live.output import loopback
from live.output.loopback import Setting
from live.output.parent import Parent
from live.output.projector import Device, ParentsTurnError, Projector, run, said
from live.values import Pixels


class HeldError(ParentsTurnError):
    """A program that reads the device keeps it at another size or format, and pictures have to follow."""

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(f"{name} is held at {setting.width_px}x{setting.height_px} {setting.fourcc} by its reader")
        self.setting = setting


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
        parent.tell(error=said(error))
        return 1
    parent.tell(open={"device": device.name})
    projector = Projector(parent, "the virtual camera", device, lambda: kind(parent.settings))
    try:
        run(parent, projector)
    except HeldError as held:
        parent.tell(gone=str(held))
        return 1
    finally:
        projector.close()
        parent.ring.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
