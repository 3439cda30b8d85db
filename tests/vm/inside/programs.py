"""The programs that look at a virtual camera: PyAV, OpenCV and ffmpeg, each with the bytes of the pictures it gets."""

from __future__ import annotations

import re
import subprocess
from typing import Any, Protocol

import av
import cv2
import numpy as np

FOURCC = {"nv12": "NV12", "yuv420p": "YU12", "yuyv422": "YUYV", "bgr24": "BGR3", "rgb24": "RGB3"}


class Program(Protocol):
    """What all of them tell."""

    width_px: int
    height_px: int
    fps: float
    fourcc: str

    def __init__(self, device: str) -> None: ...

    def read(self) -> bytes: ...

    def close(self) -> None: ...


LATE = 3
"""A program just opened does not yet keep up, and pictures it took already are overwritten before it looks at them."""


def some_of(reader: Program, count: int) -> list[bytes]:
    """So many pictures in a row, not the very first ones."""
    return [reader.read() for _ in range(LATE + count)][LATE:]


class PyAV:
    """PyAV's v4l2 demuxer; it decodes raw pictures as they are."""

    def __init__(self, device: str) -> None:
        self._container = av.open(device, format="v4l2")
        stream = self._container.streams.video[0]
        self._frames = self._container.decode(stream)
        self.width_px, self.height_px = stream.codec_context.width, stream.codec_context.height
        self.fps = float(stream.average_rate or 0)
        self.fourcc = FOURCC[str(stream.codec_context.pix_fmt)]
        self.times_s: list[float] = []

    def read(self) -> bytes:
        frame = next(self._frames)
        assert frame.time is not None
        self.times_s.append(frame.time)
        return frame.to_ndarray().tobytes()

    def close(self) -> None:
        self._container.close()


class OpenCV:
    """OpenCV's V4L2 camera, told not to convert."""

    def __init__(self, device: str) -> None:
        self._camera: Any = cv2.VideoCapture(device, cv2.CAP_V4L2)
        assert self._camera.isOpened(), f"OpenCV cannot open {device}"
        self._camera.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        self.width_px = round(self._camera.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height_px = round(self._camera.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.fps = self._camera.get(cv2.CAP_PROP_FPS)
        self.fourcc = int(self._camera.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()

    def read(self) -> bytes:
        there, picture = self._camera.read()
        assert there, "OpenCV got no picture"
        return np.ascontiguousarray(picture).tobytes()

    def close(self) -> None:
        self._camera.release()


class Ffmpeg:
    """The ffmpeg program: raw pictures through a pipe, what it says about them from its log."""

    def __init__(self, device: str) -> None:
        command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-f", "v4l2", "-i", device]
        self._process = subprocess.Popen(
            [*command, "-c", "copy", "-f", "rawvideo", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stderr is not None
        said = ""
        for line in self._process.stderr:
            said += line.decode(errors="replace")
            if "Video: rawvideo" in said and "Output #0" in said:
                break
        found = re.search(r"Video: rawvideo \(.*?\), (\w+)[(,].*?(\d{2,})x(\d+).*?([\d.]+) fps", said)
        assert found, f"ffmpeg says: {said}"
        self.fourcc = FOURCC[found[1]]
        self.width_px, self.height_px, self.fps = int(found[2]), int(found[3]), float(found[4])
        bits = {"NV12": 12, "YU12": 12, "YUYV": 16}.get(self.fourcc, 24)
        self._bytes = self.width_px * self.height_px * bits // 8

    def read(self) -> bytes:
        assert self._process.stdout is not None
        picture = self._process.stdout.read(self._bytes)
        assert len(picture) == self._bytes, "ffmpeg ended"
        return picture

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
