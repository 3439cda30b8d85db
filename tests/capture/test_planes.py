from __future__ import annotations

import ctypes
import gc
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from live.capture import file, planes
from live.capture.contract import Wanted
from live.capture.planes import Unpacker, nearest_format
from live.errors import CaptureError
from live.pixels.host import bgr_frame, convert, plane_shapes, to_bgr
from live.values import Colour, Frame, PixelFormat

from .media import AV_FORMAT, av_frame, pattern, write_video


@pytest.mark.parametrize("format", list(PixelFormat))
@pytest.mark.parametrize("size", [(64, 48), (66, 50), (61, 47), (1, 1)])
def test_native_planes_come_through_bit_for_bit(format: PixelFormat, size: tuple[int, int]) -> None:
    if format is PixelFormat.YUYV and size[0] % 2:
        pytest.skip("YUYV has an even width")
    given = pattern(format, *size)
    picture = Unpacker().unpack(av_frame(given, AV_FORMAT[format], *size))
    assert (picture.format, picture.width_px, picture.height_px) == (format, *size)
    assert [plane.shape for plane in picture.planes] == plane_shapes(format, *size)
    for plane, expected in zip(picture.planes, given, strict=True):
        assert np.array_equal(plane, expected)
        assert plane.flags.c_contiguous
        assert plane.flags.writeable


def test_planes_stay_when_the_decoder_reuses_its_buffer() -> None:
    frame = av_frame(pattern(PixelFormat.I420, 64, 48), "yuv420p", 64, 48)
    picture = Unpacker().unpack(frame)
    before = picture.planes[0].copy()
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    assert np.array_equal(picture.planes[0], before)


class BottomUp:
    """A plane whose lines run upward in memory, as some AVI decoders give it."""

    def __init__(self, lines: np.ndarray) -> None:
        self.memory = lines[::-1].tobytes()
        self.buffer = ctypes.create_string_buffer(self.memory, len(self.memory))
        self.height, self.width = lines.shape
        self.line_size = -self.width
        self.buffer_ptr = ctypes.addressof(self.buffer) + self.width * (self.height - 1)


def test_lines_that_run_upward_in_memory_are_read_top_first() -> None:
    lines = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert np.array_equal(planes._lines(BottomUp(lines)), lines)


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


class Turned:
    """A real decoded picture with a display matrix."""

    def __init__(self, frame: object, data: bytes) -> None:
        self._frame = frame
        self.side_data = {"DISPLAYMATRIX": SideData(data)}

    def __getattr__(self, name: str) -> object:
        return getattr(self._frame, name)


class SideData(bytes):
    @property
    def buffer_size(self) -> int:
        return len(self)


# By definition x' = a x + c y, y' = b x + d y: a quarter turn clockwise moves the top left corner to the top right.
TURNS = {
    "as it is": (matrix(1, 0, 0, 1), lambda p: p),
    "half": (matrix(-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "quarter clockwise": (matrix(0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "quarter counterclockwise": (matrix(0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "mirrored": (matrix(-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down mirrored": (matrix(1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": (matrix(0, 1, 1, 0), lambda p: np.swapaxes(p, 0, 1)),
    "transposed the other way": (matrix(0, -1, -1, 0), lambda p: np.swapaxes(np.rot90(p, 2), 0, 1)),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    "format", [PixelFormat.I420, PixelFormat.NV12, PixelFormat.I444, PixelFormat.BGR, PixelFormat.GRAY]
)
def test_display_matrix_turns_every_plane(turn: str, format: PixelFormat) -> None:
    data, expected = TURNS[turn]
    given = pattern(format, 64, 48)
    picture = Unpacker().unpack(Turned(av_frame(given, AV_FORMAT[format], 64, 48), data))  # type: ignore[arg-type]
    assert picture.format is format
    assert (picture.height_px, picture.width_px) == expected(given[0]).shape[:2]
    for plane, original in zip(picture.planes, given, strict=True):
        assert np.array_equal(plane, expected(original))
        assert plane.flags.c_contiguous


@pytest.mark.parametrize(
    ("format", "codec", "suffix"), [(PixelFormat.I422, "libx264", "mp4"), (PixelFormat.YUYV, "rawvideo", "mov")]
)
@pytest.mark.parametrize(("rotation", "quarters"), [(-90, -1), (180, 2)])
def test_turning_half_width_chroma_keeps_the_colours(
    tmp_path: Path, format: PixelFormat, codec: str, suffix: str, rotation: int, quarters: int
) -> None:
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[:24], bgr[24:, :32], bgr[24:, 32:] = (200, 60, 40), (40, 80, 210), (90, 90, 90)
    given = convert(bgr_frame(bgr, time_s=0.0, number=0), format)
    options = {"qp": "0"} if codec == "libx264" else {}
    path = write_video(
        tmp_path / f"a.{suffix}", [given.planes], format, codec=codec, options=options, rotation=rotation
    )
    capture = file.open(str(path), Wanted(live=False))
    frame = capture.read()
    capture.close()
    assert isinstance(frame, Frame)
    assert frame.format is (PixelFormat.I444 if quarters == -1 else PixelFormat.I422)
    assert [plane.shape for plane in frame.planes] == plane_shapes(frame.format, frame.width_px, frame.height_px)
    difference = np.abs(to_bgr(frame).astype(int) - np.rot90(bgr, quarters))
    assert np.quantile(difference, 0.9) <= 3  # all but the edges between colours


def test_odd_width_yuyv_becomes_i422() -> None:
    source = av_frame(pattern(PixelFormat.GRAY, 61, 48), "gray", 61, 48).reformat(format="yuyv422")
    picture = Unpacker().unpack(source)
    assert (picture.format, picture.width_px) == (PixelFormat.I422, 61)


@pytest.mark.parametrize(
    ("av_format", "nearest"),
    [
        ("yuv420p10le", PixelFormat.I420), ("yuv422p10le", PixelFormat.I422), ("yuv444p12le", PixelFormat.I444),
        ("p010le", PixelFormat.NV12), ("nv21", PixelFormat.NV12), ("nv16", PixelFormat.I422),
        ("uyvy422", PixelFormat.YUYV), ("yuv411p", PixelFormat.I422), ("yuv410p", PixelFormat.I420),
        ("yuv440p", PixelFormat.I444), ("yuva420p", PixelFormat.I420), ("gray10le", PixelFormat.GRAY),
        ("ya8", PixelFormat.GRAY), ("monow", PixelFormat.GRAY), ("rgb24", PixelFormat.BGR), ("bgra", PixelFormat.BGR),
        ("gbrp", PixelFormat.BGR), ("pal8", PixelFormat.BGR), ("rgb48le", PixelFormat.BGR),
        ("xyz12le", PixelFormat.BGR),
        ("bayer_rggb8", PixelFormat.BGR),
    ],
)  # fmt: skip
def test_other_formats_go_to_the_nearest(av_format: str, nearest: PixelFormat) -> None:
    assert nearest_format(av_format) is nearest


LUMA = {9: (0.2627, 0.0593), 1: (0.2126, 0.0722), 5: (0.299, 0.114)}


def patches(av_format: str, space: int, *, full: bool, bits: int) -> object:
    """Four flat colours as YUV, by the definition of the standard."""
    bgr = four_colours() / 255.0
    red, blue = LUMA[space]
    b, g, r = bgr[..., 0], bgr[..., 1], bgr[..., 2]
    luma = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    top, low, span = (255, 0, 255) if full else (219, 16, 224)
    scale = 2 ** (bits - 8)
    yuv = [
        np.round((luma * top + low) * scale),
        np.round((u * span + 128) * scale),
        np.round((v * span + 128) * scale),
    ]
    if "420" in av_format:
        yuv[1:] = [chroma[::2, ::2] for chroma in yuv[1:]]
    kind = np.uint8 if bits == 8 else np.uint16
    frame = av_frame([plane.astype(kind).view(np.uint8) for plane in yuv], av_format, 64, 32)
    frame.colorspace, frame.color_range = space, 2 if full else 1
    return frame


def four_colours() -> np.ndarray:
    bgr = np.zeros((32, 64, 3), np.uint8)
    for column, colour in enumerate([(30, 30, 220), (40, 200, 40), (210, 60, 20), (128, 128, 128)]):
        bgr[:, 16 * column : 16 * column + 16] = colour
    return bgr


@pytest.mark.parametrize(("av_format", "bits"), [("yuv444p", 8), ("yuv420p", 8), ("yuv420p10le", 10)])
@pytest.mark.parametrize("space", [9, 1, 5])
@pytest.mark.parametrize("full", [False, True])
def test_colours_survive_matrix_range_and_depth(av_format: str, bits: int, space: int, full: bool) -> None:
    picture = Unpacker().unpack(patches(av_format, space, full=full, bits=bits))  # type: ignore[arg-type]
    assert picture.colour == Colour("bt601" if space == 5 else "bt709", full_range=full)
    frame = Frame(picture.planes, picture.format, picture.width_px, picture.height_px, 0.0, 0, None, picture.colour)
    centres = np.s_[8, [8, 24, 40, 56]]
    assert np.abs(to_bgr(frame)[centres].astype(int) - four_colours()[centres]).max() <= 4


@pytest.mark.parametrize(("lines", "expected"), [(576, "bt601"), (720, "bt709")])
def test_untagged_pictures_have_the_matrix_of_their_size(lines: int, expected: str) -> None:
    assert planes.colour_of(av.VideoFrame(64, lines, "yuv420p")).matrix == expected


def test_absurd_size_is_one_line() -> None:
    with pytest.raises(CaptureError, match="17000x16 is out of bounds"):
        Unpacker().unpack(av.VideoFrame(17000, 16, "gray"))


def test_pictures_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    given = [pattern(PixelFormat.I420, 64, 48)] * 30
    path = write_video(tmp_path / "a.mkv", given)
    capture = file.open(str(path), Wanted(live=False))
    gc.collect()
    gc.disable()
    try:
        frames = [capture.read() for _ in range(30)]
        left = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
        capture.close()
    assert all(isinstance(frame, Frame) for frame in frames)
    assert left <= 8  # the first one, and what frame threads hold
