"""The bundled people: composites, averages of many generated faces. Knows their files; nothing about who wears them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from live.errors import FaceError
from live.resources import people_dir
from live.values import Floats, Pixels

LANDMARK_FRACTION = 64
"""people.npz stores px x 64."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One bundled person."""

    name: str
    image: Pixels
    """(H, W, 3) BGR, upright, before a grey backdrop."""
    matte: Pixels
    """(H, W) 0..255: how much of the pixel is the person."""
    landmarks: Floats
    """(478, 3) px of `image`."""


def people_names() -> list[str]:
    """The bundled people, in alphabetical order."""
    return sorted(_landmarks(people_dir()))


def read_person(name: str) -> Person:
    """Read one person. Raises: FaceError naming those there are; FileNotFoundError if not installed whole."""
    folder = people_dir()
    known = _landmarks(folder)
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise FaceError(f"nobody is called {name!r}{hint}; there are {', '.join(sorted(known))}")
    path = folder / f"{name}.webp"
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        raise FileNotFoundError(f"{path} is broken; install live again")
    image, matte = np.ascontiguousarray(picture[:, :, :3]), np.ascontiguousarray(picture[:, :, 3])
    return Person(name, image, matte, known[name].copy())


@lru_cache(maxsize=4)
def _landmarks(folder: Path) -> dict[str, Floats]:
    with np.load(folder / "people.npz", allow_pickle=False) as stored:
        landmarks = stored["landmarks"].astype(np.float32) / LANDMARK_FRACTION
        return {str(name): points for name, points in zip(stored["name"], landmarks)}
