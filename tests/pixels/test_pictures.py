from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from live.errors import UsageError
from live.pixels.pictures import PictureError, is_still_picture, read_picture

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 40), (20, 60, 210)


def quarters() -> np.ndarray:
    """(60, 80, 3) RGB: red and green above, blue and grey below."""
    rgb = np.full((60, 80, 3), 128, np.uint8)
    rgb[:30, :40], rgb[:30, 40:], rgb[30:, :40] = RED, GREEN, BLUE
    return rgb


def assert_quarters(bgr: np.ndarray, tolerance: int) -> None:
    rgb = bgr[:, :, ::-1].astype(int)
    height, width = rgb.shape[:2]
    corners = [rgb[height // 4, width // 4], rgb[height // 4, 3 * width // 4], rgb[3 * height // 4, width // 4]]
    assert np.abs(np.array(corners) - [RED, GREEN, BLUE]).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "more", "tolerance"),
    [
        ("a.png", {}, 0), ("a.bmp", {}, 0), ("a.tif", {}, 0), ("a.ppm", {}, 0), ("a.webp", {"lossless": True}, 0),
        ("a.jpg", {"quality": 95, "subsampling": 0}, 6), ("a.jp2", {}, 6), ("a.avif", {"quality": 95}, 12),
    ],
)  # fmt: skip
def test_common_formats(tmp_path: Path, name: str, more: dict[str, object], tolerance: int) -> None:
    Image.fromarray(quarters()).save(tmp_path / name, **more)
    bgr = read_picture(tmp_path / name)
    assert (bgr.shape, bgr.dtype) == ((60, 80, 3), np.uint8)
    assert bgr.flags.c_contiguous
    assert bgr.flags.writeable
    assert_quarters(bgr, tolerance)
    assert is_still_picture(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: np.rot90(p, 2), 4: lambda p: p[::-1],
        5: lambda p: np.swapaxes(p, 0, 1), 6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2), 8: lambda p: np.rot90(p, -1),
    }[orientation](quarters())  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png"), quarters()[:, :, ::-1])


@pytest.mark.parametrize("mode", ["P", "L", "1", "CMYK", "RGBA", "LA", "I;16", "I", "YCbCr"])
def test_every_mode_becomes_eight_bit_bgr(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(quarters())
    if mode.startswith("I"):
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        picture = Image.fromarray(grey if mode == "I;16" else grey.astype(np.int32))
    else:
        picture = picture.convert(mode, palette=Image.Palette.ADAPTIVE)
    path = tmp_path / ("a.tif" if mode in {"CMYK", "YCbCr", "I"} else "a.png")
    picture.save(path)
    bgr = read_picture(path)
    assert bgr.shape == (60, 80, 3)
    if mode in {"P", "CMYK", "RGBA", "YCbCr"}:
        assert_quarters(bgr, 4)
    elif mode != "1":
        expected = np.asarray(Image.fromarray(quarters()).convert("L")).astype(int)
        assert np.abs(bgr[..., 0].astype(int) - expected).max() <= 1


def test_transparency_shows_grey_also_in_a_palette(tmp_path: Path) -> None:
    rgba = np.dstack([quarters(), np.full((60, 80), 255, np.uint8)])
    rgba[:30, :40, 3], rgba[:30, 40:, 3] = 0, 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    bgr = read_picture(tmp_path / "a.png")
    assert bgr[10, 10].tolist() == [128, 128, 128]
    assert np.abs(bgr[10, 60].astype(int) - [(40 + 128) / 2, (200 + 128) / 2, (30 + 128) / 2]).max() <= 1
    palette = Image.fromarray(quarters()).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "b.png", transparency=palette.getpixel((5, 5)))
    assert read_picture(tmp_path / "b.png")[5, 5].tolist() == [128, 128, 128]


def test_large_pictures_are_scaled_down_within_bounded_memory(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 3000), RED).save(tmp_path / "a.jpg")
    bgr = read_picture(tmp_path / "a.jpg", max_side_px=1000)
    assert bgr.shape == (500, 1000, 3)
    assert np.abs(bgr.reshape(-1, 3).mean(0) - RED[::-1]).max() < 4
    Image.new("L", (5000, 3), 90).save(tmp_path / "thin.png")
    assert read_picture(tmp_path / "thin.png").shape == (2, 4096, 3)


def png_header(width_px: int, height_px: int) -> bytes:
    """A PNG of a size without its data: whoever decodes it finds it broken."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = [struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in (chunk, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(30_000, 12_000), (12_000, 9_000), (70_000, 2)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(*size))
    with pytest.raises(PictureError, match="100 megapixels"):
        read_picture(tmp_path / "bomb.png")
    assert is_still_picture(tmp_path / "bomb.png")
    (tmp_path / "small.png").write_bytes(png_header(64, 48))
    with pytest.raises(PictureError, match="broken picture"):
        read_picture(tmp_path / "small.png")


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), quarters()[:, :, ::-1])
    (tmp_path / "b.jpg").write_text("no picture at all " * 30)
    with pytest.raises(PictureError, match=r"b\.jpg is not a picture, whatever its name says"):
        read_picture(tmp_path / "b.jpg")
    assert not is_still_picture(tmp_path / "b.jpg")


def half(path: Path) -> None:
    content = io.BytesIO()
    Image.effect_noise((300, 300), 90).convert("RGB").save(content, "JPEG")
    path.write_bytes(content.getvalue()[: content.tell() // 2])


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda path: None, "there is no picture"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), "is empty"),
        (half, r"is a broken picture \(.*truncated"),
        (lambda path: path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(50)), "HEIC|broken"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path: Path, make: object, line: str) -> None:
    make(tmp_path / "a.jpg")  # type: ignore[operator]
    with pytest.raises(PictureError, match=line) as caught:
        read_picture(tmp_path / "a.jpg")
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)


def test_broken_exif_does_not_refuse_the_photo(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(
        tmp_path / "a.jpg", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"
    )
    assert_quarters(read_picture(tmp_path / "a.jpg"), 6)


def test_animations_are_no_still_pictures(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (8, 8), (60 * number, 0, 0)) for number in range(3)]
    for name, more in (("a.gif", {}), ("a.webp", {}), ("a.png", {})):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], **more)
        assert not is_still_picture(tmp_path / name), name
        assert read_picture(tmp_path / name).shape == (8, 8, 3)
