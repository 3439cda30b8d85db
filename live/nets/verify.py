"""Whether a model's file is the one that the catalogue means. A hash that nobody published is kept after the first
download, beside the file as `sha256sum` writes it, and held to from then on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from live.errors import ModelError
from live.nets.catalogue import Catalogue, Entry

_LINE = re.compile(r"^([0-9a-f]{64}) [ *]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a file gave."""

    there: bool
    fine: bool
    text: str
    """One line."""


def hash_of(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises: ModelError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}); allow it and try again") from None


def expected(catalogue: Catalogue, entry: Entry) -> str | None:
    """The hash a file has to have: the catalogue's, else the one kept from the first download, else None."""
    if entry.sha256 is not None:
        return entry.sha256
    try:
        found = _LINE.match(_pin(catalogue.path(entry)).read_text("ascii")[:200])
    except (OSError, UnicodeDecodeError):
        return None
    return found[1] if found else None


def keep(path: Path, sha256: str) -> None:
    """Keep the hash of a file that nobody published one of. Raises: OSError."""
    _pin(path).write_text(f"{sha256}  {path.name}\n", "ascii")


def forget(path: Path) -> None:
    """Forget a kept hash. Raises: OSError."""
    _pin(path).unlink(missing_ok=True)


def look(catalogue: Catalogue, entry: Entry, *, hashed: bool = True) -> Verdict:
    """Look at a model's file. Args: hashed: read it all; False: only its size. Raises: ModelError."""
    path = catalogue.path(entry)
    if not path.is_file():
        return Verdict(False, False, f"not there; bring it with: {bring(entry)}")
    size = path.stat().st_size
    again = f"live models remove {entry.name}, then: {bring(entry)}"
    if entry.bytes is not None and size != entry.bytes:
        return Verdict(True, False, f"{size} bytes instead of {entry.bytes}; {again}")
    if not size:
        return Verdict(True, False, f"empty; {again}")
    if not hashed:
        return Verdict(True, True, f"{size / 1e6:.1f} MB")
    known, found = expected(catalogue, entry), hash_of(path)
    if known is None:
        return Verdict(True, True, f"{size / 1e6:.1f} MB, sha256 {found}; nobody published one to compare with")
    if found != known:
        return Verdict(True, False, f"another file: sha256 {found} instead of {known}; {again}")
    kept = "" if entry.sha256 else " (as at the first download; nobody published one)"
    return Verdict(True, True, f"{size / 1e6:.1f} MB, sha256 {found}{kept}")


def bring(entry: Entry) -> str:
    """The command that brings a model's file."""
    if entry.embedded:
        return "pip install --force-reinstall live-faceswap"
    return "live models add FILE" if entry.own else f"live models pull {entry.name}"


def _pin(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
