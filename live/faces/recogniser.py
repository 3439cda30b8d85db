"""Whose face it is, as a vector: computed once per source face and recogniser, kept with faces that are stored.

Stands behind the landmarks and a network of the catalogue; knows nothing about what a swapper makes of the vector.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from live.errors import FaceError, ModelError
from live.faces import shelf
from live.faces.alignment import destination, five_points, similarity
from live.faces.shelf import Shelf, Slot
from live.nets.contract import Runner
from live.nets.entry import Entry
from live.nets.pictures import fed
from live.nets.templates import template
from live.pixels import affine
from live.values import Floats, Photo, Pixels, SourceFace

VERSION = 1
"""Raised when the same photos would give another vector."""
MOST_FILES = 256
"""A few kB each."""
_MOST = 1e4
"""Beyond this a number of a vector is broken; those of the field's recognisers are below 10."""


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Whose face it is."""

    raw: Floats
    """(D,) as the recogniser gives it; of several photos: their common direction, as long as they are on average."""

    @property
    def unit(self) -> Floats:
        """(D,) of length 1."""
        return self.raw / np.float32(np.linalg.norm(self.raw))


class Recogniser:
    """A network that turns an upright face into a vector. Any thread, one at a time."""

    def __init__(self, entry: Entry, runner: Runner, digest: str) -> None:
        """Args: entry: role recogniser; runner: its network; digest: of the file's content.

        Raises: ModelError when the network gives no vector.
        """
        assert entry.input is not None
        output = runner.outputs[0].shape
        if len(output) != 2 or output[1] is None:
            raise ModelError(f"{entry.name}: a recogniser gives one vector per face, this file gives {output}")
        self._picture, self._runner, self._name = entry.input, runner, entry.name
        self._shelf = Shelf("identities", {"raw": Slot((output[1],), "float32", _MOST)}, MOST_FILES)
        self._key = f"identity {VERSION} {digest}"
        self._alone = threading.Lock()

    def identity(self, source: SourceFace) -> Identity:
        """Whose face a source face is; of a stored one read from the disk the second time.

        Raises: FaceError for photos of which no vector can be made; ModelError when the network fails.
        """
        photos = (Photo(source.image, source.landmarks), *source.more)
        if not source.stored:
            return self._of(photos, source.name)
        name = shelf.digest(self._key, [part for photo in photos for part in (photo.image, photo.landmarks)])
        kept = self._shelf.read(name)
        if kept is not None and kept["raw"].any():
            return Identity(kept["raw"])
        made = self._of(photos, source.name)
        self._shelf.write(name, {"raw": made.raw})
        return made

    def embed(self, photos: Sequence[Photo]) -> Floats:
        """The raw vectors (N, D) of N photos, in one run."""
        side, points = self._picture.size_px, template(self._picture.template or "arcface_112_v2")
        patches = np.zeros((len(photos), side, side, 3), np.uint8)
        for photo, patch in zip(photos, patches):
            patch[...] = upright(photo, points, side)
        batch = fed(patches, self._picture.normalisation)
        with self._alone:
            (found, *_) = self._runner.run({self._picture.input or self._runner.inputs[0].name: batch})
        return found

    def close(self) -> None:
        """Free the network."""
        with self._alone:
            self._runner.close()

    def _of(self, photos: Sequence[Photo], name: str) -> Identity:
        vectors = self.embed(photos)
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all() or np.abs(vectors).max() > _MOST:
            raise FaceError(f"{self._name} makes nothing of the photos of {name}; give other photos of that face")
        return Identity(mean_vector(vectors))


def mean_vector(vectors: Floats) -> Floats:
    """One vector (D,) for several (N, D) of one person: their mean direction, as long as they are on average."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    direction = (vectors / lengths).mean(axis=0)
    return np.asarray(direction * (lengths.mean() / max(float(np.linalg.norm(direction)), 1e-6)), np.float32)


def upright(photo: Photo, points: Floats, side_px: int) -> Pixels:
    """The face of a photo laid upright, (S, S, 3) BGR. Args: points (5, 2): a template, shares of the side."""
    matrix = similarity(five_points(photo.landmarks), destination(points, side_px))
    return affine.warp(photo.image, matrix, (side_px, side_px))
