"""What a swapper is told of whose face to make: a vector in its own space, or a picture; made once per source face.

Knows entries, recognisers and projections; knows nothing about targets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from live.errors import FaceError, ModelError
from live.faces.recogniser import Recogniser, upright
from live.nets.contract import Array, Runner
from live.nets.entry import Embedding, Entry, Likeness
from live.nets.pictures import fed
from live.nets.templates import template
from live.values import Floats, Photo, SourceFace

MOST_KEPT = 64
"""Source faces that are kept prepared; the oldest makes room."""


class Projection(Protocol):
    """Turns a recogniser's vector into the swapper's."""

    def __call__(self, vector: Floats, /) -> Floats:
        """(D,) -> (D,)."""
        ...

    def close(self) -> None:
        """Free what it runs on; may be called twice."""
        ...


class Emap:
    """A projection that is one matrix."""

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix

    def __call__(self, vector: Floats, /) -> Floats:
        """(D,) -> (D,)."""
        return vector @ self._matrix

    def close(self) -> None:
        """Nothing is held."""


class Projector:
    """A projection that is a network of its own."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._input = runner, runner.inputs[0].name

    def __call__(self, vector: Floats, /) -> Floats:
        """(D,) -> (D,). Raises: ModelError."""
        return self._runner.run({self._input: vector[None]})[0][0]

    def close(self) -> None:
        """Free the network."""
        self._runner.close()


class Identities:
    """The source faces of a swapper; any thread."""

    def __init__(
        self, entry: Entry, recogniser: Recogniser | None = None, projection: Projection | None = None
    ) -> None:
        """Args: recogniser: of the entry's, where its identity is a vector; projection: (D,) -> (D,), where it has one.

        Raises: ModelError when one is missing.
        """
        self._how = entry.identity
        if isinstance(self._how, Embedding):
            if recogniser is None:
                raise ModelError(f"{entry.name} needs the recogniser {self._how.recogniser}")
            if projection is None and self._how.projection != "none":
                raise ModelError(f"{entry.name} needs its projection, {self._how.projection}")
        self._recogniser, self._projection = recogniser, projection
        self._kept: dict[str, Array] = {}
        self._alone = threading.Lock()

    def of(self, source: SourceFace) -> Array | None:
        """What is fed for a source face, without the rows: (D,) or (3, S, S); None for networks that know one face.

        The first time slow. Raises: FaceError for photos of which nothing can be made; ModelError.
        """
        if self._how is None:
            return None
        with self._alone:
            kept = self._kept.pop(source.key, None)
            if kept is None:
                kept = self._made(self._how, source)
            self._kept[source.key] = kept  # the newest stands last
            for key in list(self._kept)[:-MOST_KEPT]:
                del self._kept[key]
        return kept

    def has(self, source: SourceFace) -> bool:
        """Whether `of` is free."""
        return self._how is None or source.key in self._kept

    def close(self) -> None:
        """Free the networks."""
        with self._alone:
            if self._recogniser is not None:
                self._recogniser.close()
            if self._projection is not None:
                self._projection.close()

    def _made(self, how: Embedding | Likeness, source: SourceFace) -> Array:
        if isinstance(how, Likeness):
            picture = how.picture
            points = template(picture.template or "arcface_112_v2")
            face = upright(Photo(source.image, source.landmarks), points, picture.size_px)
            return fed(face[None], picture.normalisation)[0]
        assert self._recogniser is not None
        vector = projected(self._recogniser.identity(source).raw, how, self._projection)
        if not np.isfinite(vector).all() or not vector.any():
            raise FaceError(f"nothing can be made of the photos of {source.name}; give other photos of that face")
        return vector


def projected(raw: Floats, how: Embedding, projection: Callable[[Floats], Floats] | None) -> Floats:
    """A recogniser's raw vector (D,) as a swapper wants it, (D,)."""
    vector = _unit(raw) if how.normalise_first else raw
    if projection is not None:
        vector = projection(vector)
    return np.asarray(_unit(vector) if how.normalise_last else vector, np.float32)


def _unit(vector: Floats) -> Floats:
    """The vector of length 1; one of length 0 stays."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / np.float32(length), np.float32) if length > 0 else vector


def between(before: Array, after: Array, share: float) -> Array:
    """A vector (D,) on the way from one to another, as long as it has to be; share 0..1."""
    mixed = before + np.float32(share) * (after - before)
    lengths = [float(np.linalg.norm(vector)) for vector in (before, after, mixed)]
    wanted = lengths[0] + share * (lengths[1] - lengths[0])
    return np.asarray(mixed * np.float32(wanted / lengths[2]), np.float32) if lengths[2] > 1e-3 * wanted else after
