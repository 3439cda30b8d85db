"""Reading a picture file that a user gave: bounded, upright, 8-bit BGR. Knows nothing about faces or frames.

The content decides what a file is, not its name. Serves photos for the gallery and pictures as captures.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from live.errors import UsageError
from live.values import Pixels

MAX_PIXELS = 100_000_000
MAX_SIDE_PX = 2**16
FORMATS = [
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI",
    "TIFF", "WEBP",
]  # fmt: skip
"""Pillow's names. Only these are tried: no format that starts another program or that is told by its name alone."""
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
GREY = 128
"""What is behind transparent pixels."""
# Pillow's decoders are many and old; on broken files they raise nearly every kind of error.
BROKEN = (
    OSError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RuntimeError, SyntaxError,
    MemoryError, EOFError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


class PictureError(UsageError):
    """A picture file that cannot be read: missing, empty, broken, too large, or no picture at all."""


def read_picture(path: Path, *, max_side_px: int = 4096) -> Pixels:
    """Read a picture file, the first picture where it holds several.

    EXIF orientation is applied, transparency shows grey, CMYK, palette, grey and 16-bit pictures become 8-bit BGR;
    one with a side above `max_side_px` is scaled down to it, keeping its aspect.

    Returns: (H, W, 3) uint8 BGR, writable, owned by the caller.
    Raises: PictureError, one line.
    """
    with opened(path) as image:
        # Lets JPEG decode at 1/2, 1/4 or 1/8 of its size where that is enough: 81 megapixels take 80 MB, not 324.
        image.draft(None, (max_side_px, max_side_px))
        return bgr_of(image, max_side_px)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture file, identified by its content and within bounds, not yet decoded.

    Raises: PictureError, also for whatever Pillow raises on broken content while it is open.
    """
    try:
        head = _head(path)
        if not head:
            raise PictureError(f"{path.name} is empty (0 bytes); give a picture")
        _allow_heif(path, head)
        with warnings.catch_warnings():
            # Pillow warns from 89 megapixels on; the bound here is checked below and gives an error.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats()) as image:
                _check_size(path, image.width, image.height)
                yield image
    except PictureError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"there is no picture {path}") from error
    except IsADirectoryError as error:
        raise PictureError(f"{path} is a folder; give one picture in it") from error
    except PermissionError as error:
        raise PictureError(f"{path} may not be read by this user; change its permissions or choose another") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{path.name} is not a picture, whatever its name says; "
            "JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF and HEIC are taken"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{path.name} is larger than {MAX_PIXELS // 10**6} megapixels; scale it down first"
        ) from error
    except BROKEN as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise PictureError(f"{path.name} is a broken picture ({reason}); save it again or give another") from error


def is_still_picture(path: Path) -> bool:
    """Whether a file's content is a picture that does not move (readable or not); False for everything else."""
    try:
        with opened(path) as image:
            return image.format in {"MPO", "TIFF", "ICO", "PSD"} or not getattr(image, "is_animated", False)
    except PictureError as error:
        return not isinstance(error.__cause__, UnidentifiedImageError | OSError)


def bgr_of(image: Image.Image, max_side_px: int) -> Pixels:
    """The decoded, upright, 8-bit picture. Returns: (H, W, 3) uint8 BGR, no side above `max_side_px`."""
    image = _eight_bit(image)
    if max(image.size) > max_side_px:
        scale = max_side_px / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX if scale < 0.25 else Image.Resampling.BICUBIC, reducing_gap=2.0)
    image = _upright(image)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (GREY, GREY, GREY, 255))
        image = Image.alpha_composite(ground, image)
    return np.array(np.asarray(image.convert("RGB"))[:, :, ::-1], order="C")


def _eight_bit(image: Image.Image) -> Image.Image:
    """The same picture as L, RGB or RGBA, with its EXIF data."""
    mode = image.mode
    if mode in {"L", "RGB", "RGBA"} and "transparency" not in image.info:
        return image
    if mode in {"I", "F"} or mode.startswith("I;16"):
        values = np.asarray(image)
        top = float(values.max(initial=0))
        white = 1.0 if mode == "F" and top <= 1 else 255.0 if mode == "F" and top <= 255 else max(65535.0, top)
        grey = np.clip(values.astype(np.float32) * np.float32(255 / white), 0, 255).astype(np.uint8)
        result = Image.fromarray(grey)
    else:
        see_through = "transparency" in image.info or mode in {"LA", "La", "PA", "RGBa", "RGBA"}
        result = image.convert("RGBA" if see_through else "RGB")
    result.info["exif"] = image.getexif().tobytes() if len(_exif(image)) else b""
    return result


def _exif(image: Image.Image) -> dict[int, object]:
    try:
        return dict(image.getexif())
    except BROKEN:
        return {}


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF or XMP data says; as it is where those are broken."""
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image


def _formats() -> list[str]:
    """Those of FORMATS that this Pillow has; HEIF only after pillow-heif has registered itself."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _allow_heif(path: Path, head: bytes) -> None:
    """Make Pillow read HEIC. Raises: PictureError naming the missing package."""
    if head[4:8] != b"ftyp" or head[8:12] not in HEIF_BRANDS:
        return
    try:
        import pillow_heif  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:  # mif1 may also be AVIF, which Pillow reads itself
                Image.open(path, formats=_formats()).close()
                return
            except BROKEN:
                pass
        raise PictureError(
            f'{path.name} is a HEIC picture; install its reader: pip install "live-faceswap[heic]", or give a JPEG'
        ) from error
    pillow_heif.register_heif_opener()


def _check_size(path: Path, width_px: int, height_px: int) -> None:
    if width_px * height_px > MAX_PIXELS or max(width_px, height_px) > MAX_SIDE_PX:
        raise PictureError(
            f"{path.name} has {width_px}x{height_px} pixels; scale it to {MAX_PIXELS // 10**6} megapixels or less"
        )
