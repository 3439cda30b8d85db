"""What was made of source faces, kept on disk so that making it again costs a read: one file each, bounded in number.

A file's name is the hash of all that its content was made of. What is read is untrusted: a file that is not whole and
plausible is as good as none. Only what belongs to a face that is stored on this computer may be kept, and it goes with
that face. Knows files and arrays; knows nothing about what they mean.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from live.errors import FaceError
from live.nets.contract import Array
from live.resources import cache_dir

log = logging.getLogger(__name__)

SHELVES = ("textures", "identities")
"""Folders of things that were made of faces."""
_UNFINISHED = ".unfinished-"
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Slot:
    """One array of a file."""

    shape: tuple[int, ...]
    kind: str
    """As numpy names its type."""
    most: float
    """Largest absolute value."""


@dataclass(frozen=True)
class Shelf:
    """Files of one kind."""

    name: str
    """One of `SHELVES`."""
    slots: Mapping[str, Slot]
    most_files: int
    """The one that was used longest ago makes room."""
    told: set[str] = field(default_factory=set)
    """Folders about which was said that they cannot be written to."""

    def folder(self) -> Path:
        """Where the files are."""
        return cache_dir() / self.name

    def read(self, name: str) -> dict[str, Array] | None:
        """The arrays kept under a name; None where there is nothing, or nothing whole."""
        path = self.folder() / f"{name}.npz"
        try:
            if not 0 < path.stat().st_size <= self._most_bytes():
                return None
            found = self._arrays(path)
            os.utime(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError, MemoryError):
            return None
        return found

    def write(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Keep arrays under a name, whole or not at all; that it cannot is said once and does no harm."""
        place = self.folder()
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=place)
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, allow_pickle=False, **{key: arrays[key] for key in self.slots})
                os.replace(unfinished, place / f"{name}.npz")
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
            self._make_room()
        except OSError as error:
            if str(place) not in self.told:
                self.told.add(str(place))
                reason = error.strerror or error
                log.warning("cannot keep prepared faces in %s (%s); they are made again each time", place, reason)

    def _arrays(self, path: Path) -> dict[str, Array]:
        """Read all arrays of a file. Raises: OSError, ValueError and what zip files raise when broken."""
        with zipfile.ZipFile(path) as whole:  # a few kB can unpack to GB
            if sum(part.file_size for part in whole.infolist()) > self._most_bytes():
                raise ValueError("too large")
        with np.load(path, allow_pickle=False) as file:
            found = {key: np.asarray(file[key]) for key in self.slots}
        for key, slot in self.slots.items():
            array = found[key]
            fits = array.shape == slot.shape and array.dtype == slot.kind
            if not fits or not np.isfinite(array).all() or np.abs(array).max() > slot.most:
                raise ValueError(key)
        return found

    def _most_bytes(self) -> int:
        sizes = (int(np.prod(slot.shape)) * np.dtype(slot.kind).itemsize for slot in self.slots.values())
        return 2 * sum(sizes) + _HEAD_BYTES

    def _make_room(self) -> None:
        files = _files(self.folder())
        for path in files[: max(0, len(files) - self.most_files)]:
            path.unlink(missing_ok=True)


def digest(kind: str, arrays: Iterable[Array]) -> str:
    """The name of what is made of these arrays. Args: kind: what it is, with the version of how it is made."""
    content = hashlib.sha256(kind.encode())
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def clear() -> None:
    """Drop all that was made of faces: it goes with them. Raises: FaceError."""
    for name in SHELVES:
        folder = cache_dir() / name
        try:
            for path in _files(folder):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise FaceError(f"cannot empty {folder} ({error.strerror or error}); delete the folder by hand") from error


def _files(place: Path) -> list[Path]:
    """What is ours in a folder, the longest unused first."""
    found = []
    for path in place.iterdir() if place.is_dir() else ():
        if path.suffix == ".npz" or path.name.startswith(_UNFINISHED):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue  # another process made room
    return [path for _, path in sorted(found)]
