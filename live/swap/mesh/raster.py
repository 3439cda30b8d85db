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
    triangle, row = _spread(np.arange(len(order), dtype=np.int32), first, last)
    starts, slopes = _lines(x, y)
    height_of_row = row.astype(np.float32)
    below = height_of_row >= y[1].take(triangle, mode="clip")
    short = triangle + below * np.int32(len(order))
    along = slopes[0].take(triangle, mode="clip")
    along *= height_of_row
    along += starts[0].take(triangle, mode="clip")
    across = slopes[1:].ravel().take(short, mode="clip")
    across *= height_of_row
    across += starts[1:].ravel().take(short, mode="clip")
    left, right = np.minimum(along, across), np.maximum(along, across)
    left -= _EDGE
    right += _EDGE
    start = np.minimum(np.maximum(np.ceil(left, out=left), 0, out=left), width, out=left).astype(np.int32)
    stop = np.minimum(np.maximum(np.floor(right, out=right), -1, out=right), width - 1, out=right).astype(np.int32)
    base = row * np.int32(width)
    start += base
    stop += base
    number, cell = _spread(order.take(triangle, mode="clip"), start, stop)
    seen[cell.astype(np.intp)] = number  # repeated cells keep the last value written; other indices take twice as long
    return seen.reshape(size)


def planes(points: Floats, values: Floats, triangles: Ids) -> Floats:
    """Return per triangle the linear functions that interpolate vertex values.

    Args: points (P, 2) in cells; values (P, K); triangles (T, 3).
    Returns: (K, 3, T) float32: value = out[:, 0] * x + out[:, 1] * y + out[:, 2]; slivers keep their first corner's.
    """
    corners = np.ascontiguousarray(triangles.T, np.intp)
    x, y = points[:, 0].take(corners), points[:, 1].take(corners)
    abx, aby, acx, acy = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    twice = abx * acy - aby * acx
    usable = np.abs(twice) > _SLIVER
    inverse = usable / np.where(usable, twice, np.float32(1))
    at = values.T.take(corners, axis=1)  # (K, 3, T)
    ab, ac = (at[:, 1] - at[:, 0]) * inverse, (at[:, 2] - at[:, 0]) * inverse
    across, down = ab * acy - ac * aby, ac * abx - ab * acx
    return np.stack([across, down, at[:, 0] - across * x[0] - down * y[0]], axis=1)


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
    place = np.empty(len(points), np.complex64)  # numpy compares complex numbers by their real parts first
    place.real, place.imag = points[:, 1], points[:, 0]
    one, other, third = place.take(corners)
    above, below = np.minimum(one, other), np.maximum(one, other)
    middle = np.minimum(below, third)
    ordered = np.stack([np.minimum(above, middle), np.maximum(above, middle), np.maximum(below, third)])
    return ordered.imag, ordered.real


def _lines(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return x at y = 0 and the slope dx/dy, each (3, N), of the lines through triangles' corners (3, N).

    The lines: top to bottom, top to middle, middle to bottom; level ones stay at the first corner's x.
    """
    from_, to = (0, 0, 1), (2, 1, 2)
    x1, y1 = x.take(from_, axis=0), y.take(from_, axis=0)
    fall = y.take(to, axis=0) - y1
    level = fall < _EDGE
    fall[level] = 1
    slope = x.take(to, axis=0) - x1
    slope /= fall
    slope[level] = 0
    return x1 - slope * y1, slope


def _spread(values: Ids, first: Ids, last: Ids) -> tuple[Ids, Ids]:
    """List (value, place) for every place of the inclusive ranges first..last, one per value; last < first is empty."""
    counts = np.maximum(last - first + 1, 0)
    pairs = np.empty((len(counts), 2), np.int32)
    pairs[:, 0] = values
    pairs[:, 1] = first - (np.cumsum(counts, dtype=np.int32) - counts)  # minus where the range begins in the list
    listed = np.repeat(pairs.view(np.int64).ravel(), counts).view(np.int32).reshape(-1, 2)
    return listed[:, 0], np.arange(len(listed), dtype=np.int32) + listed[:, 1]
