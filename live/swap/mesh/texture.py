"""A source face as a texture on the canonical canvas: seen once, cleaned up, worn many times.

Runs when a source face is prepared, not in the frame path. The straight line from photos to texture; knows nothing
about targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from live.faces.masker import Masker
from live.swap.contract import Visible
from live.swap.mesh import cache, iris, light
from live.swap.mesh.cache import Prepared
from live.swap.mesh.canvas import Canvas
from live.swap.mesh.cover import covered
from live.swap.mesh.flatten import flattened
from live.swap.mesh.fuse import fused
from live.swap.mesh.maps import SIZE_PX as SIZE_PX
from live.swap.mesh.maps import field
from live.swap.mesh.repair import filled
from live.swap.mesh.unwrap import ask, unwrap
from live.values import Floats, Photo, Pixels, SourceFace

_LEVELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """What is worn."""

    levels: tuple[Pixels, ...]
    """(SIZE, SIZE, 4) BGR and 255 (remap of 4 channels takes 0.8 ms where 3 take 1.3), and halved: small faces take a
    small one, or it would shimmer."""
    skin: Floats
    """(K, 3) its smooth colour, coefficients of the canvas's basis."""
    plain: Floats
    """(GRID, GRID, 3) BGR 0..255: the same as colours."""
    depth: float
    """Of pupils and nostrils below the skin, log units."""
    proportions: Floats
    """(468, 3) canonical units."""
    opening: float
    """Of the mouth, height by width."""
    iris: Floats | None = None
    """(3,) logarithms of the irises' colour, BGR; None where no photo shows them."""


def make_texture(source: SourceFace, canvas: Canvas, masker: Masker | None = None) -> Texture:
    """Turn a source face into a texture; one that is stored on this computer is read from the cache the next time.

    Args: masker: tells hair, hands and glasses in the photos; without it they are guessed from colours.
    """
    photos = (Photo(source.image, source.landmarks), *source.more)
    seen = [None if masker is None else ask(masker, photo) for photo in photos]
    if not source.stored:
        return _texture(_prepared(photos, seen, canvas), photos, canvas)
    parts = [part for photo in photos for part in (photo.image, photo.landmarks)]
    name = cache.digest(parts + [one.mask for one in seen if one is not None])
    kept = cache.read(name)
    if kept is None:
        kept = _prepared(photos, seen, canvas)
        cache.write(name, kept)
    return _texture(kept, photos, canvas)


def _prepared(photos: Sequence[Photo], seen: Sequence[Visible | None], canvas: Canvas) -> Prepared:
    """Do the work."""
    views = [flattened(unwrap(photo, canvas, visible), canvas) for photo, visible in zip(photos, seen)]
    view, hole = fused(views, [np.maximum(view.hidden, covered(view, canvas)) for view in views], canvas)
    pixels = filled(view, hole, canvas).astype(np.uint8)
    return Prepared(pixels, view.skin, view.depth, view.proportions, view.opening)


def _texture(prepared: Prepared, photos: Sequence[Photo], canvas: Canvas) -> Texture:
    """Add what is quickly made of the rest."""
    levels: list[Pixels] = [cv2.cvtColor(prepared.pixels, cv2.COLOR_BGR2BGRA)]
    for _ in range(1, _LEVELS):
        side = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA))
    plain: Floats = np.clip(np.exp(field(prepared.skin, canvas)) - light.OFFSET, 0, 255)
    colour = iris.colour_of(photos, float(light.mean_colour(prepared.skin, canvas).mean()))
    return Texture(tuple(levels), prepared.skin, plain, prepared.depth, prepared.proportions, prepared.opening, colour)
