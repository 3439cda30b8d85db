"""The virtual camera that meetings and OBS see: v4l2loopback on Linux, OBS's camera on Windows and macOS.

The device lives in a child process (`live.output.virtualcam_child`): pyvirtualcam holds the interpreter's lock while a
device takes a picture, and a child can still show the slate when this process hangs or dies. Here pictures are brought
into the device's size and format and handed over. Knows nothing about who looks.

Formats: NV12, I420 and YUYV go to the device as they are, I422 as YUYV (same samples), everything else as I420; full
range becomes video range. Odd sizes lose their last column or row, because these formats have none.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from live.errors import LiveError, OutputError, UsageError
from live.output.child import Child
from live.output.contract import Format
from live.output.video_range import in_video_range
from live.pixels.host import convert, fit
from live.values import Frame, PixelFormat, Sound

CHILD = "live.output.virtualcam_child"
LOOPBACKS = Path("/sys/devices/virtual/video4linux")
"""Where Linux lists cameras that are software."""
OWN_LABEL = "live"
"""A loopback with this label is preferred: other programs have theirs."""
FPS = 30.0
"""Rate at which the last picture is repeated when the input names none."""
SMALLEST_PX, LARGEST_PX = 16, 8192

TAKEN_AS = {
    PixelFormat.NV12: PixelFormat.NV12,
    PixelFormat.YUYV: PixelFormat.YUYV,
    PixelFormat.I422: PixelFormat.YUYV,
}
"""Frame's format -> device's; I420 for the others."""


def open(rest: str, format: Format) -> VirtualCamera:
    """Open a virtual camera.

    Args: rest empty for the first free one (on Linux: the one labelled `live` if there is one), a label, or a device
    such as `/dev/video10`.
    Raises: UsageError for a label that does not exist or a size no camera has; OutputError when it cannot be opened.
    """
    for size_px in (format.width_px, format.height_px):
        if not SMALLEST_PX <= size_px <= LARGEST_PX:
            raise UsageError(
                f"a virtual camera of {format.width_px}x{format.height_px} is not possible; "
                f"allowed are {SMALLEST_PX} to {LARGEST_PX} a side"
            )
    return VirtualCamera(_device(rest, loopback_labels()), format)


def loopback_labels() -> dict[str, str]:
    """Device -> label of the loopback cameras of this machine; empty where the system does not tell (not Linux)."""
    labels = {}
    for name in sorted(LOOPBACKS.glob("video*/name")):
        try:
            labels[f"/dev/{name.parent.name}"] = name.read_text().strip()
        except OSError:
            continue
    return labels


def _device(rest: str, labels: dict[str, str]) -> str | None:
    """The device an address means; None for the first free one."""
    if sys.platform != "linux" or rest.startswith("/dev/"):
        return rest or None
    for device, label in labels.items():
        if label == (rest or OWN_LABEL):
            return device
    if not rest:
        return None
    there = ", ".join(f'"{label}" ({device})' for device, label in labels.items()) or "none"
    raise UsageError(f"no virtual camera is labelled {rest!r}; there are: {there}; or name a device, /dev/video10")


class VirtualCamera:
    """Feeds the child that owns the device."""

    live = True

    def __init__(self, device: str | None, format: Format) -> None:
        self._format = TAKEN_AS.get(format.pixels, PixelFormat.I420)
        self._size = (format.width_px - format.width_px % 2, format.height_px - format.height_px % 2)
        settings = {
            "device": device,
            "width_px": self._size[0],
            "height_px": self._size[1],
            "fps": format.fps if 1 <= format.fps <= 240 else FPS,
            "format": self._format.name,
        }
        try:
            self._child = Child(CHILD, "virtual camera", self._format, *self._size, settings)
        except OutputError as error:
            raise explained(error, device) from error.__cause__
        self.device = str(self._child.opened["device"])
        label = loopback_labels().get(self.device)
        self.name = f'virtual camera "{label}" ({self.device})' if label else f"virtual camera {self.device}"
        self.keys = None

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._child.pid

    def send(self, frame: Frame) -> None:
        """Show one picture. Raises: OutputError when the device is gone."""
        width_px, height_px = self._size
        if (frame.width_px, frame.height_px) != self._size:
            frame = _even(frame)
        self._child.send(convert(in_video_range(fit(frame, width_px, height_px)), self._format))

    def sound(self, sound: Sound) -> None:
        """A camera has no sound."""

    def close(self) -> None:
        """Show the slate once more, end the child. May be called twice."""
        self._child.close()


def _even(frame: Frame) -> Frame:
    """The frame without an odd last column or row; views of its planes."""
    width_px, height_px = frame.width_px - frame.width_px % 2, frame.height_px - frame.height_px % 2
    if (width_px, height_px) == (frame.width_px, frame.height_px):
        return frame
    planes = []
    for index, plane in enumerate(frame.planes):
        subsampled = index > 0 and frame.format in (PixelFormat.I420, PixelFormat.NV12)
        narrow = index > 0 and frame.format is not PixelFormat.I444
        planes.append(plane[: height_px // 2 if subsampled else height_px, : width_px // 2 if narrow else width_px])
    return replace(frame, planes=tuple(planes), width_px=width_px, height_px=height_px)


def explained(error: OutputError, device: str | None, platform: str = sys.platform) -> LiveError:
    """What the child could not do, in one line with the way out.

    Args: error with the child's words; device as asked for.
    """
    said = str(error)
    lowered = said.lower()
    if platform == "linux":
        if "no v4l2 loopback device" in lowered or "does not exist" in lowered:
            what = "there is no virtual camera" if device is None else f"there is no virtual camera {device}"
            cure = "sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback exclusive_caps=1 card_label=live"
        elif "permission" in lowered:
            what, cure = (
                "no permission to use the virtual camera",
                "sudo usermod -a -G video $USER, then log in again",
            )
        elif "not a video output" in lowered or "not a v4l2" in lowered:
            what = f"{device} is not a free virtual camera"
            cure = "choose another one, or reload it: sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback"
            cure += " exclusive_caps=1 card_label=live"
        else:
            return OutputError(f"the virtual camera cannot be opened: {said}")
        return OutputError(f"{what}; to get it: {cure}")
    if platform in ("win32", "darwin"):
        return OutputError(
            f"the virtual camera cannot be opened: {said}; install OBS Studio, start its virtual camera once, stop it "
            "and close OBS"
        )
    return OutputError(f"the virtual camera cannot be opened: {said}; this system has none, use: window, web or a file")
