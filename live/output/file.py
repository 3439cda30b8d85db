"""Recording into a video file, playable up to the last second whatever ends the run.

`.mp4` and `.mov` hold H.264 4:2:0 that plays everywhere; `.mkv` holds FFV1, lossless in the frame's own pixel format,
so pixels nobody touched come back bit for bit. Size, format and colour are those it was opened with; frames that differ
are fitted. An odd width or height, which H.264 4:2:0 has not, is made even there by repeating the last column or row;
FFV1 keeps it. The file appears with the first picture: a run that never gets that far leaves an old recording alone.

MP4 is written in fragments of a second and becomes an ordinary file, index and all, when it is closed (FFmpeg's
`hybrid_fragmented`): a killed run leaves a fragmented file that players open, a finished one needs no second copy on
the disk, and nothing can be lost in between. Does not know where the pictures come from.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from live import __version__
from live.errors import OutputError, UsageError
from live.output.contract import COLOUR_TAGS, Format
from live.output.disk import DiskFile
from live.output.picture import LOSSLESS, encoder_picture, even
from live.output.soundtrack import CopiedSound, TurnedSound, add_soundtrack
from live.output.timeline import Timeline
from live.pixels.host import convert, fit
from live.values import Frame, PixelFormat, Sound

log = logging.getLogger(__name__)

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
TICKS_HZ = {"mp4": 90_000, "mov": 90_000, "matroska": 1000}
"""Grain of a picture's time. Matroska's is a millisecond, whatever the encoder says."""
INTERLEAVE_US = "1000000"
"""Longest that pictures wait for sound that does not come; FFmpeg's own 10 s would be 200 MB of FFV1."""
MUXING = {
    "mp4": {"movflags": "hybrid_fragmented+delay_moov+default_base_moof+frag_keyframe", "frag_duration": "1000000"},
    "mov": {"movflags": "hybrid_fragmented+delay_moov+default_base_moof+frag_keyframe", "frag_duration": "1000000"},
    "matroska": {"cluster_time_limit": "1000"},
}
RGB_TAGS = (0, 1, 13)
"""BGR pictures are sRGB."""
EARLY_PACKETS = 512
"""Sound that may wait for the first picture: 10 s of AAC."""
LARGEST_PX = 16384
CONTAINER_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "comment"}
"""Metadata that describes the input's container, or that we write ourselves."""


def open(rest: str, format: Format) -> FileOutput:
    """Make ready to record into a file; an existing regular file is replaced when the first picture comes.

    Args: rest the path. Its ending chooses the container: .mp4, .mov (H.264) or .mkv (FFV1, lossless).
    Raises: UsageError for another ending, a directory, a folder that is missing or not writable.
    """
    path = Path(rest).expanduser()
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise UsageError(f"cannot record into {rest!r}; allowed endings: {', '.join(CONTAINERS)}")
    if max(format.width_px, format.height_px) > LARGEST_PX:
        size = f"{format.width_px}x{format.height_px}"
        raise UsageError(f"cannot record pictures of {size}; at most {LARGEST_PX} a side are allowed")
    if path.is_dir():
        raise UsageError(f"cannot record into {path}: it is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot record into {path}: it is a device, not a file")
    if not path.parent.is_dir():
        raise UsageError(f"cannot record into {path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        place = "the file" if path.exists() else f"the folder {path.parent}"
        raise UsageError(f"cannot record into {path}: {place} is not writable; choose another")
    return FileOutput(path, container, format)


class FileOutput:
    """One recording."""

    live = False
    keys = None

    def __init__(self, path: Path, container: str, format: Format) -> None:
        self.name = f"file {path}"
        self.frames = 0
        self._path = path
        self._kind = container
        self._format = format
        self._timeline = Timeline(live=format.live, fps=format.fps)
        self._file: DiskFile | None = None
        self._container: Any = None
        self._stream: Any = None
        self._soundtrack: CopiedSound | TurnedSound | None = None
        self._early: deque[Sound] = deque(maxlen=EARLY_PACKETS)
        self._last_pts = -1
        self._closed = False

    def send(self, frame: Frame) -> None:
        """Write one picture at its own time."""
        self._check_open()
        if self._container is None:
            self._guarded(self._start)
        at_s = self._timeline.frame_s(frame)
        pts = max(self._last_pts + 1, round(at_s * TICKS_HZ[self._kind]))
        self._last_pts = pts
        self._guarded(self._encode, self._fitted(frame), pts)
        self.frames += 1
        while self._early:
            self.sound(self._early.popleft())

    def sound(self, sound: Sound) -> None:
        """Write one packet of sound. It waits for the first picture; what belongs before it began is left out."""
        self._check_open()
        if self._container is None:
            self._early.append(sound)
            return
        at_s = self._timeline.sound_s(sound.media_s)
        if self._soundtrack is not None and at_s is not None:
            self._guarded(self._soundtrack.add, sound, at_s)

    def close(self) -> None:
        """Write what is held back and the index."""
        if self._closed:
            return
        self._closed = True
        if self._container is None:
            return
        self._guarded(self._finish)

    def _check_open(self) -> None:
        if self._closed:
            raise OutputError(f"{self.name} is closed already")

    def _guarded(self, step: Any, *arguments: Any) -> None:
        """Run a step; a failing disk or encoder ends the recording with one line."""
        try:
            step(*arguments)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._abandon()
            reason = getattr(error, "strerror", None) or str(error)
            if self.frames == 0:
                self._path.unlink(missing_ok=True)
                raise OutputError(f"cannot record into {self._path}: {reason}; choose another place") from error
            raise OutputError(
                f"recording into {self._path} stopped after {self.frames} pictures: {reason}; what was written so "
                "far plays; free some space or record somewhere else"
            ) from error

    def _start(self) -> None:
        """Create the file and its streams."""
        self._file = DiskFile(self._path)
        options = {"flush_packets": "1", "max_interleave_delta": INTERLEAVE_US, **MUXING[self._kind]}
        self._container = av.open(self._file, "w", format=self._kind, container_options=options, buffer_size=1 << 18)
        self._container.metadata.update(_metadata(self._format.media))
        self._stream = self._video_stream()
        if self._format.sound is not None:
            self._soundtrack = add_soundtrack(self._container, self._format.sound)
        self._container.start_encoding()

    def _video_stream(self) -> Any:
        lossless, wanted = self._kind == "matroska", self._format
        rate = Fraction(min(max(wanted.fps, 1.0), 240.0) if wanted.fps else 25).limit_denominator(1001)
        stream = self._container.add_stream("ffv1" if lossless else "libx264", rate=rate)
        stream.width = wanted.width_px if lossless else even(wanted.width_px)
        stream.height = wanted.height_px if lossless else even(wanted.height_px)
        stream.pix_fmt = LOSSLESS[wanted.pixels] if lossless else "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, TICKS_HZ[self._kind])
        # Two threads keep up with 720p at 30 fps and leave the other cores to the swap.
        context.thread_count = 2 if wanted.live else min(4, os.cpu_count() or 1)
        if lossless:
            stream.options = {"level": "3", "slicecrc": "1", "g": "1"}
        else:
            preset = "superfast" if wanted.live else "veryfast"
            stream.options = {"crf": "18", "preset": preset, "g": str(max(1, round(2 * float(rate))))}
        rgb = lossless and wanted.pixels is PixelFormat.BGR
        tags = RGB_TAGS if rgb else COLOUR_TAGS[wanted.colour.matrix]
        context.colorspace, context.color_primaries, context.color_trc = tags
        context.color_range = 2 if rgb or wanted.colour.full_range else 1
        return stream

    def _fitted(self, frame: Frame) -> Frame:
        """The frame in the recording's size, format and colour; itself where it has them."""
        wanted = self._format
        frame = fit(frame, wanted.width_px, wanted.height_px)
        if frame.colour != wanted.colour:
            frame = replace(convert(frame, PixelFormat.BGR), colour=wanted.colour)
        return convert(frame, wanted.pixels if self._kind == "matroska" else PixelFormat.I420)

    def _encode(self, frame: Frame, pts: int) -> None:
        picture = encoder_picture(frame, self._stream.width, self._stream.height)
        picture.pts, picture.time_base = pts, Fraction(1, TICKS_HZ[self._kind])
        context = self._stream.codec_context
        picture.colorspace, picture.color_range = context.colorspace, context.color_range
        self._container.mux(self._stream.encode(picture))

    def _finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._soundtrack is not None:
            self._soundtrack.finish()
        self._container.close()
        if self._file is not None:
            self._file.close()

    def _abandon(self) -> None:
        """Let go of the file so that what is in it plays."""
        self._closed = True
        try:
            if self._file is not None and self._kind != "matroska":
                self._file.cut_torn_fragment()
        except OSError as error:
            log.debug("cannot shorten %s: %s", self._path, error)
        # The file first: PyAV would write an index over good fragments.
        for part in (self._file, self._container):
            try:
                if part is not None:
                    part.close()
            except (av.FFmpegError, OSError) as error:
                log.debug("while abandoning %s: %s", self._path, error)


def _metadata(media: dict[str, str]) -> dict[str, str]:
    """What the container's header says, ours and the input's."""
    kept = {key: value for key, value in media.items() if key.lower() not in CONTAINER_KEYS}
    comment = f"face swapped with live {__version__}"
    theirs = media.get("comment", "")
    return {**kept, "comment": f"{comment}; {theirs}" if theirs and theirs != comment else comment}
