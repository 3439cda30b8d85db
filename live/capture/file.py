"""A video file as a capture: every frame, in order, with its own times, in the decoder's own pixel format.

Paced (`wanted.live`) it plays at its own rate and every frame carries its scheduled time, so that latency counts from
when it should have come; otherwise frames come as fast as they are taken. Knows nothing about what happens to frames.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import av
from av import Packet

from live.errors import CaptureError, UsageError
from live.pace import Ahead
from live.values import Frame, Sound

from .clock import MediaClock
from .container import DECODER_OPTIONS, TOLERANT, Container
from .contract import CaptureInfo, Wanted
from .path import existing_file
from .planes import Picture

log = logging.getLogger(__name__)
LATE_S = 0.5
"""Decoding that falls further behind than this cannot keep up: the schedule moves, so that the delay stays bounded."""


class Clip(Protocol):
    """What a kind of video file gives: `Container`, or `Animation` for what FFmpeg does not decode."""

    first: Picture
    audio: Any

    @property
    def fps(self) -> float: ...  # noqa: D102
    @property
    def frames(self) -> int | None: ...  # noqa: D102
    @property
    def media(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    def next(self) -> Picture | Packet[Any] | None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


def open(rest: str, wanted: Wanted) -> FileCapture:
    """Open a video file.

    Args: rest is its path.
    Raises: UsageError when it is missing, empty, a folder or no video; CaptureError when it cannot be read.
    """
    return FileCapture(existing_file(rest), wanted)


class FileCapture:
    """Frames and sound of a video file."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        self._stop = threading.Event()
        self._clip = open_clip(path, wanted)
        # The first pass stays open: a recording's sound stream is made after the template in `info`.
        self._passes = [self._clip]
        period_s = 1 / self._clip.fps if self._clip.fps else 0.04
        self._clock, self._ahead = MediaClock(period_s), Ahead(period_s)
        self._number = 0
        self._start_s: float | None = None
        self.info = _info(path, self._clip, wanted)

    def read(self) -> Frame | Sound | None:
        """The next frame or packet of sound; paced, it waits until the frame is due. None at the end."""
        self._stop.wait(max(self._ahead.begin_s - time.monotonic(), 0.0))
        while not self._stop.is_set():
            began_s = time.monotonic()
            item = self._clip.next()
            if item is None:
                if not self._wanted.loop or self._stop.is_set():
                    return None
                self._start_over()
            elif isinstance(item, Picture):
                return self._frame(item, time.monotonic() - began_s)
            else:
                return self._sound(item)
        return None

    def close(self) -> None:
        """Free the file; a waiting `read` returns."""
        self._stop.set()
        for clip in self._passes:
            clip.close()

    def _frame(self, picture: Picture, took_s: float) -> Frame | None:
        media_s = self._clock.frame_s(picture.media_s)
        time_s = time.monotonic()
        if self._wanted.live:
            if self._start_s is None or time_s - (self._start_s + media_s) > LATE_S:
                self._start_s = time_s - media_s
            due_s = self._start_s + media_s
            self._ahead.given(due_s, took_s)
            if due_s > time_s and self._stop.wait(due_s - time_s):
                return None
            time_s = due_s
        number, self._number = self._number, self._number + 1
        size = (picture.width_px, picture.height_px)
        return Frame(picture.planes, picture.format, *size, time_s, number, media_s, picture.colour)

    def _sound(self, packet: Packet[Any]) -> Sound:
        offset_s = self._clock.offset_s
        if offset_s:
            shift = round(offset_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        stamp = packet.pts if packet.pts is not None else packet.dts
        return Sound(packet, float(stamp * packet.time_base) if stamp is not None else offset_s)

    def _start_over(self) -> None:
        """Open the file again: every container can be reopened, not every one can be sought (raw H.264, GIF)."""
        try:
            clip = open_clip(self._path, self._wanted)
        except UsageError as error:  # replaced or damaged since the first pass
            raise CaptureError(str(error)) from error
        for finished in self._passes[1:]:
            finished.close()
        self._passes[1:] = [clip]
        self._clip = clip
        gc.collect()  # the first picture of the pass before and its side data hold each other, see planes.py
        self._clock.restart()
        if self._stop.is_set():
            clip.close()


def open_clip(path: Path, wanted: Wanted) -> Clip:
    """Open a video file for one pass. Raises: UsageError, CaptureError."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise CaptureError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":  # FFmpeg 8.1 does not decode animated WebP
        from .animation import Animation

        return Animation(path, wanted.format)
    # No network: a playlist that names servers is refused by FFmpeg.
    options = {"protocol_whitelist": "file", **DECODER_OPTIONS}
    try:
        opened = av.open(f"file:{path}", options=options, **TOLERANT)
        if opened.format.name == "image2" or opened.format.name.endswith("_pipe"):
            # Named or looking like a picture, but `live.pixels.pictures`, asked first, could not read it.
            opened.close()
            raise UsageError(
                f"{path.name} is neither a video nor a picture that can be read; save it again as MP4 or JPEG"
            )
        # Frame threads delay the first picture by their number, which does not matter here.
        return Container(opened, format=wanted.format, threads="AUTO", forgiving=True)
    except CaptureError as error:
        raise UsageError(f"{path.name} cannot be played: {error}; give a video with pictures in it") from None
    except (av.error.InvalidDataError, ValueError, EOFError) as error:
        raise UsageError(
            f"{path.name} is not a video that can be read; MP4, MKV, WebM, AVI, MOV, MPEG, GIF and most others can"
        ) from error
    except av.FFmpegError as error:
        raise CaptureError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _info(path: Path, clip: Clip, wanted: Wanted) -> CaptureInfo:
    first, notes = clip.first, clip.notes
    asked = (wanted.width_px or first.width_px, wanted.height_px or first.height_px)
    if asked != (first.width_px, first.height_px):
        got = f"{first.width_px}x{first.height_px}"
        notes += (f"a file keeps its size: asked for {asked[0]}x{asked[1]}, got {got}",)
    if wanted.format is not None and first.format is not wanted.format:
        notes += (f"asked for {wanted.format.value}, got {first.format.value}",)
    return CaptureInfo(
        name=path.name,
        width_px=first.width_px,
        height_px=first.height_px,
        fps=clip.fps,
        format=first.format,
        colour=first.colour,
        live=wanted.live,
        frames=None if wanted.loop else clip.frames,
        notes=notes,
        sound=clip.audio,
        media=clip.media,
    )
