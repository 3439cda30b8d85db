"""Dealing a large patch out to small ones."""

from __future__ import annotations

import numpy as np
import pytest

from live.swap.boost import dealt, gathered


@pytest.mark.parametrize("boost", [1, 2, 3, 4])
def test_every_kth_pixel_makes_a_tile_and_all_come_back(boost: int) -> None:
    patches = np.random.default_rng(0).integers(0, 256, (3, 5 * boost, 5 * boost, 3), np.uint8)
    tiles = dealt(patches, boost)
    assert tiles.shape == (3 * boost * boost, 5, 5, 3)
    for face in range(3):
        for row in range(boost):
            for column in range(boost):
                tile = tiles[(face * boost + row) * boost + column]
                assert np.array_equal(tile, patches[face, row::boost, column::boost])
    assert np.array_equal(gathered(tiles, boost), patches)
