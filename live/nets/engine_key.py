"""Under which name a built engine is kept: whatever could make it another one takes part in it. Pure."""

from __future__ import annotations

import hashlib
import importlib.metadata

from live.nets.backends import Present
from live.nets.ort_options import MOST_ROWS

VERSION = 1
"""Raised when the same would be built otherwise."""


def engine_key(backend: str, precision: str, digest: str, present: Present) -> str:
    """A file name for what a backend builds of a model's content on this computer."""
    card = present.gpu
    parts = [
        f"engine {VERSION}",
        backend,
        precision,
        digest,
        f"rows {MOST_ROWS.get(backend, 0)}",
        f"runtime {present.runtime}",
        f"tensorrt {tensorrt_version()}",
        f"{card.name} {card.capability} {card.driver}" if card else "no card",
    ]
    return f"{backend}-{hashlib.sha256(' | '.join(parts).encode()).hexdigest()[:32]}"


def tensorrt_version() -> str:
    """Of the installed TensorRT; empty where there is none."""
    for package in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
