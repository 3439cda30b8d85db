"""A network stream as a capture: RTMP, RTSP, HTTP, UDP, TCP, with as little buffering as FFmpeg allows.

Live streams are read as they come. What the server sends ahead of time (a video over HTTP, HLS in segments) is paced
by its own times. A silence ends the capture with one line; connecting again is for whoever reads. Passwords in
addresses never reach a message.
"""

from __future__ import annotations

import re
import threading
import time
from urllib.parse import urlsplit

import av
from av import Packet

from live.addresses import masked
from live.errors import CaptureError, UsageError
from live.values import Frame, Sound

from .clock import MediaClock
from .container import DECODER_OPTIONS, TOLERANT, Container
from .contract import CaptureInfo, Wanted
from .planes import Picture

OPENING_S = 5.0
LISTENING_S = 60.0
"""Addresses with `?listen` wait so long for a sender to come."""
SILENCE_S = 2.0
"""A capture returns or raises within 2 s of silence (contract)."""
FIRST_PICTURE_S = 15.0
"""Streams are entered between two key pictures, which may be 10 s apart."""
LATE_S = 0.5
"""A paced stream that stalled for longer goes on from where it is, instead of hurrying after its times."""
PROTOCOLS = "rtmp,rtmpe,rtmps,rtmpt,rtsp,rtp,srtp,http,https,httpproxy,tls,tcp,udp,crypto,data"
"""What an address and the playlists behind it may use: no local files."""
# Not `fflags=nobuffer`: it throws away what was read to find out the format, and with it the first key picture: the
# picture then comes up to one key interval later (measured: 30 of the first 50 frames lost), with no gain afterwards.
OPTIONS = {"probesize": "500000", "analyzeduration": "500000", "protocol_whitelist": PROTOCOLS}
PER_KIND = {
    "rtsp": {"rtsp_transport": "tcp"},  # over UDP a lost packet smears pictures until the next key picture
    "rtsps": {"rtsp_transport": "tcp"},
    "rtmp": {"rtmp_live": "live", "rtmp_buffer": "100"},
    "rtmps": {"rtmp_live": "live", "rtmp_buffer": "100"},
    "udp": {"overrun_nonfatal": "1"},
}


def open(rest: str, wanted: Wanted) -> StreamCapture:
    """Open a stream.

    Args: rest is its whole URL; `rtmp://0.0.0.0:1935/live/x?listen` waits for a sender such as OBS to connect.
    Raises: UsageError for a wrong address, CaptureError when nothing comes.
    """
    kind = rest.partition("://")[0].lower()
    listening = re.search(r"[?&]listen(=1)?(?=&|$)", rest) is not None
    try:
        if not urlsplit(rest).netloc:
            raise ValueError
    except ValueError:
        raise UsageError(f"{masked(rest)} names no server; an address looks like rtmp://server/app/name") from None
    options = {**OPTIONS, **PER_KIND.get(kind, {}), **DECODER_OPTIONS}
    url = rest
    if listening and kind == "rtmp":  # tcp and http read it from the address, rtmp wants an option
        options["listen"] = "1"
        url = re.sub(r"[?&]listen(=1)?(?=&|$)", "", rest)
    # `from None` everywhere: FFmpeg's errors carry the whole address.
    try:
        timeout = (LISTENING_S if listening else OPENING_S, SILENCE_S)
        opened = av.open(url, options=options, timeout=timeout, **TOLERANT)
        # Slices, not frames: frame threads hold back as many pictures as there are threads.
        container = Container(
            opened, format=wanted.format, threads="SLICE", forgiving=False, first_within_s=FIRST_PICTURE_S
        )
    except CaptureError as error:
        raise CaptureError(f"{masked(rest)} cannot be shown: {error}") from None
    except (av.FFmpegError, ValueError) as error:
        raise CaptureError(why(rest, error)) from None
    return StreamCapture(rest, container, wanted)


class StreamCapture:
    """Frames and sound of a network stream."""

    def __init__(self, url: str, container: Container, wanted: Wanted) -> None:
        self._url = url
        self._container = container
        self._clock = MediaClock(1 / container.fps if container.fps else 0.04)
        # A length means that all of it is there already; segments come in bursts of seconds.
        self._paced = container.duration_s is not None or container.kind in {"hls", "dash"}
        self._start_s: float | None = None
        self._stop = threading.Event()
        self._number = 0
        first, asked = container.first, (wanted.width_px, wanted.height_px)
        got = f"{first.width_px}x{first.height_px}"
        differs = any(asked) and asked != (first.width_px, first.height_px)
        self.info = CaptureInfo(
            name=f"stream {masked(url)}",
            width_px=first.width_px,
            height_px=first.height_px,
            fps=container.fps,
            format=first.format,
            colour=first.colour,
            live=True,
            notes=container.notes + ((f"a stream keeps its size: got {got}",) if differs else ()),
            sound=container.audio,
            again=None if container.duration_s is not None else url,
            media=container.media,
        )

    def read(self) -> Frame | Sound | None:
        """The next frame or packet of sound, None when the sender ended. Raises: CaptureError after 2 s silence."""
        if self._stop.is_set():
            return None
        try:
            item = self._container.next()
        except (av.FFmpegError, ValueError) as error:
            if self._stop.is_set():
                return None
            raise CaptureError(why(self._url, error, opened=True)) from None
        if item is None:
            return None
        if isinstance(item, Packet):
            stamp = item.pts if item.pts is not None else item.dts
            return Sound(item, self._clock.offset_s + float((stamp or 0) * item.time_base))
        return self._frame(item)

    def close(self) -> None:
        """Leave the stream; a waiting `read` ends within 2 s."""
        self._stop.set()
        self._container.close()

    def _frame(self, picture: Picture) -> Frame | None:
        media_s = self._clock.frame_s(picture.media_s)
        time_s = time.monotonic()
        if self._paced:
            if self._start_s is None or time_s - (self._start_s + media_s) > LATE_S:
                self._start_s = time_s - media_s
            due_s = self._start_s + media_s
            if due_s > time_s and self._stop.wait(due_s - time_s):
                return None
            time_s = due_s
        number, self._number = self._number, self._number + 1
        size = (picture.width_px, picture.height_px)
        return Frame(picture.planes, picture.format, *size, time_s, number, media_s, picture.colour)


def why(url: str, error: Exception, *, opened: bool = False) -> str:
    """One line about what went wrong with a stream, without FFmpeg's copy of the address."""
    name = masked(url)
    if isinstance(error, av.error.ProtocolNotFoundError):
        if url.lower().startswith("srt:"):
            return (
                f"{name}: this build of FFmpeg has no SRT; run srt-live-transmit (package srt-tools) with "
                f'"{name}" udp://127.0.0.1:5000 and open udp://127.0.0.1:5000'
            )
        return f"{name}: this build of FFmpeg does not know this kind of address"
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        if opened:
            return f"{name} has sent nothing for {SILENCE_S:.0f} s; see whether the sender still runs"
        return f"{name} sent no video within {OPENING_S:.0f} s; see whether the address is right and the sender runs"
    if isinstance(error, av.error.ConnectionRefusedError):
        return f"{name}: nothing listens there (connection refused); start the server first, or correct the port"
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError | av.error.PermissionError):
        return f"{name} wants a user and password: write them as rtsp://user:password@server/..."
    if isinstance(error, av.error.HTTPNotFoundError):
        return f"{name} does not exist on that server (404); correct the path"
    if isinstance(error, av.error.InvalidDataError | ValueError) and not opened:
        return f"{name} does not send video that can be read; give the address of the stream, not of its web page"
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"{name} {'broke off' if opened else 'cannot be opened'}: {reason}"
