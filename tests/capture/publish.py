"""Sends a small live video to an RTMP server, as OBS does, as soon as somebody listens.

Runs in a process of its own: PyAV holds the GIL while an output connects, so a server in the same process would wait
for ever.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import av


def publish(url: str, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            with av.open(url, "w", format="flv", timeout=5.0) as container:
                send(container, end_s)
            return
        except (av.FFmpegError, OSError):
            time.sleep(0.02)  # nobody listens yet, or the reader left


def send(container: Any, end_s: float) -> None:
    video = container.add_stream("libx264", rate=50, options={"tune": "zerolatency", "g": "10"})
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    number = 0
    while time.monotonic() < end_s:
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts = number = number + 1
        container.mux(video.encode(frame))
        time.sleep(0.01)


if __name__ == "__main__":
    publish(sys.argv[1], float(sys.argv[2]))
