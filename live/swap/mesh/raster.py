"""Draw a triangle mesh onto a grid of cells: which triangle is seen in each cell, and vertex values in between.

Pure arithmetic on arrays, without loops over triangles or cells. Knows nothing about faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from live.values import Floats

EMPTY = -1
_EDGE = np.float32(1e-3)  # cells; a centre on a shared edge must belong to both triangles, or cracks show
_SLIVER = 1e-4  # cells^2: twice the area below which a triangle has no usable plane

Ids = NDArray[np.int32]


def draw(points: Floats, triangles: Ids, order: Ids, size: tuple[int, int]) -> Ids:
    """Draw triangles in order, later over earlier; return the number of the triangle seen in each cell.

    Args: points (P, 2) float32 in cells, integers being cell centres; triangles (T, 3) of point numbers; order (N,)
        numbers of the triangles to draw, the farthest first; size (height, width) of the grid in cells.
    Returns: (height, width) int32, EMPTY where nothing was drawn.
    Source: spans between a triangle's long side and its two short ones, one per triangle and row.
    """
    height, width = size
    seen = np.full(height * width, EMPTY, np.int32)
    x, y = _by_height(points, triangles.take(order, axis=0).T)
    first = np.maximum(np.ceil(y[0]), 0).astype(np.int32)
    last = np.minimum(np.floor(y[2]), height - 1).astype(np.int32)
    triangle, row = _expand(first, last)
    long_start, long_slope = _line(x[0], y[0], x[2], y[2])
    upper_start, upper_slope = _line(x[0], y[0], x[1], y[1])
    lower_start, lower_slope = _line(x[1], y[1], x[2], y[2])
    height_of_row = row.astype(np.float32)
    below = height_of_row >= y[1].take(triangle, mode="clip")
    short = triangle + below * np.int32(len(order))
    short_start, short_slope = np.concatenate([upper_start, lower_start]), np.concatenate([upper_slope, lower_slope])
    along = long_start.take(triangle, mode="clip") + long_slope.take(triangle, mode="clip") * height_of_row
    across = short_start.take(short, mode="clip") + short_slope.take(short, mode="clip") * height_of_row
    left = np.ceil(np.minimum(along, across) - _EDGE)
    right = np.floor(np.maximum(along, across) + _EDGE)
    start = np.clip(left, 0, width).astype(np.int32)
    stop = np.clip(right, -1, width - 1).astype(np.int32)
    base = row * np.int32(width)
    span, cell = _expand(start + base, stop + base)
    seen[cell] = order.take(triangle, mode="clip").take(span, mode="clip")  # repeated cells keep the last value written
    return seen.reshape(size)


def planes(points: Floats, values: Floats, triangles: Ids) -> Floats:
    """Return per triangle the linear functions that interpolate vertex values.

    Args: points (P, 2) in cells; values (P, K); triangles (T, 3).
    Returns: (K, 3, T) float32: value = out[:, 0] * x + out[:, 1] * y + out[:, 2]; slivers keep their first corner's.
    """
    corners = triangles.T
    x, y = points[:, 0].take(corners), points[:, 1].take(corners)
    abx, aby, acx, acy = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    twice = abx * acy - aby * acx
    usable = np.abs(twice) > _SLIVER
    inverse = usable / np.where(usable, twice, np.float32(1))
    out = np.empty((values.shape[1], 3, len(triangles)), np.float32)
    for channel, column in zip(out, values.T):
        at = column.take(corners)
        ab, ac = (at[1] - at[0]) * inverse, (at[2] - at[0]) * inverse
        channel[0] = ab * acy - ac * aby
        channel[1] = ac * abx - ab * acx
        channel[2] = at[0] - channel[0] * x[0] - channel[1] * y[0]
    return out


def fill(seen: Ids, functions: Floats) -> Floats:
    """Evaluate each cell's triangle's linear functions; empty cells get some triangle's.

    Args: seen (H, W); functions (K, 3, T).  Returns: (K, H, W) float32.
    """
    height, width = seen.shape
    at = seen.ravel().astype(np.intp)
    column = np.arange(width, dtype=np.float32)
    row = np.arange(height, dtype=np.float32)[:, None]
    out = np.empty((len(functions), height, width), np.float32)
    for value, (across, down, constant) in zip(out, functions):
        np.multiply(across.take(at, mode="clip").reshape(height, width), column, out=value)
        value += down.take(at, mode="clip").reshape(height, width) * row
        value += constant.take(at, mode="clip").reshape(height, width)
    return out


def _by_height(points: Floats, corners: Ids) -> tuple[Floats, Floats]:
    """Return x and y (3, N) of the triangles' corners (3, N), top, middle, bottom."""
    x, y = points[:, 0].take(corners), points[:, 1].take(corners)
    for upper, lower in ((0, 1), (1, 2), (0, 1)):
        swapped = y[upper] > y[lower]
        for values in (x, y):
            above, below = values[upper].copy(), values[lower]
            values[upper] = np.where(swapped, below, above)
            values[lower] = np.where(swapped, above, below)
    return x, y


def _line(x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> tuple[Floats, Floats]:
    """Return x at y = 0 and the slope dx/dy of the lines through two points; level ones stay at the first point's x."""
    fall = y2 - y1
    level = fall < _EDGE
    slope = np.where(level, np.float32(0), (x2 - x1) / np.where(level, np.float32(1), fall)).astype(np.float32)
    return x1 - slope * y1, slope


def _expand(first: Ids, last: Ids) -> tuple[Ids, Ids]:
    """List all (number of range, value) pairs of the inclusive ranges first..last; last < first is an empty range."""
    counts = np.maximum(last - first + 1, 0)
    offset = np.cumsum(counts, dtype=np.int32) - counts  # of each range in the list
    number = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    value = np.arange(len(number), dtype=np.int32) - (offset - first).take(number, mode="clip")
    return number, value
