"""Pictures of programs: reading a display's, comparing what a program shows with what it was given, saving for docs.

Thumbnails are (18, 32, 3) float, RGB, 0..255: coarse enough not to care about scaling, fine enough to tell a face from
a slate and a wrong colour matrix from the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGEST_BYTES = 400_000
ROWS, COLUMNS = 18, 32
BLACK = 16.0
"""A picture darker than this on average shows nothing."""
ALIKE = 5.0
"""Mean difference up to which two thumbnails show the same scene in the same colours. The demo person's talking makes
up to 3, video range taken for full range 7, a slate 123."""


class PictureError(Exception):
    """A program does not show what it was given."""


def pictures_of(path: Path) -> Iterator[Image.Image]:
    """The pictures of a video, or the one that `xwd` wrote, as RGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield Image.fromarray(frame.to_ndarray(format="rgb24"))


def thumbnail(picture: Image.Image) -> NDArray[np.float64]:
    """The picture at 32 x 18."""
    small = picture.convert("RGB").resize((COLUMNS, ROWS), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Mean absolute difference of two thumbnails, 0..255."""
    return float(np.abs(one - other).mean())


def check_shown(seen: NDArray[np.float64], given: Iterable[NDArray[np.float64]], where: str) -> str:
    """Tell how near a thumbnail is to the nearest of those given. Raises: PictureError when it is black or not near."""
    if seen.mean() < BLACK:
        raise PictureError(f"{where} shows black")
    nearest = min(given, key=lambda one: difference(seen, one))
    apart, per_colour = difference(seen, nearest), (seen - nearest).mean(axis=(0, 1))
    if apart > ALIKE:
        raise PictureError(f"{where} shows something else: difference {apart:.1f} of 255, allowed {ALIKE:g}")
    colours = " ".join(f"{name} {value:+.1f}" for name, value in zip(("red", "green", "blue"), per_colour, strict=True))
    return f"difference to what was given {apart:.1f} of 255 ({colours})"


def check_moves(seen: NDArray[np.float64], earlier: NDArray[np.float64], where: str) -> str:
    """Tell how much a thumbnail changed. Raises: PictureError when it stood still."""
    most = float(np.abs(seen - earlier).max())
    if most < 1.0:
        raise PictureError(f"{where} shows a still picture")
    return f"largest change between two moments {most:.1f} of 255"


def save(picture: Image.Image, path: Path) -> str:
    """Save as PNG of at most 400 kB: as it is, else with 256 colours. Returns what was written, for people."""
    picture.save(path, optimize=True)
    if path.stat().st_size > LARGEST_BYTES:
        picture.quantize(256, Image.Quantize.MEDIANCUT).save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SystemExit(f"{path.name} has {size // 1000} kB, more than {LARGEST_BYTES // 1000}; make it simpler")
    return f"{path.name}: {picture.width}x{picture.height}, {size // 1000} kB"
