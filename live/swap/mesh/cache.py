"""Prepared textures of source faces on disk. Knows what a texture's file holds; knows nothing about how one is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from live.faces import shelf
from live.faces.shelf import Shelf, Slot
from live.nets.contract import Array
from live.swap.mesh.maps import SIZE_PX
from live.swap.mesh.topology import VERTICES
from live.values import Floats, Pixels

VERSION = 4
"""Raised when the same photos would give another texture."""
MOST_FILES = 64
"""1.3 MB each."""
_BASIS = 12
SHELF = Shelf(
    "textures",
    {
        "pixels": Slot((SIZE_PX, SIZE_PX, 3), "uint8", 255),
        "skin": Slot((_BASIS, 3), "float32", 100),
        "proportions": Slot((VERTICES, 3), "float32", 100),
        "numbers": Slot((2,), "float32", 100),
    },
    MOST_FILES,
)


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
    """Where the files are."""
    return SHELF.folder()


def digest(arrays: Iterable[Array]) -> str:
    """Return the name of what is made of these arrays by this version of the preparation."""
    return shelf.digest(f"texture {VERSION} {SIZE_PX}", arrays)


def read(name: str) -> Prepared | None:
    """Read what was kept under a name; None where there is nothing, or nothing whole."""
    found = SHELF.read(name)
    if found is None:
        return None
    depth, opening = (float(number) for number in found["numbers"])
    return Prepared(found["pixels"], found["skin"], depth, found["proportions"], opening)


def write(name: str, prepared: Prepared) -> None:
    """Keep under a name, whole or not at all; that it cannot is said once and does no harm."""
    arrays: dict[str, Array] = {
        "pixels": prepared.pixels,
        "skin": prepared.skin,
        "proportions": prepared.proportions,
        "numbers": np.array((prepared.depth, prepared.opening), np.float32),
    }
    SHELF.write(name, arrays)
