"""A camera as a capture: the newest picture, in the camera's own pixel format where the system hands it over.

OpenCV's calls cannot be interrupted and have no time limit on most systems, so one thread of its own (`grabber.py`)
blocks on the device and `read` waits for it with a limit: a driver that hangs cannot hang the program. Choosing the
device and telling what is wrong with it happen here; retrying belongs to who reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from live.errors import CaptureError, UsageError
from live.values import Frame, PixelFormat

from .contract import CaptureInfo, Wanted
from .devices import CameraDevice, list_cameras
from .grabber import Grabber, Request

Make = Callable[[Any, int], Any]
"""(device, OpenCV's number of an API) -> a `cv2.VideoCapture`."""
SILENCE_S = 2.0
OPENING_S = 10.0
BLACK = 20.0
"""Mean luma below which a first picture is called black; video black is 16."""
APIS = {"linux": (cv2.CAP_V4L2,), "win32": (cv2.CAP_DSHOW, cv2.CAP_MSMF), "darwin": (cv2.CAP_AVFOUNDATION,)}


def open(rest: str, wanted: Wanted) -> CameraCapture:
    """Open a camera.

    Args: rest is empty (the first that works), a number, a device path or a part of the name.
    Raises: UsageError when there is no such camera; CaptureError when it is busy, silent or not allowed.
    """
    cameras = list_cameras()
    capture = open_first(choose(rest, cameras), wanted)
    capture.info = replace(capture.info, again=_address(capture.device, cameras))
    return capture


def _address(device: CameraDevice, cameras: list[CameraDevice]) -> str:
    """Where the same camera is found again: by its name, since it may return under another number, if it is unique."""
    unique = sum(device.name.casefold() in camera.name.casefold() for camera in cameras) == 1
    return f"camera:{device.name if unique else device.path}"


def choose(rest: str, cameras: list[CameraDevice]) -> list[CameraDevice]:
    """The cameras meant by an address, in the order in which to try them. Raises: UsageError, CaptureError."""
    rest = rest.strip()
    usable = [camera for camera in cameras if not camera.own]
    if not rest:
        if not usable:
            raise CaptureError(
                "no camera found; plug one in, or use demo, a file or screen (`live devices` lists cameras)"
            )
        return usable
    if rest.isdecimal():
        found = [camera for camera in cameras if camera.index == int(rest)]
    elif rest.startswith("/"):
        target = os.path.realpath(rest)
        found = [camera for camera in cameras if os.path.realpath(camera.path) == target]
    else:
        found = [camera for camera in usable if rest.casefold() in camera.name.casefold()]
        found = found or [camera for camera in cameras if rest.casefold() in camera.name.casefold()]
    if not found:
        names = ", ".join(f'{camera.index} "{camera.name}"' for camera in usable) or "none"
        raise UsageError(f"there is no camera {rest}; there are: {names} (`live devices` lists them)")
    if found[0].own:
        raise UsageError(
            f'{found[0].path} "{found[0].name}" is this program\'s own virtual camera: an output, not an input'
        )
    return found


def open_first(cameras: list[CameraDevice], wanted: Wanted, make: Make = cv2.VideoCapture) -> CameraCapture:
    """Open the first camera that gives a picture. Raises: CaptureError naming what is wrong with each."""
    errors = []
    for camera in cameras:
        try:
            return CameraCapture(camera, wanted, make)
        except CaptureError as error:
            errors.append(str(error))
    raise CaptureError("; ".join(errors))


def request_for(wanted: Wanted, platform: str = sys.platform) -> Request:
    """What to ask of a device. From 720 lines on MJPG unless raw is wanted: USB 2 carries no raw 720p at 30."""
    asked = {PixelFormat.YUYV: "YUYV", PixelFormat.NV12: "NV12"}.get(wanted.format) if wanted.format else None
    large = wanted.width_px >= 1280 or wanted.height_px >= 720
    fourcc = asked or ("MJPG" if large else "")
    # Only V4L2 hands raw pictures over in a known layout; the other APIs differ by version and driver.
    raw = platform == "linux" and wanted.format is not PixelFormat.BGR
    return Request(wanted.width_px, wanted.height_px, wanted.fps, fourcc, raw)


class CameraCapture:
    """The newest picture of a camera."""

    def __init__(self, camera: CameraDevice, wanted: Wanted, make: Make) -> None:
        """Open and wait for the first picture. Raises: CaptureError; the device is then released."""
        self.device = camera
        self._label = f'camera "{camera.name}" ({camera.path})'
        _check_allowed(camera, self._label)
        target: Any = camera.path if sys.platform == "linux" else camera.index
        apis = APIS.get(sys.platform, (cv2.CAP_ANY,))
        self._grabber = Grabber(lambda: _opened(make, target, apis), request_for(wanted), self._label)
        self._number = 0
        try:
            if not self._grabber.wait_opened(OPENING_S):
                raise CaptureError(
                    self._grabber.failure
                    or (_why_closed(camera, self._label) if self._grabber.tried else _hangs(self._label, OPENING_S))
                )
            taken = self._grabber.take(SILENCE_S)
            if taken is None:
                raise CaptureError(
                    self._grabber.failure
                    or f"{self._label} opened but sent no picture within {SILENCE_S:.0f} s; "
                    "close other programs that use it, or plug it in again"
                )
        except BaseException:
            self.close()
            raise
        self._first: tuple[Any, float] | None = taken
        picture = taken[0]
        fps = self._grabber.fps
        self.info = CaptureInfo(
            name=self._label,
            width_px=picture.width_px,
            height_px=picture.height_px,
            fps=fps,
            format=picture.format,
            colour=picture.colour,
            live=True,
            notes=_notes(picture, fps, wanted),
        )

    def read(self) -> Frame | None:
        """The newest picture not yet given. Raises: CaptureError when the device is gone or silent for 2 s."""
        taken, self._first = (self._first, None) if self._first else (self._grabber.take(SILENCE_S), None)
        if self._grabber.closed:
            return None
        if taken is None:
            raise CaptureError(self._grabber.failure or f"{self._label} has sent no picture for {SILENCE_S:.0f} s")
        picture, time_s = taken
        number, self._number = self._number, self._number + 1
        size = (picture.width_px, picture.height_px)
        return Frame(picture.planes, picture.format, *size, time_s, number, None, picture.colour)

    def close(self) -> None:
        """Release the device; a driver that hangs is left to its thread after 2 s."""
        self._grabber.close()


def _opened(make: Make, target: Any, apis: tuple[int, ...]) -> Any:
    """An open `cv2.VideoCapture`, or None."""
    for api in apis:
        source = make(target, api)
        if source.isOpened():
            return source
        source.release()
    return None


def _check_allowed(camera: CameraDevice, label: str) -> None:
    """Raises: CaptureError when the device is gone or may not be opened by this user."""
    if sys.platform != "linux":
        return
    if not os.path.exists(camera.path):
        raise CaptureError(f"{label} is not there; plug it in (`live devices` lists cameras)")
    if not os.access(camera.path, os.R_OK | os.W_OK):
        raise CaptureError(
            f"{label} may not be opened by this user; run `sudo usermod -aG video $USER` and log in again"
        )


def _hangs(label: str, after_s: float) -> str:
    return f"{label} did not open within {after_s:.0f} s; plug it in again or close other programs that use it"


def _why_closed(camera: CameraDevice, label: str) -> str:
    users = programs_using(camera.path) if sys.platform == "linux" else []
    by = f"it is used by {', '.join(users)}: close that" if users else "probably another program uses it: close that"
    allow = "" if sys.platform == "linux" else ", and allow camera access in the system's privacy settings"
    return f"{label} cannot be opened; {by}{allow} (`live devices` lists cameras)"


def programs_using(path: str, proc: Path = Path("/proc")) -> list[str]:
    """Names of other programs that hold a device open, as far as this user may see them."""
    names = []
    for process in proc.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.readlink(link) == path for link in (process / "fd").iterdir()):
                names.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
        except OSError:
            continue
    return names[:5]


def _notes(picture: Any, fps: float, wanted: Wanted) -> tuple[str, ...]:
    notes = []
    asked = (wanted.width_px or picture.width_px, wanted.height_px or picture.height_px, wanted.fps or fps)
    got = (picture.width_px, picture.height_px, fps)
    if asked[:2] != got[:2] or (fps and abs(asked[2] - fps) > 0.5):
        notes.append(f"asked for {asked[0]}x{asked[1]} at {asked[2]:g}, got {got[0]}x{got[1]} at {fps:g}")
    if wanted.format is not None and picture.format is not wanted.format:
        notes.append(f"asked for {wanted.format.value}, got {picture.format.value}")
    if float(picture.planes[0].mean()) < BLACK and picture.format is not PixelFormat.YUYV:
        notes.append("the first picture is black: is the lens covered?")
    return tuple(notes)
