"""The cheapest way to pair rows with columns. Pure; for the few faces and people of a scene."""

from __future__ import annotations

import numpy as np

from live.values import Floats


def cheapest_pairs(costs: Floats, alone: float) -> dict[int, int]:
    """Pair rows with columns so that the sum of costs is least; whoever is not paired costs `alone`.

    Args: costs (R, C) finite; pairs that cost `alone` or more are never made.
    Returns: column by row.
    Source: shortest augmenting paths with potentials, Jonker and Volgenant 1987; O(R^2 (R + C)).
    """
    rows, columns = costs.shape
    # every row has a column of its own that stands for staying alone
    table = np.concatenate([costs, np.full((rows, rows), alone)], axis=1).astype(np.float64)
    paid, worth = np.zeros(rows), np.zeros(columns + rows)
    owner = np.full(columns + rows, -1)
    for row in range(rows):
        way = np.full(columns + rows, -1)
        least = np.full(columns + rows, np.inf)
        done = np.zeros(columns + rows, bool)
        here, last = row, -1
        while True:
            reached = table[here] - paid[here] - worth
            nearer = ~done & (reached < least)
            least[nearer], way[nearer] = reached[nearer], last
            last = int(np.where(done, np.inf, least).argmin())
            step = least[last]
            paid[row] += step
            paid[owner[done]] += step
            worth[done] -= step
            least[~done] -= step
            done[last] = True
            if owner[last] < 0:
                break
            here = int(owner[last])
        while last >= 0:
            before = int(way[last])
            owner[last] = row if before < 0 else owner[before]
            last = before
    pairs = {int(owner[column]): column for column in range(columns) if owner[column] >= 0}
    return {row: column for row, column in pairs.items() if costs[row, column] < alone}
