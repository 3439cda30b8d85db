from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from live.capture.contract import Wanted
from live.capture.counter import BLOCK_PX, HEIGHT_PX, WIDTH_PX, Counted, burn, decode
from live.capture.pattern import open as open_pattern
from live.errors import UsageError
from live.output.video_range import in_video_range
from live.pixels.host import convert, plane_shapes, to_bgr
from live.pixels.slate import draw_slate
from live.values import Colour, Frame, PixelFormat, Pixels, Sound

from .media import AV_FORMAT, pattern, write_video

FORMATS = list(PixelFormat)
SIZES = [(WIDTH_PX, HEIGHT_PX), (WIDTH_PX + 1, HEIGHT_PX + 1), (321, 240), (640, 481)]


def noise(format: PixelFormat, size: tuple[int, int] = (320, 240), **more: Any) -> Frame:
    time_s = more.pop("time_s", 12345.678901)
    number = more.pop("number", 4711)
    return Frame(pattern(format, *size), format, *size, time_s, number, **more)


def luma(frame: Frame) -> Pixels:
    if frame.format is PixelFormat.YUYV:
        return frame.planes[0][..., 0]
    return frame.planes[0][..., 1] if frame.format is PixelFormat.BGR else frame.planes[0]


def luma_of(frame: av.VideoFrame) -> Pixels:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("format", FORMATS)
def test_number_and_time_come_back_exactly_from_every_format(format: PixelFormat, size: tuple[int, int]) -> None:
    frame = noise(format, size)
    burn(frame)
    assert decode(luma(frame)) == (4711, 12345.678901)


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_else_is_touched(format: PixelFormat) -> None:
    size = (321, 241)
    frame, before = noise(format, size), noise(format, size)
    burn(frame)
    for plane, old, (rows, columns, *_) in zip(frame.planes, before.planes, plane_shapes(format, *size)):
        changed = np.argwhere((plane != old).reshape(rows, columns, -1).any(axis=2))
        down, across = round(size[1] / rows), round(size[0] / columns)
        assert changed[:, 0].max() < HEIGHT_PX / down
        assert changed[:, 1].max() < WIDTH_PX / across


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("time_s", [0.0, 0.000001, 86400 * 365.25 * 8 + 0.123456])
def test_the_whole_range_fits(number: int, time_s: float) -> None:
    frame = noise(PixelFormat.NV12, number=number, time_s=time_s)
    burn(frame)
    assert decode(frame.planes[0]) == (number, pytest.approx(time_s, abs=5e-7))


def test_numbers_beyond_the_range_wrap_around() -> None:
    frame = noise(PixelFormat.GRAY, number=2**32 + 5)
    burn(frame)
    assert decode(frame.planes[0]) == (5, 12345.678901)


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("full_range", [False, True])
def test_it_survives_every_conversion(format: PixelFormat, target: PixelFormat, full_range: bool) -> None:
    frame = noise(format, colour=Colour(full_range=full_range))
    burn(frame)
    for shown in (convert(frame, target), convert(in_video_range(frame), target)):
        assert decode(luma(shown)) == (4711, 12345.678901)
    bgr = to_bgr(frame)
    assert decode(bgr[..., 0]) == decode(bgr[..., 1]) == decode(bgr[..., 2]) == (4711, 12345.678901)


@pytest.mark.parametrize(
    ("codec", "format", "options"),
    [
        ("mjpeg", PixelFormat.I420, {"qmin": "12", "qmax": "12", "flags": "+qscale", "global_quality": str(12 * 118)}),
        ("mjpeg", PixelFormat.I422, {"qmin": "20", "qmax": "20", "flags": "+qscale", "global_quality": str(20 * 118)}),
        ("libx264", PixelFormat.I420, {"crf": "30", "preset": "veryfast"}),
        ("libx264", PixelFormat.I420, {"b": "300k", "maxrate": "300k", "bufsize": "300k", "tune": "zerolatency"}),
    ],
    ids=["mjpeg q12", "mjpeg 4:2:2 q20", "x264 crf30", "x264 300 kbit/s"],
)
def test_it_survives_lossy_codecs(tmp_path: Path, codec: str, format: PixelFormat, options: dict[str, str]) -> None:
    moving = open_pattern("", Wanted(width_px=640, height_px=360, fps=240, format=format))
    sent, pictures = [], []
    for number in range(30):
        frame = moving.read()
        assert frame is not None
        grain = np.random.default_rng(number).integers(-12, 13, frame.planes[0].shape)
        frame.planes[0][...] = np.clip(frame.planes[0] + grain, 16, 235)
        burn(replace(frame, number=number * 1001))
        pictures.append(frame.planes)
        sent.append((number * 1001, round(frame.time_s, 6)))
    moving.close()
    suffix = "avi" if codec == "mjpeg" else "mkv"
    av_format = {"yuv420p": "yuvj420p", "yuv422p": "yuvj422p"}[AV_FORMAT[format]] if codec == "mjpeg" else ""
    path = write_video(
        tmp_path / f"a.{suffix}", pictures, format, size=(640, 360), codec=codec, options=options, av_format=av_format
    )
    with av.open(str(path)) as container:
        got = [decode(luma_of(frame)) for frame in container.decode(video=0)]
    assert [entry and (entry[0], round(entry[1], 6)) for entry in got] == sent


def test_the_codecs_of_this_test_do_harm(tmp_path: Path) -> None:
    """The quality above is moderate: whatever is finer than the blocks is lost."""
    planes = pattern(PixelFormat.I420, 640, 360)
    options = {"qmin": "12", "qmax": "12", "flags": "+qscale", "global_quality": str(12 * 118)}
    path = write_video(
        tmp_path / "a.avi", [planes], size=(640, 360), codec="mjpeg", options=options, av_format="yuvj420p"
    )
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert np.abs(luma_of(frame).astype(int) - planes[0]).mean() > 10


def test_pictures_without_a_counter_have_none() -> None:
    for number in range(500):
        assert decode(np.random.default_rng(number).integers(0, 256, (HEIGHT_PX, WIDTH_PX), np.uint8)) is None
    for number in range(500):  # sharp blocks, but of no counter
        bits = np.random.default_rng(number).integers(0, 2, (HEIGHT_PX // BLOCK_PX, WIDTH_PX // BLOCK_PX), np.uint8)
        assert decode((16 + 219 * bits).repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)) is None
    for level in (0, 16, 128, 235, 255):
        assert decode(np.full((240, 320), level, np.uint8)) is None
    assert decode(draw_slate(1280, 720)[..., 1]) is None
    assert decode(np.zeros((HEIGHT_PX - 1, 640), np.uint8)) is None
    assert decode(np.zeros((480, WIDTH_PX - 1), np.uint8)) is None


def test_no_block_may_be_wrong() -> None:
    frame = noise(PixelFormat.GRAY)
    burn(frame)
    for row in range(0, HEIGHT_PX, BLOCK_PX):
        for column in range(0, WIDTH_PX, BLOCK_PX):
            block = np.s_[row : row + BLOCK_PX, column : column + BLOCK_PX]
            damaged = frame.planes[0].copy()
            damaged[block] = 251 - damaged[block]
            assert decode(damaged) is None
            damaged[block] = 125
            assert decode(damaged) is None


def test_two_halves_of_two_pictures_are_no_picture() -> None:
    first, second = noise(PixelFormat.NV12), noise(PixelFormat.NV12, number=4712, time_s=12345.712234)
    burn(first)
    burn(second)
    for row in range(2 * BLOCK_PX, HEIGHT_PX, BLOCK_PX):  # the first row of blocks is the same in both
        torn = np.vstack([second.planes[0][:row], first.planes[0][row:]])
        assert decode(torn) is None


class Kept:
    """A capture of given items."""

    def __init__(self, *items: Frame | Sound, size: tuple[int, int] = (320, 240)) -> None:
        self._items = list(items)
        self.info = open_pattern("", Wanted(width_px=size[0], height_px=size[1])).info
        self.closed = 0

    def read(self) -> Frame | Sound | None:
        return self._items.pop(0) if self._items else None

    def close(self) -> None:
        self.closed += 1


def test_a_counted_capture_gives_the_same_frames_with_the_counter() -> None:
    frame, sound = noise(PixelFormat.NV12), Sound(None, 0.5)
    inner = Kept(frame, sound)
    capture = Counted(inner)
    assert capture.info is inner.info
    assert capture.read() is frame
    assert decode(frame.planes[0]) == (4711, 12345.678901)
    assert capture.read() is sound
    assert capture.read() is None
    capture.close()
    capture.close()
    assert inner.closed == 2


def test_a_capture_that_is_too_small_is_refused_and_closed() -> None:
    inner = Kept(size=(WIDTH_PX - 2, HEIGHT_PX))
    with pytest.raises(UsageError, match=r"at least 128x48.*126x48.*capture\.counter=false"):
        Counted(inner)
    assert inner.closed == 1


def test_a_picture_that_shrank_meanwhile_passes_as_it_is() -> None:
    small, same = noise(PixelFormat.NV12, (64, 48)), noise(PixelFormat.NV12, (64, 48))
    assert Counted(Kept(small)).read() is small
    assert all((plane == old).all() for plane, old in zip(small.planes, same.planes))


def test_reading_a_counter_loads_neither_opencv_nor_pyav() -> None:
    code = "import sys, live.capture.counter, live.capture.pattern; sys.exit(bool({'cv2', 'av'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
