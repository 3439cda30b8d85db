"""The thread that blocks on a camera: opens it, asks for what is wanted, takes pictures, keeps only the newest.

The only one that touches the `cv2.VideoCapture`; it also releases it, so that a call that hangs is never disturbed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np

from live.errors import CaptureError
from live.latest import Mailbox
from live.values import Colour, PixelFormat, Pixels

from .planes import Picture, Unpacker, too_large

log = logging.getLogger(__name__)

GONE_S = 1.0
"""So long without a single picture while the driver answers at once: the device is gone."""
RETRY_S = 0.01
WEBCAM = Colour("bt601", full_range=False)
"""What USB cameras send uncompressed (UVC 1.5, colour matching descriptor: SMPTE 170M by default)."""
JPEG = Colour("bt601", full_range=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the device."""

    width_px: int
    height_px: int
    fps: float
    fourcc: str
    """Four letters, empty: the driver's choice."""
    raw: bool
    """Pictures as the device sends them, not converted to BGR by OpenCV."""


class Grabber:
    """Runs a camera on a thread of its own."""

    def __init__(self, make: Callable[[], Any], request: Request, label: str) -> None:
        """`make` returns an open `cv2.VideoCapture` or None; it is called on the thread, since it may hang."""
        self._make = make
        self._request = request
        self._label = label
        self._mailbox: Mailbox[tuple[Any, float]] = Mailbox(1)
        self._stop = threading.Event()
        self._tried = threading.Event()
        self._opened = False
        self._layout = Layout()
        self.failure = ""
        """Why it stopped, for people; empty while it runs."""
        self.fps = 0.0
        """As the driver says, 0 when it does not."""
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def tried(self) -> bool:
        """Opening has ended, well or not."""
        return self._tried.is_set()

    @property
    def closed(self) -> bool:
        """`close` was called."""
        return self._stop.is_set()

    def wait_opened(self, timeout_s: float) -> bool:
        """Whether the device opened; False also when opening takes longer."""
        return self._tried.wait(timeout_s) and self._opened

    def take(self, timeout_s: float) -> tuple[Picture, float] | None:
        """The newest picture and when it was dequeued; None when none came in time or it stopped."""
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0 and not self.closed:
            taken = self._mailbox.take(left_s)
            if taken is None:
                return None
            try:
                return self._layout.picture(taken[0]), taken[1]
            except CaptureError as error:  # a picture damaged on the cable: wait for the next
                log.debug("%s: %s", self._label, error)
        return None

    def close(self) -> None:
        """Stop the thread, wait up to 2 s for it. May be called twice."""
        self._stop.set()
        self._mailbox.close()
        self._thread.join(2.0)

    def _run(self) -> None:
        source = None
        try:
            source = self._make()
            if source is not None:
                self._set_up(source)
                self._opened = True
            self._tried.set()
            if source is not None:
                self._grab(source)
        except cv2.error as error:
            self.failure = f"{self._label} failed: {' '.join(str(error).split())[:200]}"
        finally:
            self._tried.set()
            self._mailbox.close()
            if source is not None:
                source.release()

    def _set_up(self, source: Any) -> None:
        """Ask for format, size and rate, in the order that drivers need, and see what came of it."""
        request = self._request
        if request.fourcc:
            source.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*request.fourcc))
        if request.width_px:
            source.set(cv2.CAP_PROP_FRAME_WIDTH, request.width_px)
        if request.height_px:
            source.set(cv2.CAP_PROP_FRAME_HEIGHT, request.height_px)
        if request.fps:
            source.set(cv2.CAP_PROP_FPS, request.fps)
        # The number of buffers stays as it is: this thread keeps them empty anyway, and asking a v4l2loopback 0.12 for
        # fewer than it has takes the kernel down while somebody writes.
        width, height = (int(source.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        code = int(source.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        fourcc = code.to_bytes(4, "little").decode("ascii", "replace")
        rate = float(source.get(cv2.CAP_PROP_FPS))
        self.fps = rate if 0.5 <= rate <= 1000 else 0.0
        raw = request.raw and fourcc in Layout.RAW and bool(source.set(cv2.CAP_PROP_CONVERT_RGB, 0))
        self._layout = Layout(fourcc if raw else "", width, height)
        if raw and not self._first_fits(source):
            source.set(cv2.CAP_PROP_CONVERT_RGB, 1)
            self._layout = Layout()

    def _first_fits(self, source: Any) -> bool:
        """Whether raw pictures come in the layout that their four letters promise."""
        ok, pixels = source.read()
        if not ok:
            return True
        try:
            self._layout.picture(pixels)
        except CaptureError:
            return False
        return True

    def _grab(self, source: Any) -> None:
        last_s = time.monotonic()
        while not self._stop.is_set():
            grabbed = source.grab()
            time_s = time.monotonic()
            ok, pixels = source.retrieve() if grabbed else (False, None)
            if ok and pixels is not None and pixels.size:
                last_s = time_s
                self._mailbox.put((pixels, time_s))
            elif time_s - last_s > GONE_S:
                self.failure = (
                    f"{self._label} stopped sending pictures; plug it in again (`live devices` lists cameras)"
                )
                return
            else:
                self._stop.wait(RETRY_S)


class Layout:
    """Turns what OpenCV hands over into a `Picture`: BGR, or raw pictures of one kind and size."""

    RAW = frozenset({"MJPG", "JPEG", "YUYV", "YUY2", "NV12", "GREY"})

    def __init__(self, fourcc: str = "", width_px: int = 0, height_px: int = 0) -> None:
        """`fourcc` empty: BGR of any size."""
        self._fourcc = fourcc
        self._size = (width_px, height_px)
        self._decoder = av.CodecContext.create("mjpeg", "r") if fourcc in {"MJPG", "JPEG"} else None
        self._unpacker = Unpacker()

    def picture(self, pixels: Pixels) -> Picture:
        """Args: pixels as `cv2.VideoCapture.retrieve` gives them. Raises: CaptureError when they do not fit."""
        if self._decoder is not None:
            return self._from_jpeg(pixels)
        width, height = self._size
        if not self._fourcc:
            if pixels.ndim == 2:
                return Picture(
                    (np.ascontiguousarray(pixels),), PixelFormat.GRAY, pixels.shape[1], pixels.shape[0], JPEG
                )
            if pixels.ndim != 3 or pixels.shape[2] != 3 or too_large(pixels.shape[1], pixels.shape[0]):
                raise CaptureError(f"a picture of shape {pixels.shape} is not BGR")
            return Picture((np.ascontiguousarray(pixels),), PixelFormat.BGR, pixels.shape[1], pixels.shape[0], Colour())
        count = {"NV12": width * (height + height // 2), "GREY": width * height}.get(self._fourcc, width * height * 2)
        if pixels.dtype != np.uint8 or pixels.size != count or width % 2 or height % 2 or not count:
            raise CaptureError(f"a picture of {pixels.size} bytes is not {self._fourcc} of {width}x{height}")
        flat = np.ascontiguousarray(pixels).reshape(-1)
        if self._fourcc == "GREY":
            return Picture((flat.reshape(height, width),), PixelFormat.GRAY, width, height, JPEG)
        if self._fourcc == "NV12":
            luma, chroma = flat[: width * height], flat[width * height :]
            planes = (luma.reshape(height, width), chroma.reshape(height // 2, width // 2, 2))
            return Picture(planes, PixelFormat.NV12, width, height, WEBCAM)
        return Picture((flat.reshape(height, width, 2),), PixelFormat.YUYV, width, height, WEBCAM)

    def _from_jpeg(self, pixels: Pixels) -> Picture:
        """Decode to the JPEG's own YUV: 4.6 ms at 720p on one core, OpenCV's way to BGR 6.5 ms."""
        assert self._decoder is not None
        try:
            frames = self._decoder.decode(av.Packet(pixels.tobytes()))
        except (av.FFmpegError, ValueError) as error:
            raise CaptureError("a damaged JPEG picture") from error
        if not frames:
            raise CaptureError("an empty JPEG picture")
        return self._unpacker.unpack(frames[0])
