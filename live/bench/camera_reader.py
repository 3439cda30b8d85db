"""The reader of `live bench camera`, a program of its own: `python -m live.bench.camera_reader`.

Opens a virtual camera as other programs do (V4L2, through FFmpeg), takes the pictures as raw bytes without converting
them, reads the counter in each and compares the whole with the test card. Tells in JSON lines: `{"ready": true}` at
the start, `{"opened": {...}}` or `{"error": "..."}` once a line on stdin said what to open, and at the end of stdin
`{"ended": ..., "rows": ...}`. Knows nothing about how the pictures came into the device.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from array import array
from dataclasses import replace
from typing import Any

import av
import numpy as np

from live.bench.arrivals import NO_COUNTER, NOT_COMPARED, packed
from live.capture.counter import HEIGHT_PX, burn, decode
from live.capture.pattern import CYCLE, planes_of
from live.capture.planes import AV_NAME
from live.values import Frame, PixelFormat, Pixels

OPTIONS = {"probesize": "32", "analyzeduration": "0", "fpsprobesize": "0", "fflags": "nobuffer"}
"""No pictures are held back to guess a rate from."""
RETRY_S = 0.1
LEAVE_S = 0.5
"""A device that sends nothing blocks the reader; after so long it leaves without waiting for the next picture."""
WAITED_S = 0.001
"""A picture that came sooner was there already: the reader is behind and must not take more time than it has to."""
BITS = {"nv12": 12, "yuv420p": 12, "yuyv422": 16, "rgb24": 24, "bgr24": 24, "gray": 8}
"""Of a pixel, in the formats a counter can be read from."""


class Expected:
    """What the test card shows, counter and all."""

    def __init__(self, format: PixelFormat, width_px: int, height_px: int) -> None:
        self._shape = (format, width_px, height_px)
        self._kept: dict[int, tuple[bytearray, Frame]] = {}

    def wrong_bytes(self, number: int, time_s: float, picture: Pixels) -> int:
        """How many bytes (N,) of a picture differ from those that were sent."""
        phase = number % CYCLE
        if phase not in self._kept:
            self._kept[phase] = self._drawn(phase)
        expected, frame = self._kept[phase]
        burn(replace(frame, number=number, time_s=time_s))
        # A bytearray compares with any buffer by memcmp: 1 ms where numpy takes 4 (720p, an emulated processor).
        if expected == picture:
            return 0
        return int(np.count_nonzero(np.frombuffer(expected, np.uint8) != picture))

    def _drawn(self, phase: int) -> tuple[bytearray, Frame]:
        """One picture of the cycle as bytes, and the frame whose planes these bytes are."""
        planes = planes_of(phase, *self._shape)
        content = bytearray().join(plane.tobytes() for plane in planes)
        views, at = [], 0
        for plane in planes:
            views.append(np.frombuffer(content, np.uint8, plane.size, at).reshape(plane.shape))
            at += plane.size
        return content, Frame(tuple(views), *self._shape, 0.0, phase)


class Reading:
    """Takes pictures from a device until told to stop."""

    def __init__(self, task: dict[str, Any]) -> None:
        """Read what a task says.

        Args: task device; open_s (longest to wait for it); compare (format and size of the test card, or null);
        may_skip (whether comparing may be left out while pictures wait).
        """
        self._task = task
        self._rows = array("d")
        self._stop = threading.Event()
        self._telling = threading.Lock()
        self._told = False

    def run(self) -> int:
        """Open, read, report. Returns the exit code."""
        try:
            container = self._open()
        except (av.FFmpegError, OSError, ValueError) as error:
            tell(error=" ".join(str(error).split()))
            return 1
        ended = None
        try:
            self._read(container)
        except (av.FFmpegError, OSError, ValueError) as error:
            ended = " ".join(str(error).split())
        self._report(ended)
        return 0

    def leave_with_parent(self) -> None:
        """Wait for the end of stdin, then end the run even if the device blocks. Runs on a thread of its own."""
        while os.read(0, 4096):
            pass
        self._stop.set()
        threading.Event().wait(LEAVE_S)
        self._report(None)
        os._exit(0)

    def _open(self) -> Any:
        """The device; with exclusive_caps=1 it is a camera only after the first picture was sent."""
        until_s = time.monotonic() + self._task["open_s"]
        while True:
            try:
                return av.open(self._task["device"], format="v4l2", options=OPTIONS)
            except (av.FFmpegError, OSError):
                if self._stop.is_set() or time.monotonic() > until_s:
                    raise
            self._stop.wait(RETRY_S)

    def _read(self, container: Any) -> None:
        stream = container.streams.video[0]
        name, width_px, height_px = stream.codec_context.pix_fmt, stream.width, stream.height
        if stream.codec_context.name != "rawvideo" or name not in BITS:
            raise ValueError(f"the device sends {stream.codec_context.name} {name}; known are {', '.join(BITS)}")
        rate = float(stream.average_rate or 0)
        tell(opened={"width_px": width_px, "height_px": height_px, "format": name, "fps": round(rate, 3)})
        size, base_s = width_px * height_px * BITS[name] // 8, float(stream.time_base)
        expected = self._expected(name, width_px, height_px)
        free_s = float("-inf")
        for packet in container.demux(stream):
            arrival_s = time.monotonic()
            if self._stop.is_set() or not packet.size:
                return
            if packet.size != size:
                raise ValueError(f"the device sends pictures of {packet.size} bytes, {name} has {size}")
            stamp_s = float("nan") if packet.pts is None else packet.pts * base_s
            # The driver writes on in its few buffers, whoever still reads one: copy first, look later.
            picture = np.frombuffer(bytes(packet), np.uint8)
            del packet
            found = decode(corner(picture, name, width_px))
            wrong = NOT_COMPARED
            behind = self._task["may_skip"] and arrival_s - free_s < WAITED_S
            if found is not None and expected is not None and not behind:
                wrong = expected.wrong_bytes(*found, picture)
            self._rows.extend((*(found or (NO_COUNTER, 0.0)), arrival_s, stamp_s, wrong))
            free_s = time.monotonic()

    def _expected(self, name: str, width_px: int, height_px: int) -> Expected | None:
        """The test card, where the device shows it in its own format and size."""
        compare = self._task["compare"]
        if compare is None or [AV_NAME[PixelFormat(compare[0])], *compare[1:]] != [name, width_px, height_px]:
            return None
        return Expected(PixelFormat(compare[0]), width_px, height_px)

    def _report(self, ended: str | None) -> None:
        with self._telling:
            if not self._told:
                tell(ended=ended, rows=packed(self._rows[:]))
            self._told = True


def corner(picture: Pixels, name: str, width_px: int) -> Pixels:
    """The upper lines of a raw picture (N,) as luma (lines, width_px); of RGB the green plane."""
    samples = BITS[name] // 8
    lines = min(HEIGHT_PX, len(picture) // (width_px * samples))
    view = picture[: lines * width_px * samples].reshape(lines, width_px, samples)
    return view[..., 1] if samples == 3 else view[..., 0]


def tell(**message: Any) -> None:
    """Send one line to the parent."""
    print(json.dumps(message), flush=True)


def main() -> int:
    """Wait for the order, read until stdin ends."""
    tell(ready=True)
    order = b""
    while not order.endswith(b"\n"):
        more = os.read(0, 4096)
        if not more:
            return 0
        order += more
    reading = Reading(json.loads(order))
    threading.Thread(target=reading.leave_with_parent, daemon=True).start()
    return reading.run()


if __name__ == "__main__":
    sys.exit(main())
