"""What is asked of a model's file by several: the hash of its content, and where that which is made of it is kept."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from live.resources import cache_dir


def content_hash(path: Path) -> str:
    """sha256 of a file, as hexadecimal digits; once per file as long as it is not changed."""
    now = path.stat()
    return _hash(path, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=64)
def _hash(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def nets_folder() -> Path:
    """What was made of networks: engines of TensorRT, what was found out about a file. May be deleted at any time."""
    return cache_dir() / "nets"
