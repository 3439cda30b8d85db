"""More pixels out of a small network: every k-th pixel of a large patch makes a small one, and all go in one batch.

Pure. The k x k small patches show the same face, each a fraction of a pixel beside the next; dealt back in turn their
results make the large picture.
"""

from __future__ import annotations

from live.nets.contract import Array


def dealt(patches: Array, boost: int) -> Array:
    """(N, k S, k S, C) -> (N k k, S, S, C): rows first, then columns, face by face."""
    count, side = len(patches), patches.shape[1] // boost
    tiles = patches.reshape(count, side, boost, side, boost, -1).transpose(0, 2, 4, 1, 3, 5)
    return tiles.reshape(count * boost * boost, side, side, -1)


def gathered(tiles: Array, boost: int) -> Array:
    """The way back: (N k k, S, S, C) -> (N, k S, k S, C)."""
    side = tiles.shape[1]
    grid = tiles.reshape(-1, boost, boost, side, side, tiles.shape[-1]).transpose(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, side * boost, side * boost, tiles.shape[-1])
