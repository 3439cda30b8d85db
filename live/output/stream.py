"""A stream to a server: RTMP, RTSP, or MPEG-TS over UDP and TCP, H.264 and AAC.

Encoder and connection live in a child process (`live.output.stream_child`): FFmpeg holds the interpreter's lock while
it connects, and a child can still send the slate when this process hangs or dies. A server that is lost is called
again; what was shown meanwhile is not sent. Sound goes beside the pictures, delayed as they are. Knows nothing about
who looks.

`rtmp://server/app/key#kbps=4500` asks for a bit rate, which else follows from the size. Stream keys, users and
passwords never reach a message.
"""

from __future__ import annotations

import base64
import re
import time
from typing import Any
from urllib.parse import urlsplit

from live.addresses import without_key
from live.errors import OutputError, UsageError
from live.output.child import Child
from live.output.contract import LARGEST_PX, SMALLEST_PX, Format
from live.output.fitting import fitted
from live.output.kept import Kept
from live.output.timeline import Timeline
from live.values import Frame, PixelFormat, Sound

CHILD = "live.output.stream_child"
CONTAINERS = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
}
"""Kind of address -> FFmpeg's container."""
ALLOWED = "rtmp(s)://server/app/key, rtsp(s)://server/path, udp://server:port, tcp://server:port"
LEAST_KBPS, MOST_KBPS = 100, 100_000
BITS_PER_PIXEL = 0.1
"""Of H.264 for a talking head: 2.8 Mbit/s at 720p30, 6.2 at 1080p30."""
FOLLOW = 0.05
"""How quickly the sound's delay follows the pictures'."""


def open(rest: str, format: Format) -> StreamOutput:
    """Connect to a server.

    Args: rest: the whole address; `#kbps=4500` may follow.
    Raises: UsageError for an address that is none, or a size no stream has; OutputError when the server refuses.
    """
    url, mark, option = rest.partition("#")
    kind = url.partition("://")[0].lower()
    shown = without_key(url)
    if kind == "srt":
        raise UsageError(
            f"{shown}: this build of FFmpeg has no SRT; run srt-live-transmit (package srt-tools) with "
            f'udp://:5000 "{shown}" and stream to udp://127.0.0.1:5000'
        )
    try:
        named = kind in CONTAINERS and urlsplit(url).netloc
    except ValueError:
        named = ""
    if not named:
        raise UsageError(f"output {shown!r} names no server to stream to; allowed: {ALLOWED}")
    asked = re.fullmatch(r"kbps=(\d{1,6})", option)
    if mark and (asked is None or not LEAST_KBPS <= int(asked[1]) <= MOST_KBPS):
        raise UsageError(f"output {shown}: #{option[:20]} is unknown; allowed: #kbps={LEAST_KBPS} to {MOST_KBPS}")
    if min(format.width_px, format.height_px) < SMALLEST_PX or max(format.width_px, format.height_px) > LARGEST_PX:
        size = f"{format.width_px}x{format.height_px}"
        raise UsageError(f"cannot stream pictures of {size}; allowed are {SMALLEST_PX} to {LARGEST_PX} a side")
    return StreamOutput(url, CONTAINERS[kind], int(asked[1]) if asked else None, format)


class StreamOutput:
    """Feeds the child that encodes and sends."""

    live = True
    keys = None

    def __init__(self, url: str, container: str, kbps: int | None, format: Format) -> None:
        self.name = f"stream {without_key(url)}"
        self._size, fps = format.even_px, format.repeat_fps
        wanted = self._size[0] * self._size[1] * fps * BITS_PER_PIXEL / 1000
        self._settings = {
            "url": url,
            "shown": without_key(url),
            "container": container,
            "width_px": self._size[0],
            "height_px": self._size[1],
            "fps": fps,
            "kbps": kbps or round(min(max(wanted, LEAST_KBPS), MOST_KBPS)),
            "matrix": format.colour.matrix,
            "sound": _described(format.sound),
        }
        self._timeline = Timeline(live=True, fps=fps)
        self._began_s: float | None = None
        self._late_s = 0.0
        self._kept = Kept(self._started)
        self._kept.name = self.name

    @property
    def pid(self) -> int | None:
        """Process number of the child; None while there is none."""
        return self._kept.child.pid if self._kept.child else None

    def send(self, frame: Frame) -> None:
        """Show one picture; a server that is lost is called again. Raises: OutputError after `close`."""
        self._kept.send(lambda: fitted(frame, PixelFormat.I420, *self._size))
        at_s = self._timeline.frame_s(frame)
        self._began_s = frame.time_s - at_s
        self._late_s += FOLLOW * (max(0.0, time.monotonic() - frame.time_s) - self._late_s)

    def sound(self, sound: Sound) -> None:
        """Send one packet of sound, as much later as the pictures are."""
        at_s = self._timeline.sound_s(sound.media_s)
        if self._kept.child is not None and self._settings["sound"] and at_s is not None and self._began_s is not None:
            self._kept.child.send_sound(self._began_s + at_s + self._late_s, bytes(sound.packet))

    def close(self) -> None:
        """Send the slate once more, end the stream. May be called twice."""
        self._kept.close()

    def _started(self) -> Child:
        try:
            return Child(CHILD, "stream", PixelFormat.I420, *self._size, self._settings)
        except OutputError as error:
            raise OutputError(f"cannot stream to {self._settings['shown']}: {error}") from error.__cause__


def _described(sound: Any) -> dict[str, Any] | None:
    """What the child needs to know of the input's sound to decode it."""
    if sound is None:
        return None
    context = sound.codec_context
    return {
        "codec": context.codec.name,
        "rate": context.sample_rate,
        "layout": context.layout.name,
        "extradata": base64.b64encode(context.extradata or b"").decode(),
    }
