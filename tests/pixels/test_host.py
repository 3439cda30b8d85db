from __future__ import annotations

import numpy as np
import pytest

from live.pixels import host
from live.values import Colour, Frame, PixelFormat

FORMATS = list(PixelFormat)
VIDEO = Colour()
SIZES = [(64, 48), (65, 49), (66, 47)]


def smooth_frame(format: PixelFormat, size: tuple[int, int], colour: Colour = VIDEO) -> Frame:
    """A picture of slow colour gradients, so that chroma subsampling loses little."""
    width_px, height_px = size
    x, y = np.meshgrid(np.linspace(0, 1, width_px), np.linspace(0, 1, height_px))
    bgr = np.stack([60 + 100 * x, 80 + 90 * y, 190 - 100 * x * y], axis=2).astype(np.uint8)
    frame = host.bgr_frame(bgr, time_s=1.0, number=3, media_s=2.0)
    return host.convert(Frame(frame.planes, PixelFormat.BGR, *size, 1.0, 3, 2.0, colour), format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", SIZES)
def test_planes_have_the_promised_shapes(format: PixelFormat, size: tuple[int, int]) -> None:
    frame = smooth_frame(format, size)
    assert [plane.shape for plane in frame.planes] == host.plane_shapes(format, *size)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("format", [f for f in FORMATS if f is not PixelFormat.GRAY])
def test_colours_survive_the_way_there_and_back(format: PixelFormat, matrix: str, full_range: bool) -> None:
    colour = Colour(matrix, full_range)
    plain = host.to_bgr(smooth_frame(PixelFormat.BGR, (64, 48), colour)).astype(int)
    back = host.to_bgr(smooth_frame(format, (64, 48), colour)).astype(int)
    assert np.abs(back - plain)[2:-2, 2:-2].mean() < 1.5


def test_pure_colours_have_the_numbers_of_the_standard() -> None:
    red = np.full((2, 2, 3), (0, 0, 255), np.uint8)
    for matrix, expected in (("bt601", (81, 90, 240)), ("bt709", (63, 102, 240))):
        frame = Frame((red,), PixelFormat.BGR, 2, 2, 0.0, 0, colour=Colour(matrix))
        planes = host.convert(frame, PixelFormat.I444).planes
        assert [int(plane[0, 0]) for plane in planes] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", SIZES)
def test_a_paste_leaves_every_pixel_without_alpha_bit_for_bit(format: PixelFormat, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    planes = tuple(rng.integers(0, 256, shape, dtype=np.uint8) for shape in host.plane_shapes(format, *size))
    frame = Frame(planes, format, *size, 0.0, 0)
    before = host.duplicate(frame)
    box = (8, 6, size[0], size[1])
    picture = rng.integers(0, 256, (box[3] - box[1], box[2] - box[0], 3), dtype=np.uint8)
    host.paste(frame, box, picture, np.zeros(picture.shape[:2], np.uint8))
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, before.planes))
    alpha = np.zeros(picture.shape[:2], np.uint8)
    alpha[10:20, 10:30] = 255
    host.paste(frame, box, picture, alpha)
    changed = host.to_bgr(frame) != host.to_bgr(before)
    rows, columns = np.nonzero(changed.any(axis=2))
    assert rows.size
    assert rows.min() >= 14  # the box plus the alpha, one chroma sample of interpolation around it
    assert rows.max() <= 27
    assert columns.min() >= 16
    assert columns.max() <= 39


@pytest.mark.parametrize("format", [f for f in FORMATS if f is not PixelFormat.GRAY])
def test_an_opaque_paste_shows_the_picture(format: PixelFormat) -> None:
    frame = smooth_frame(format, (64, 48))
    picture = np.full((20, 24, 3), (40, 180, 90), np.uint8)
    host.paste(frame, (10, 8, 34, 28), picture, np.full((20, 24), 255, np.uint8))
    shown = host.to_bgr(frame)[12:24, 14:30].astype(int)
    assert np.abs(shown - (40, 180, 90)).max() <= 4


@pytest.mark.parametrize("format", FORMATS)
def test_a_region_is_the_same_as_that_part_of_the_whole(format: PixelFormat) -> None:
    frame = smooth_frame(format, (66, 48))
    whole = host.to_bgr(frame)[10:30, 20:50].astype(int)
    part = host.read_region(frame, (20, 10, 50, 30)).astype(int)
    assert np.abs(whole - part)[2:-2, 2:-2].max() <= 3


@pytest.mark.parametrize(("one", "other"), [(PixelFormat.NV12, PixelFormat.I420), (PixelFormat.YUYV, PixelFormat.I422)])
def test_formats_with_the_same_samples_convert_without_loss(one: PixelFormat, other: PixelFormat) -> None:
    rng = np.random.default_rng(2)
    planes = tuple(rng.integers(0, 256, shape, dtype=np.uint8) for shape in host.plane_shapes(one, 32, 20))
    frame = Frame(planes, one, 32, 20, 0.0, 0)
    back = host.convert(host.convert(frame, other), one)
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, back.planes))


@pytest.mark.parametrize("format", FORMATS)
def test_fitting_keeps_the_aspect_and_puts_black_bars(format: PixelFormat) -> None:
    frame = host.fit(smooth_frame(format, (64, 48)), 100, 48)
    assert (frame.width_px, frame.height_px, frame.format, frame.number) == (100, 48, format, 3)
    shown = host.to_bgr(frame)
    assert shown[:, :14].max() <= 4
    assert shown[:, 20:80].mean() > 50


def test_nothing_to_do_returns_the_frame_itself() -> None:
    frame = smooth_frame(PixelFormat.I420, (64, 48))
    assert host.fit(frame, 64, 48) is frame
    assert host.convert(frame, PixelFormat.I420) is frame


@pytest.mark.parametrize("format", FORMATS)
def test_a_thumbnail_shows_the_whole_picture(format: PixelFormat) -> None:
    frame = smooth_frame(format, (128, 96))
    small = host.thumbnail(frame, 32, 24).astype(int)
    assert small.shape == (24, 32, 3)
    assert np.abs(small.mean(axis=(0, 1)) - host.to_bgr(frame).mean(axis=(0, 1))).max() < 2


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("scale", [0.15, 0.5, 1.0, 2.0])
def test_a_patch_shows_the_place_the_matrix_names(format: PixelFormat, scale: float) -> None:
    bgr = np.full((400, 600, 3), 40, np.uint8)
    bgr[100:180, 300:380] = 220
    frame = host.convert(host.bgr_frame(bgr, time_s=0, number=0), format)
    angle = np.radians(30)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    matrix = np.hstack([rotation, 64 - rotation @ np.array([[339.5], [139.5]])]).astype(np.float32)
    patch = host.cut_patch(frame, matrix, 128)
    rows, columns = np.nonzero(patch[..., 1] > 130)
    assert (rows.mean(), columns.mean()) == pytest.approx((64, 64), abs=0.6)
    assert rows.size == pytest.approx(min((80 * scale) ** 2, 128**2), rel=0.12)


@pytest.mark.parametrize("format", FORMATS)
def test_a_patch_outside_the_frame_is_black(format: PixelFormat) -> None:
    frame = host.convert(host.bgr_frame(np.full((100, 100, 3), 255, np.uint8), time_s=0, number=0), format)
    far = np.array([[1, 0, -5000], [0, 1, -5000]], np.float32)
    assert host.cut_patch(frame, far, 64).max() == 0
