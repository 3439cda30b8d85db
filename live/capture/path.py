"""A path that the user gave for a video or a picture, checked: it is there, a file, not empty, readable."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from live.errors import UsageError

NAMES_LOOKED_AT = 10_000


def existing_file(given: str) -> Path:
    """The path itself. Raises: UsageError saying what is wrong with it and which names are near."""
    path = Path(given).expanduser()
    given = given if given.isprintable() else repr(given)
    try:
        if path.is_dir():
            raise UsageError(f"{given} is a folder; give one video or picture in it{_near(path / 'x')}")
        if not path.exists():
            raise UsageError(f"there is no file {given}{_near(path)}")
        if not path.is_file():
            raise UsageError(f"{given} is not a file; give a video, a picture, or an address such as camera or screen")
        if path.stat().st_size == 0:
            raise UsageError(f"{given} is empty (0 bytes); give a video or a picture")
    except (OSError, ValueError) as error:  # a name too long, a null character, a folder that may not be entered
        raise UsageError(f"{given[:200]!r} cannot be looked up: {getattr(error, 'strerror', None) or error}") from error
    if not os.access(path, os.R_OK):
        raise UsageError(f"{given} may not be read by this user; change its permissions (chmod +r) or choose another")
    return path


def similar_names(path: Path) -> list[str]:
    """Up to three names in the path's folder that are like its own."""
    try:
        names = [entry.name for entry in islice(os.scandir(path.parent), NAMES_LOOKED_AT) if entry.is_file()]
    except (OSError, ValueError):
        return []
    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(path.name.lower(), by_lower, n=3, cutoff=0.6)
    same_stem = [name for lower, name in by_lower.items() if Path(lower).stem == path.stem.lower()]
    return list(dict.fromkeys([*same_stem, *(by_lower[name] for name in found)]))[:3]


def _near(path: Path) -> str:
    names = similar_names(path)
    if names:
        return f"; in that folder is {' and '.join(names)}" if len(names) < 3 else f"; near: {', '.join(names)}"
    return "" if path.parent.is_dir() else f"; there is no folder {path.parent} either"
