"""The virtual camera that meetings and OBS see: v4l2loopback on Linux, OBS's camera on Windows and macOS.

The device lives in a child process (`live.output.virtualcam_child`): pyvirtualcam holds the interpreter's lock while a
device takes a picture, and a child can still show the slate when this process hangs or dies. Here pictures are brought
into the device's size and format and handed over; a child that died is started again. Knows nothing about who looks.

Formats: NV12, I420 and YUYV go to the device as they are, I422 as YUYV (same samples), everything else as I420; full
range becomes video range. `virtualcam:LABEL?format=rgb` asks for another one. Odd sizes lose their last column or row,
because these formats have none. A reader that holds the device at another setting is followed, letterboxed.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace

import cv2

from live.errors import LiveError, OutputError, UsageError
from live.output import loopback
from live.output.child import Child
from live.output.contract import LARGEST_PX, SMALLEST_PX, Format
from live.output.fitting import fitted
from live.output.kept import Kept
from live.values import Frame, PixelFormat, Sound

log = logging.getLogger(__name__)

CHILD = "live.output.virtualcam_child"
LOAD = "sudo modprobe v4l2loopback video_nr=10 card_label=live exclusive_caps=1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a device takes pictures."""

    pixels: PixelFormat
    device: str
    """pyvirtualcam's name."""
    fourcc: str
    """V4L2's name."""


KINDS = {
    "nv12": Kind(PixelFormat.NV12, "NV12", "NV12"),
    "i420": Kind(PixelFormat.I420, "I420", "YU12"),
    "yuyv": Kind(PixelFormat.YUYV, "YUYV", "YUYV"),
    "bgr": Kind(PixelFormat.BGR, "BGR", "BGR3"),
    "rgb": Kind(PixelFormat.BGR, "RGB", "RGB3"),
}
"""What may stand behind `?format=`; `auto` chooses by the frames."""
TAKEN_AS = {PixelFormat.NV12: "nv12", PixelFormat.YUYV: "yuyv", PixelFormat.I422: "yuyv"}
"""`auto`: frame's format -> kind; i420 for the others, which every program reads."""


def open(rest: str, format: Format) -> VirtualCamera:
    """Open a virtual camera.

    Args: rest empty for the first free one (on Linux: the one labelled `live` if there is one), a label, or a device
    such as `/dev/video10`; `?format=` and a name of `KINDS` may follow.
    Raises: UsageError for a label or format that does not exist or a size no camera has; OutputError when it cannot be
    opened.
    """
    for size_px in (format.width_px, format.height_px):
        if not SMALLEST_PX <= size_px <= LARGEST_PX:
            raise UsageError(
                f"a virtual camera of {format.width_px}x{format.height_px} is not possible; "
                f"allowed are {SMALLEST_PX} to {LARGEST_PX} a side"
            )
    address, _, options = rest.partition("?")
    return VirtualCamera(_device(address, loopback.labels()), _kind(options, format.pixels), format)


def _kind(options: str, pixels: PixelFormat) -> Kind:
    """How the device shall take pictures, from what stands behind the question mark."""
    name = options.removeprefix("format=") or "auto"
    if (options and not options.startswith("format=")) or name not in {"auto", *KINDS}:
        raise UsageError(f"virtualcam: ?{options} is unknown; allowed: ?format= and one of auto, {', '.join(KINDS)}")
    return KINDS[TAKEN_AS.get(pixels, "i420") if name == "auto" else name]


def _device(rest: str, labels: dict[str, str]) -> str | None:
    """The device an address means; None for the first free one."""
    if sys.platform != "linux" or rest.startswith("/dev/"):
        return rest or None
    for device, label in labels.items():
        if label == (rest or loopback.OWN_LABEL):
            return device
    if not rest:
        return None
    there = ", ".join(f'"{label}" ({device})' for device, label in labels.items()) or "none"
    raise UsageError(f"no virtual camera is labelled {rest!r}; there are: {there}; or name a device, /dev/video10")


class VirtualCamera:
    """Feeds the child that owns the device."""

    live = True

    def __init__(self, device: str | None, kind: Kind, format: Format) -> None:
        self._kind = kind
        self._size, self._fps = format.even_px, format.repeat_fps
        self._kept = Kept(lambda: self._started(device), lambda: self._started(self.device, self._label))
        assert self._kept.child is not None
        self.device = str(self._kept.child.opened["device"])
        self._label = loopback.labels().get(self.device)
        self.name = (
            f'virtual camera "{self._label}" ({self.device})' if self._label else f"virtual camera {self.device}"
        )
        self._kept.name, self.keys = self.name, None

    @property
    def pid(self) -> int | None:
        """Process number of the child; None while there is none."""
        return self._kept.child.pid if self._kept.child else None

    def send(self, frame: Frame) -> None:
        """Show one picture. Never raises for a device that is lost: it is opened again when it is back.

        Raises: OutputError after `close`.
        """
        self._kept.send(lambda: self._fitted(frame))

    def sound(self, sound: Sound) -> None:
        """A camera has no sound."""

    def close(self) -> None:
        """Show the slate once more, end the child. May be called twice."""
        self._kept.close()

    def _started(self, device: str | None, label: str | None = None) -> Child:
        """A child with the device open; at the setting of a reader that holds it. Raises: OutputError with a cure."""
        for _ in range(2):
            width_px, height_px = self._size
            settings = {
                "device": device,
                "label": label,
                "width_px": width_px,
                "height_px": height_px,
                "fps": self._fps,
                "format": self._kind.device,
                "fourcc": self._kind.fourcc,
            }
            try:
                child = Child(CHILD, "virtual camera", self._kind.pixels, width_px, height_px, settings)
            except OutputError as error:
                raise explained(error, device) from error.__cause__
            if "held" not in child.opened:
                return child
            child.close()
            self._follow(*child.opened["held"])
        raise OutputError(f"the virtual camera {device or ''} changes its size while it is opened; close its readers")

    def _follow(self, width_px: int, height_px: int, fourcc: str) -> None:
        """Take over the setting at which a reader holds the device. Raises: OutputError for one that is not ours."""
        kind = next((kind for kind in KINDS.values() if kind.fourcc == fourcc), None)
        if kind is None or width_px % 2 or height_px % 2 or not SMALLEST_PX <= width_px <= LARGEST_PX:
            raise OutputError(
                f"a program that reads the virtual camera holds it at {width_px}x{height_px} {fourcc}; "
                "close its camera there, then start again"
            )
        self._kind, self._size = kind, (width_px, height_px)
        log.info(
            "a program reads the virtual camera at %dx%d %s already; pictures follow it", width_px, height_px, fourcc
        )

    def _fitted(self, frame: Frame) -> Frame:
        """The frame in the device's size and format."""
        frame = fitted(frame, self._kind.pixels, *self._size)
        if self._kind.device == "RGB":
            frame = replace(frame, planes=(cv2.cvtColor(frame.planes[0], cv2.COLOR_BGR2RGB),))
        return frame


def explained(error: OutputError, device: str | None, platform: str = sys.platform) -> LiveError:
    """What the child could not do, in one line with the way out.

    Args: error with the child's words; device as asked for.
    """
    said = str(error)
    lowered = said.lower()
    if platform == "linux":
        if "no v4l2 loopback device" in lowered or "does not exist" in lowered:
            what = "there is no virtual camera" if device is None else f"there is no virtual camera {device}"
            cure = f"sudo apt install v4l2loopback-dkms && {LOAD}; `live doctor` says more"
        elif "permission" in lowered:
            what = "no permission to use the virtual camera"
            cure = "sudo usermod -a -G video $USER, then log in again"
        elif "not a video output" in lowered or "not a v4l2" in lowered:
            what = f"{device} is not a free virtual camera"
            cure = f"choose another one, or reload it: sudo modprobe -r v4l2loopback && {LOAD}"
        else:
            return OutputError(f"the virtual camera cannot be opened: {said}")
        return OutputError(f"{what}; to get it: {cure}")
    if platform in ("win32", "darwin"):
        return OutputError(
            f"the virtual camera cannot be opened: {said}; install OBS Studio, start its virtual camera once, stop it "
            "and close OBS"
        )
    return OutputError(f"the virtual camera cannot be opened: {said}; this system has none, use: window, web or a file")
