"""Small media for the capture tests: known pictures, lossless, written by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from live.capture.contract import Capture
from live.pixels.host import plane_shapes
from live.values import Frame, PixelFormat, Pixels, Sound

AV_FORMAT = {
    PixelFormat.I420: "yuv420p",
    PixelFormat.I422: "yuv422p",
    PixelFormat.I444: "yuv444p",
    PixelFormat.NV12: "nv12",
    PixelFormat.YUYV: "yuyv422",
    PixelFormat.GRAY: "gray",
    PixelFormat.BGR: "bgr24",
}


def pattern(format: PixelFormat, width_px: int, height_px: int, seed: int = 0) -> tuple[Pixels, ...]:
    """Planes of noise within video range, so that no two samples or orientations are alike."""
    generator = np.random.default_rng(seed)
    return tuple(generator.integers(16, 236, shape, np.uint8) for shape in plane_shapes(format, width_px, height_px))


def av_frame(planes: Sequence[Pixels], av_format: str, width_px: int, height_px: int) -> Any:
    frame = av.VideoFrame(width_px, height_px, av_format)
    for plane, pixels in zip(frame.planes, planes, strict=True):
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        packed = pixels.reshape(plane.height, -1)
        lines[:, : packed.shape[1]] = packed
        plane.update(lines.tobytes())
    return frame


def write_video(
    path: Path,
    pictures: Sequence[tuple[Pixels, ...]],
    format: PixelFormat = PixelFormat.I420,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "ffv1",
    fps: int = 25,
    times_s: Sequence[float] | None = None,
    av_format: str = "",
    rotation: int = 0,
    sound: bool = False,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write pictures given as planes; `rotation` counterclockwise degrees by which players turn them."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream: Any = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = av_format or AV_FORMAT[format]
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for tag, value in (tags or {}).items():
            setattr(stream.codec_context, tag, value)
        if rotation:
            stream.set_display_rotation(rotation)
        voice: Any = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for number, planes in enumerate(pictures):
            frame = av_frame(planes, av_format or AV_FORMAT[format], *size)
            at_s = times_s[number] if times_s else number / fps
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            write_tone(container, voice, len(pictures) / fps)
    return path


def write_tone(container: Any, stream: Any, length_s: float) -> None:
    samples = int(16000 * length_s)
    wave = (np.sin(np.arange(samples) * 2 * np.pi * 440 / 16000) * 9000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    for piece in (frame, None):
        container.mux(stream.encode(piece))


def write_h264(path: Path, count: int = 25, *, size: tuple[int, int] = (64, 48), **more: Any) -> Path:
    """A usual file: H.264 with B frames, pictures of rising brightness."""
    pictures = []
    for number in range(count):
        luma = np.full((size[1], size[0]), 40 + 6 * (number % 30), np.uint8)
        chroma = np.full((-(-size[1] // 2), -(-size[0] // 2)), 128, np.uint8)
        pictures.append((luma, chroma, chroma.copy()))
    return write_video(path, pictures, codec="libx264", size=size, **more)


def read_all(capture: Capture, most: int = 10_000) -> tuple[list[Frame], list[Sound]]:
    frames: list[Frame] = []
    sounds: list[Sound] = []
    while len(frames) < most and (item := capture.read()) is not None:
        (frames if isinstance(item, Frame) else sounds).append(item)  # type: ignore[arg-type]
    return frames, sounds
