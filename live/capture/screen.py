"""The screen, a region of it or a window as a capture, through FFmpeg's grabber of each system.

Linux with X11 (x11grab), Windows (gdigrab), macOS (avfoundation). Knows nothing about what is on the screen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import av
from av import Packet

from live.errors import CaptureError, UsageError
from live.values import Frame, PixelFormat, Pixels

from .container import DECODER_OPTIONS, Container
from .contract import CaptureInfo, Wanted
from .planes import MAX_SIDE_PX, Picture

DEFAULT_FPS = 30.0
ASKING_S = 5.0
# Otherwise FFmpeg studies 20 and more pictures first and then hands them over, stale.
PROMPT = {"fflags": "nobuffer", "probesize": "32", "analyzeduration": "0"}
REGION = re.compile(r"\s*(-?\d+)\s*,\s*(-?\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Grab:
    """What FFmpeg is told."""

    format: str
    device: str
    options: dict[str, str] = field(default_factory=dict)
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height px to cut out afterwards, where the grabber itself cannot."""


def open(rest: str, wanted: Wanted) -> ScreenCapture:
    """Grab the screen.

    Args: rest is empty (all of it), `x,y,w,h` px, or a part of a window's title.
    Raises: UsageError for a region or window that does not exist, CaptureError when the screen cannot be read.
    """
    grab = _grab(rest, wanted.fps or DEFAULT_FPS)
    try:
        opened = av.open(grab.device, format=grab.format, options={**grab.options, **PROMPT, **DECODER_OPTIONS})
        container = Container(opened, format=wanted.format or PixelFormat.BGR, threads="NONE", forgiving=False)
    except (av.FFmpegError, ValueError, CaptureError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        inside = "; is the region inside the screen?" if REGION.fullmatch(rest) else ""
        raise CaptureError(f"the screen cannot be grabbed ({grab.format} {grab.device}: {reason}){inside}") from error
    return ScreenCapture(container, rest, wanted, grab)


class ScreenCapture:
    """Pictures of a screen at a steady rate; the grabber waits until the next is due."""

    def __init__(self, container: Container, rest: str, wanted: Wanted, grab: Grab) -> None:
        self._container = container
        self._crop = grab.crop
        self._number = 0
        self._closed = False
        try:
            first = self._cut(container.first)
        except CaptureError:
            container.close()
            raise
        asked, got = (wanted.width_px, wanted.height_px), f"{first.width_px}x{first.height_px}"
        differs = any(asked) and asked != (first.width_px, first.height_px)
        self.info = CaptureInfo(
            name=f"screen {rest}".strip(),
            width_px=first.width_px,
            height_px=first.height_px,
            fps=wanted.fps or DEFAULT_FPS,
            format=first.format,
            colour=first.colour,
            live=True,
            notes=(f"a screen keeps its size: got {got}; screen:x,y,w,h takes a part",) if differs else (),
            again=f"screen:{rest}" if rest else "screen",
        )

    def read(self) -> Frame | None:
        """The next picture. Raises: CaptureError when the window or the display is gone."""
        item: Picture | Packet[Any] | None = None
        while not self._closed and not isinstance(item, Picture):
            try:
                item = self._container.next()
            except (av.FFmpegError, ValueError) as error:
                if self._closed:
                    return None
                reason = getattr(error, "strerror", None) or str(error)
                raise CaptureError(f"{self.info.name} can no longer be grabbed: {reason}") from error
            if item is None:
                return None
        if not isinstance(item, Picture):
            return None
        picture, time_s = self._cut(item), time.monotonic()
        number, self._number = self._number, self._number + 1
        size = (picture.width_px, picture.height_px)
        return Frame(picture.planes, picture.format, *size, time_s, number, None, picture.colour)

    def close(self) -> None:
        """Stop grabbing."""
        self._closed = True
        self._container.close()

    def _cut(self, picture: Picture) -> Picture:
        """The wanted region of a picture of the whole screen."""
        if self._crop is None:
            return picture
        x, y, width, height = self._crop
        if picture.format is not PixelFormat.BGR or x + width > picture.width_px or y + height > picture.height_px:
            raise CaptureError(f"the screen has {picture.width_px}x{picture.height_px} px; the region leaves it")
        part: Pixels = picture.planes[0][y : y + height, x : x + width].copy()
        return Picture((part,), picture.format, width, height, picture.colour)


def _grab(rest: str, fps: float) -> Grab:
    """What to tell FFmpeg on this system. Raises: UsageError, CaptureError."""
    region = _region(rest)
    title = "" if region else rest.strip()
    rate = {"framerate": f"{fps:g}"}
    if sys.platform == "win32":
        return gdigrab(region, title, rate)
    if sys.platform == "darwin":
        if title:
            raise UsageError("windows cannot be grabbed by title on macOS; use screen or screen:x,y,w,h")
        options = {**rate, "capture_cursor": "1", "pixel_format": "bgr0"}
        return Grab("avfoundation", "Capture screen 0:none", options, region)
    return _x11grab(region, title, rate)


def _region(rest: str) -> tuple[int, int, int, int] | None:
    """x, y, width, height, None when the text is no region. Raises: UsageError for an impossible one."""
    found = REGION.fullmatch(rest)
    if found is None:
        return None
    x, y, width, height = (int(number) for number in found.groups())
    if not (
        0 <= x <= MAX_SIDE_PX and 0 <= y <= MAX_SIDE_PX and 2 <= width <= MAX_SIDE_PX and 2 <= height <= MAX_SIDE_PX
    ):
        raise UsageError(
            f"screen:{rest} is no region; write screen:x,y,width,height in px, for example screen:0,0,1280,720"
        )
    return x, y, width, height


def gdigrab(region: tuple[int, int, int, int] | None, title: str, rate: dict[str, str]) -> Grab:
    """Windows. gdigrab finds a window by its whole title only."""
    if region is None:
        return Grab("gdigrab", f"title={title}" if title else "desktop", rate)
    x, y, width, height = region
    place = {"offset_x": str(x), "offset_y": str(y), "video_size": f"{width}x{height}"}
    return Grab("gdigrab", "desktop", {**rate, **place})


def _x11grab(region: tuple[int, int, int, int] | None, title: str, rate: dict[str, str]) -> Grab:
    """Linux with X11. Raises: CaptureError without a display or under Wayland, UsageError for an unknown window."""
    display = os.environ.get("DISPLAY", "")
    if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
        raise CaptureError(
            "Wayland lets no program read the screen; log in to an X11 session, or grab it with OBS as a camera"
        )
    if not display:
        raise CaptureError("there is no screen here (DISPLAY is not set); use camera, a file or demo")
    if region is not None:
        x, y, width, height = region
        place = {"grab_x": str(x), "grab_y": str(y), "video_size": f"{width}x{height}"}
        return Grab("x11grab", display, {**rate, **place})
    return Grab("x11grab", display, {**rate, **({"window_id": _window(title)} if title else {})})


def _window(title: str) -> str:
    """The id of the first window whose title has this part. Raises: UsageError, CaptureError."""
    if shutil.which("xwininfo") is None:
        raise CaptureError("finding a window needs xwininfo; install it (apt install x11-utils), or use screen:x,y,w,h")
    try:
        listing = subprocess.run(
            ["xwininfo", "-root", "-tree"],
            capture_output=True,
            timeout=ASKING_S,
            check=True,
            text=True,
            errors="replace",
        ).stdout
    except (subprocess.SubprocessError, OSError) as error:
        raise CaptureError("the display does not list its windows (xwininfo failed); use screen:x,y,w,h") from error
    windows = re.findall(r'^\s+(0x[0-9a-f]+) "(.*)": \(', listing, re.MULTILINE)
    for window, name in windows:
        if title.casefold() in name.casefold():
            return str(window)
    names = ", ".join(sorted({f'"{name[:40]}"' for _, name in windows})[:8]) or "none"
    raise UsageError(f'there is no window with "{title}" in its title; there are: {names}')
