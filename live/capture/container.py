"""An opened FFmpeg input: packets are read and decoded one by one into pictures, sound is passed on undecoded.

Shared by file, stream and screen. Broken packets are skipped and counted. Knows nothing about pacing, repairing times
or addresses; who opens it decides whether an error in the input ends it or is an error for the user.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator
from typing import Any

import av
from av import Packet
from av.container import InputContainer

from live.errors import CaptureError
from live.pace import EverySoOften
from live.values import PixelFormat

from .planes import AV_NAME, MAX_PIXELS, NATIVE, Picture, Unpacker, too_large

log = logging.getLogger(__name__)

DECODER_OPTIONS = {"max_pixels": str(MAX_PIXELS)}
"""For `av.open`: the decoder refuses larger pictures before it allocates them."""
FIRST_PICTURE_PACKETS = 4096
"""An input without a picture in so many packets has none."""
BROKEN_IN_A_ROW = 64
"""So many packets that cannot even be read from a file: its end."""
TEXT_CODECS = {"ansi", "bintext", "xbin", "idf"}
"""FFmpeg draws text files as pictures of a terminal; nobody means that."""
KEPT_METADATA = {
    "title", "artist", "author", "album", "date", "creation_time", "comment", "description", "synopsis", "copyright",
    "genre", "language", "location", "show", "episode_id", "network",
}  # fmt: skip
TOLERANT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""For `av.open`: titles that are no UTF-8 are no reason to refuse a file. PyAV 19 hands them over as surrogates."""
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67


class Container:
    """Pictures and packets of sound of one opened input, in the order in which it holds them.

    `forgiving`: what cannot be read is skipped and the input ends at its last readable picture (files); otherwise
    FFmpeg's error is raised (devices and streams).
    """

    def __init__(
        self,
        container: InputContainer,
        *,
        format: PixelFormat | None,
        threads: str,
        forgiving: bool,
        first_within_s: float = 60.0,
    ) -> None:
        """Take over an opened container. `threads`: FFmpeg's `AUTO`, `FRAME`, `SLICE` or `NONE`.

        Raises: CaptureError when it has no picture or only one out of bounds. The container is then closed.
        """
        self._container = container
        self._forgiving = forgiving
        self._lock = threading.Lock()
        self._closed = False
        self._unpacker = Unpacker(format)
        self._decoded: deque[Any] = deque()
        self._held: deque[Picture | Packet[Any]] = deque()
        self._told = EverySoOften()
        self.skipped = 0
        """Faults met while decoding, counted; with frame threads FFmpeg may tell one for several pictures."""
        try:
            self.video = _picture_stream(container)
            self.audio = container.streams.best("audio")
            self.video.thread_type = threads
            self._packets = self._demux()
            self.first, self._first_frame = self._read_first(time.monotonic() + first_within_s)
        except BaseException:
            container.close()
            raise

    @property
    def fps(self) -> float:
        """Nominal pictures per second, 0 when unknown or absurd."""
        for rate in (self.video.average_rate, self.video.guessed_rate):
            if rate and 0.01 <= float(rate) <= 1000:
                return float(rate)
        return 0.0

    @property
    def kind(self) -> str:
        """FFmpeg's name of the container format."""
        return str(self._container.format.name)

    @property
    def duration_s(self) -> float | None:
        """How long all of it lasts, None for what has no known end."""
        return self._container.duration / 1e6 if self._container.duration else None

    @property
    def frames(self) -> int | None:
        """How many pictures it holds, where it says so."""
        return self.video.frames or None

    @property
    def media(self) -> dict[str, str]:
        """What people wrote about it: title, artist, date. Not what muxers write about themselves."""
        texts = {key.lower(): text[:1000] for key, text in self._container.metadata.items()}
        return {key: text.encode("utf-8", "replace").decode() for key, text in texts.items() if key in KEPT_METADATA}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how pictures are given."""
        frame, notes = self._first_frame, []
        if NATIVE.get(frame.format.name) is not self.first.format:
            notes.append(f"pixel format {frame.format.name} is given as {AV_NAME[self.first.format]}")
        if frame.color_trc in HDR_TRANSFERS:
            notes.append(
                f"this is HDR video ({HDR_TRANSFERS[frame.color_trc]}), which is not tone-mapped: colours look flat"
            )
        aspect = self.video.sample_aspect_ratio
        if aspect and abs(float(aspect) - 1) > 0.01:
            notes.append(
                f"its pixels are not square ({aspect.numerator}:{aspect.denominator}); they are given as they are"
            )
        return tuple(notes)

    def next(self) -> Picture | Packet[Any] | None:
        """The next picture or packet of sound; None at the end and after `close`.

        Raises: av.FFmpegError unless forgiving; CaptureError for a picture that cannot be given.
        """
        with self._lock:
            try:
                if self._closed:
                    return None
                return self._held.popleft() if self._held else self._step()
            finally:
                if self._closed:
                    self._free()

    def close(self) -> None:
        """Free it, now or when a `next` in another thread ends."""
        self._closed = True
        # Freeing under FFmpeg's feet crashes: whoever holds the lock last frees.
        if self._lock.acquire(timeout=0.1):
            try:
                self._free()
            finally:
                self._lock.release()

    def _free(self) -> None:
        self._packets.close()
        self._container.close()

    def _step(self) -> Picture | Packet[Any] | None:
        while True:
            while self._decoded:
                frame = self._decoded.popleft()
                try:
                    return self._unpacker.unpack(frame)
                except CaptureError as error:
                    self._skip(error)
            packet = next(self._packets, None)
            if packet is None:
                return None
            if packet.stream is self.video:
                self._decode(packet)
            elif packet.size:
                return packet

    def _decode(self, packet: Packet[Any]) -> None:
        # With frame threads a broken picture may take the one before it along: PyAV forgets what it received when the
        # next receive fails.
        try:
            self._decoded.extend(packet.decode())
        except (av.FFmpegError, ValueError) as error:
            self._skip(error)

    def _demux(self) -> Generator[Packet[Any], None, None]:
        """Packets of picture and sound; goes on behind unreadable places if forgiving."""
        streams = [stream for stream in (self.video, self.audio) if stream is not None]
        broken = 0
        while broken < BROKEN_IN_A_ROW:
            try:
                for packet in self._container.demux(streams):
                    broken = 0
                    yield packet
                return
            except (av.FFmpegError, ValueError) as error:
                if not self._forgiving:
                    raise
                broken += 1
                self._skip(error)

    def _read_first(self, end_s: float) -> tuple[Picture, Any]:
        """Read up to the first picture, which is held back with the sound before it."""
        for _ in range(FIRST_PICTURE_PACKETS):
            while self._decoded:
                frame = self._decoded.popleft()
                try:
                    picture = self._unpacker.unpack(frame)
                except CaptureError as error:
                    if too_large(frame.width, frame.height):
                        raise
                    self._skip(error)
                    continue
                self._held.append(picture)
                return picture, frame
            packet = next(self._packets, None)
            if packet is None or time.monotonic() > end_s:
                break
            if packet.stream is self.video:
                self._decode(packet)
            elif packet.size:
                self._held.append(packet)
        raise CaptureError("no picture in it can be decoded")

    def _skip(self, error: Exception) -> None:
        self.skipped += 1
        if self._told.ready(time.monotonic()):
            reason = getattr(error, "strerror", None) or str(error)
            log.warning("unreadable pictures skipped, %d faults so far (%s)", self.skipped, reason)


def _picture_stream(container: InputContainer) -> Any:
    """The stream with the moving pictures. Raises: CaptureError."""
    covers = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        raise CaptureError("it holds sound but no pictures" if container.streams.audio else "it holds no pictures")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise CaptureError("its kind of video cannot be decoded here")
    if stream.codec_context.name in TEXT_CODECS:
        raise CaptureError("it holds text, no pictures")
    if too_large(stream.codec_context.width, stream.codec_context.height):
        size = f"{stream.codec_context.width}x{stream.codec_context.height}"
        raise CaptureError(f"pictures of {size} are out of bounds: up to 16384 px a side and 128 megapixels are taken")
    return stream
