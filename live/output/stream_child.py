"""The child process that encodes a stream and sends it: `python -m live.output.stream_child`.

Pictures and sound get the times at which they are sent, so that a stream which was interrupted goes on in step. How
pictures are shown is `live.output.projector`'s business. Knows nothing about faces: the pictures were released by the
parent.
"""

from __future__ import annotations

import base64
import contextlib
import sys
import time
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np

from live.output.contract import COLOUR_TAGS
from live.output.parent import Parent
from live.output.projector import Projector, run
from live.output.soundtrack import TurnedSound
from live.values import Pixels, Sound

TICKS_HZ = 90_000
CONNECT_S, SEND_S = 4.0, 3.0
"""Less than a call may take before the child counts as hung (`projector.HANG_S`)."""
RETRY_S = 3.0
"""A lost server is called at least this often."""
KEY_S = 2.0
"""Between key pictures, at which viewers come in."""
INTERLEAVE_US = "200000"
"""Longest that pictures wait for sound that does not come."""
OPTIONS = {
    "flv": {"flvflags": "no_duration_filesize"},
    "rtsp": {"rtsp_transport": "tcp"},
    "mpegts": {"mpegts_flags": "resend_headers", "pat_period": "0.5"},
}


class Broadcast:
    """One connection to the server, from its first picture to its loss."""

    def __init__(self, parent: Parent) -> None:
        """Connect. Raises: OSError, one line."""
        asked = self._asked = parent.settings
        self.name = f"stream {asked['shown']}"
        self._parent = parent
        self._last_pts = -1
        self._container: Any = None
        self._stream: Any = None
        options = {"flush_packets": "1", "max_interleave_delta": INTERLEAVE_US, **OPTIONS[asked["container"]]}
        try:
            self._container = av.open(
                asked["url"], "w", format=asked["container"], container_options=options, timeout=(CONNECT_S, SEND_S)
            )
            self._stream = self._video_stream()
            self._soundtrack = self._sound_stream()
            self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self.close()
            raise OSError(why(error)) from None
        parent.sounds.clear()  # what waited belongs to a time before
        self._began_s = time.monotonic()

    def send(self, picture: Pixels) -> None:
        """Encode and send one picture (I420, bytes) and the sound that came. Raises: OSError when it is gone."""
        asked = self._asked
        shape = (asked["height_px"] * 3 // 2, asked["width_px"])
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture).reshape(shape), format="yuv420p")
        pts = max(self._last_pts + 1, round((time.monotonic() - self._began_s) * TICKS_HZ))
        self._last_pts = frame.pts = pts
        frame.time_base = Fraction(1, TICKS_HZ)
        frame.colorspace, frame.color_range = self._stream.codec_context.colorspace, 1
        try:
            self._container.mux(self._stream.encode(frame))
            while self._parent.sounds:
                at_s, packet = self._parent.sounds.popleft()
                if self._soundtrack is not None and at_s >= self._began_s:
                    self._soundtrack.add(Sound(packet, at_s), at_s - self._began_s)
        except (av.FFmpegError, ValueError) as error:
            raise OSError(why(error)) from None

    def close(self) -> None:
        """Say good-bye to the server, as far as there is one."""
        with contextlib.suppress(av.FFmpegError, OSError, ValueError, AttributeError):
            self._container.mux(self._stream.encode(None))
        with contextlib.suppress(av.FFmpegError, OSError, ValueError, AttributeError):
            self._container.close()

    def _video_stream(self) -> Any:
        asked = self._asked
        rate = Fraction(asked["fps"]).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = asked["width_px"], asked["height_px"], "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, TICKS_HZ)
        context.bit_rate = 1000 * asked["kbps"]
        context.thread_count = 2
        tags = COLOUR_TAGS[asked["matrix"]]
        context.colorspace, context.color_primaries, context.color_trc = tags
        context.color_range = 1
        stream.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "main",
            "g": str(max(1, round(KEY_S * float(rate)))),
            "maxrate": f"{asked['kbps']}k",
            "bufsize": f"{asked['kbps']}k",
        }
        return stream

    def _sound_stream(self) -> TurnedSound | None:
        told = self._asked["sound"]
        if told is None:
            return None
        codec = SimpleNamespace(
            codec=SimpleNamespace(name=told["codec"]),
            extradata=base64.b64decode(told["extradata"]) or None,
            sample_rate=told["rate"],
            layout=told["layout"],
        )
        channels = av.AudioLayout(told["layout"]).nb_channels
        template = SimpleNamespace(
            codec_context=codec, sample_rate=told["rate"], layout=SimpleNamespace(nb_channels=channels)
        )
        return TurnedSound(self._container, template)


def why(error: Exception) -> str:
    """One line about what went wrong, without FFmpeg's copy of the address: it may hold a key."""
    if isinstance(error, av.error.ConnectionRefusedError):
        return "nothing listens there (connection refused); start the server first, or correct the port"
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return f"the server did not answer within {CONNECT_S:.0f} s; see whether the address is right"
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError | av.error.PermissionError):
        return "the server wants a user and password, or another stream key"
    if isinstance(error, av.error.HTTPNotFoundError):
        return "the server knows no such path (404); correct it"
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"{' '.join(str(reason).split())}; see whether the server runs and takes streams under this address"


def main() -> int:
    """Connect, tell the parent, show pictures. Returns the exit code."""
    parent = Parent()
    try:
        broadcast = Broadcast(parent)
    except OSError as error:
        parent.tell(error=str(error))
        return 1
    parent.tell(open={"name": broadcast.name})
    projector = Projector(parent, broadcast.name, broadcast, lambda: Broadcast(parent), RETRY_S)
    try:
        run(parent, projector)
    finally:
        projector.close()
        parent.ring.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
