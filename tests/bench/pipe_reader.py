"""The reader of `live bench camera` on a device that is a pipe: everything but V4L2 is the real thing.

PIPE_CAMERA says where and what: path, FFmpeg's pixel format, width, height. Records come as `fake_v4l2loopback.c`
writes them.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace

import av

from live.bench import camera_reader


class Packet(bytes):
    """A raw picture with the driver's time stamp."""

    pts: int

    @property
    def size(self) -> int:
        return len(self)


class PipeCamera:
    def __init__(self) -> None:
        path, name, width, height = os.environ["PIPE_CAMERA"].split(",")
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        context = SimpleNamespace(name="rawvideo", pix_fmt=name)
        stream = SimpleNamespace(
            codec_context=context, width=int(width), height=int(height), average_rate=30, time_base=Fraction(1, 10**6)
        )
        self.streams = SimpleNamespace(video=[stream])

    def demux(self, stream: object) -> Iterator[Packet]:
        while head := self._exactly(8):
            kind, length = struct.unpack("=II", head)
            body = self._exactly(length)
            if kind == 1:
                packet = Packet(body)
                packet.pts = round(time.monotonic() * 1e6)
                yield packet

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            more = self._file.read(count - len(content))
            if not more:
                return b""
            content += more
        return content


def open_camera(device: str, **options: object) -> PipeCamera:
    assert device == os.environ["FAKE_CAMERA_DEVICE"]
    assert options["format"] == "v4l2"
    return PipeCamera()


if __name__ == "__main__":
    camera_reader.av = SimpleNamespace(open=open_camera, FFmpegError=av.FFmpegError)  # type: ignore[attr-defined]
    sys.exit(camera_reader.main())
