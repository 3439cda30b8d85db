"""An animated WebP as a clip: pictures with their times, decoded by Pillow because FFmpeg 8.1 cannot.

Used by `file.py` in the place of a `Container`; knows nothing about pacing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from live.errors import CaptureError
from live.pixels.host import bgr_frame, convert
from live.pixels.pictures import BROKEN, PictureError, bgr_of, opened
from live.values import PixelFormat

from .planes import MAX_SIDE_PX, Picture

SHORTEST_S = 0.01
"""Browsers show pictures that ask for less for 0.1 s, but files made from video do mean 10 ms."""


class Animation:
    """The pictures of an animation, one after the other."""

    audio: Any = None

    def __init__(self, path: Path, format: PixelFormat | None) -> None:
        """Open and decode the first picture. Raises: PictureError."""
        with opened(path):  # identified and within bounds
            pass
        self._image = Image.open(path, formats=["WEBP"])
        self._format = format or PixelFormat.BGR
        self._name = path.name
        self._next = 0
        self._closed = False
        self._at_s = 0.0
        self.frames: int | None = getattr(self._image, "n_frames", 1)
        self.media: dict[str, str] = {}
        self.notes: tuple[str, ...] = ()
        try:
            self.first = self._decode()
        except CaptureError as error:
            self._image.close()
            raise PictureError(str(error)) from error
        self._held: Picture | None = self.first
        self.fps = 1 / self._at_s

    def next(self) -> Picture | None:
        """The next picture, None after the last."""
        if self._held is not None:
            picture, self._held = self._held, None
            return picture
        try:
            return self._decode() if self._next < (self.frames or 0) else None
        except CaptureError:
            if self._closed:  # by another thread, while decoding
                return None
            raise

    def close(self) -> None:
        """Free the file."""
        self._closed = True
        self.frames = 0
        self._held = None
        self._image.close()

    def _decode(self) -> Picture:
        try:
            self._image.seek(self._next)
            bgr = bgr_of(self._image, MAX_SIDE_PX)
        except BROKEN as error:
            raise CaptureError(f"{self._name} is broken at its picture {self._next + 1}") from error
        at_s = self._at_s
        self._next += 1
        self._at_s += max(SHORTEST_S, float(self._image.info.get("duration", 100)) / 1000)
        frame = convert(bgr_frame(bgr, time_s=0.0, number=0), self._format)
        return Picture(frame.planes, frame.format, frame.width_px, frame.height_px, frame.colour, at_s)
