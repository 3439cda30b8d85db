"""Prepared source faces on disk, so that preparing one again costs a read: one file each, bounded in number.

A file's name is the hash of all that its content was made of. What is read is untrusted: a file that is not whole and
plausible is as good as none. Knows files and arrays; knows nothing about how textures are made.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from live.errors import FaceError
from live.swap.mesh.maps import SIZE_PX
from live.swap.mesh.topology import VERTICES
from live.values import Floats, Pixels

log = logging.getLogger(__name__)

VERSION = 2
"""Raised when the same photos would give another texture."""
MOST_FILES = 64
"""1.3 MB each; the one that was used longest ago makes room."""
_MOST_BYTES = 2 * SIZE_PX * SIZE_PX * 3
_BASIS = 12
_FIELDS: dict[str, tuple[tuple[int, ...], str, float]] = {
    "pixels": ((SIZE_PX, SIZE_PX, 3), "uint8", 255),
    "skin": ((_BASIS, 3), "float32", 100),
    "proportions": ((VERTICES, 3), "float32", 100),
    "numbers": ((2,), "float32", 100),
}
"""Shape, type and largest value of every array in a file."""
_told: set[str] = set()


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is kept of a texture; the rest is quickly made of it."""

    pixels: Pixels
    """(SIZE, SIZE, 3) BGR."""
    skin: Floats
    """(12, 3) coefficients of the canvas's basis."""
    depth: float
    """Log units."""
    proportions: Floats
    """(468, 3) canonical units."""
    opening: float
    """Of the mouth, height by width."""


def folder() -> Path:
    """Where the files are: `cache/textures` in $LIVE_HOME, or `textures` in the platform's folder for caches."""
    home = os.environ.get("LIVE_HOME")
    root = Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("live", appauthor=False))
    return root / "textures"


def digest(arrays: Iterable[np.ndarray[Any, Any]]) -> str:
    """Return the name of what is made of these arrays by this version of the preparation."""
    content = hashlib.sha256(f"texture {VERSION} {SIZE_PX}".encode())
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def read(name: str) -> Prepared | None:
    """Read what was kept under a name; None where there is nothing, or nothing whole."""
    path = folder() / f"{name}.npz"
    try:
        if not 0 < path.stat().st_size <= _MOST_BYTES:
            return None
        fields = _fields(path)
        os.utime(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError, MemoryError):
        return None
    depth, opening = (float(number) for number in fields["numbers"])
    return Prepared(fields["pixels"], fields["skin"], depth, fields["proportions"], opening)


def _fields(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read all arrays of a file. Raises: OSError, ValueError and what zip files raise when broken."""
    with zipfile.ZipFile(path) as whole:  # a few kB can unpack to GB
        if sum(part.file_size for part in whole.infolist()) > _MOST_BYTES:
            raise ValueError("too large")
    with np.load(path, allow_pickle=False) as file:
        fields = {key: np.asarray(file[key]) for key in _FIELDS}
    for key, (shape, kind, most) in _FIELDS.items():
        array = fields[key]
        if array.shape != shape or array.dtype != kind or not np.isfinite(array).all() or np.abs(array).max() > most:
            raise ValueError(key)
    return fields


def write(name: str, prepared: Prepared) -> None:
    """Keep under a name, whole or not at all; that it cannot is said once and does no harm."""
    place = folder()
    numbers = np.array((prepared.depth, prepared.opening), np.float32)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=place)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    pixels=prepared.pixels,
                    skin=prepared.skin,
                    proportions=prepared.proportions,
                    numbers=numbers,
                )
            os.replace(unfinished, place / f"{name}.npz")
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        _make_room(place)
    except OSError as error:
        if str(place) not in _told:
            _told.add(str(place))
            log.warning(
                "cannot keep prepared faces in %s (%s); they are made again each time", place, error.strerror or error
            )


def clear() -> None:
    """Drop all files: what was made of a face goes with the face. Raises: FaceError."""
    try:
        for path in _files(folder()):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FaceError(f"cannot empty {folder()} ({error.strerror or error}); delete the folder by hand") from error


def _make_room(place: Path) -> None:
    files = _files(place)
    for path in files[: max(0, len(files) - MOST_FILES)]:
        path.unlink(missing_ok=True)


def _files(place: Path) -> list[Path]:
    """Return what is ours in a folder, the longest unused first."""
    found = []
    for path in place.iterdir() if place.is_dir() else ():
        if path.suffix == ".npz" or path.name.startswith(".unfinished-"):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue  # another process made room
    return [path for _, path in sorted(found)]
