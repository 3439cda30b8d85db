"""Where everything lies in the region: the mesh drawn on a coarse grid of cells, brought to full resolution when asked.

Between the cells everything is linear, as triangles are; only their edges are a cell (1.2 % of the face) wide.
Knows landmarks; knows nothing about pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np

from live.swap.mesh import raster
from live.swap.mesh.canvas import ramp
from live.swap.mesh.topology import VERTICES, Topology
from live.values import Box, Floats

_CELLS = 80  # across a face
_TURNED_AWAY = -0.12  # cosine: noise turns triangles at the silhouette by this much
_BENT_PX = (0.15, 0.75)  # shifts below are not worth a resampled pixel


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of cells and the pixels of the region under it."""

    left_px: int
    top_px: int
    """Of the first cell's corner; at most a cell outside the region."""
    step_px: int
    area: Box
    """px of the region, clipped to it."""

    def places(self, cells: tuple[int, ...]) -> Floats:
        """Return the middles (h, w, 2) of (h, w) cells in px of the region."""
        places = np.empty((cells[0], cells[1], 2), np.float32)
        places[..., 0], places[..., 1] = self.middles(cells)
        return places

    def middles(self, cells: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return the same as columns (1, w) and rows (h, 1)."""
        middle = (self.step_px - 1) / 2
        columns = np.arange(cells[1], dtype=np.float32) * self.step_px + np.float32(self.left_px + middle)
        rows = np.arange(cells[0], dtype=np.float32) * self.step_px + np.float32(self.top_px + middle)
        return columns[None], rows[:, None]

    def enlarged(self, cells: Floats) -> Floats:
        """Bring values (h, w) or (h, w, K) of the cells to the area's resolution."""
        height, width = cells.shape[:2]
        full = cells
        if self.step_px > 1:
            full = cv2.resize(cells, (width * self.step_px, height * self.step_px), interpolation=cv2.INTER_LINEAR)
        x1, y1, x2, y2 = self.area
        return full[y1 - self.top_px : y2 - self.top_px, x1 - self.left_px : x2 - self.left_px]


@dataclass(frozen=True, slots=True, eq=False)
class Bent:
    """The target's own picture, bent to the worn face's proportions."""

    part: Part
    origin: Floats
    """(h, w, 2) px of the region that each cell's content comes from."""
    share: Floats
    """(h, w) 0..1: 1 where that is another place than the cell's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The mesh, seen."""

    part: Part
    at: Floats
    """(h, w, 2) canvas coordinates, 0..1, of each cell."""
    face: Floats
    """(h, w) 1 where the face (not its ring) is seen."""
    own: Floats
    """(h, w, 2) px of the region where the target's own face has what each cell shows."""
    bent: Bent | None
    """None where no point was moved."""


def draw(landmarks: Floats, placed: Floats, facing: Floats, size: tuple[int, int], topology: Topology) -> Drawn:
    """Draw the mesh; the grid is anchored to the landmarks, so the same face gives the same cells in any region.

    Args: landmarks, placed (468, 3) px: where the target's points are and where the worn face has them (the same object
        where nothing moves); facing (T,) cosine per triangle; size (height, width) px of the region.
    Raises: ValueError when the face lies outside the region.
    """
    step = max(1, round(float(landmarks[:, 0].max() - landmarks[:, 0].min()) / _CELLS))
    limit = size[1], size[0]
    own = topology.with_ring(landmarks[:, :2])
    points, moved = own, placed is not landmarks
    if moved:
        points = own.copy()
        points[:VERTICES] = placed[:, :2]
    least, most = _extent(points if moved else points[:VERTICES])  # the ring is needed where the surroundings bend
    low = [floor(value) - step for value in least]
    origin = [value + max(-value, 0) // step * step for value in low]
    high = [min(ceil(value) + step, end) for value, end in zip(most, limit)]
    width, height = (-(-(end - max(start, 0)) // step) for start, end in zip(origin, high))
    if width <= 0 or height <= 0:
        raise ValueError(f"the face lies outside its region: {_where(placed)}, region {size[1]} x {size[0]} px")
    width, height = (-(-(end - start) // step) for start, end in zip(origin, high))
    cells = (points - np.array(origin, np.float32) + np.float32(0.5)) / np.float32(step) - np.float32(0.5)
    seen = raster.draw(cells, topology.triangles, _order(placed, facing, topology), (height, width))
    values = np.concatenate([topology.canvas, own], axis=1) if moved else topology.canvas
    filled = raster.fill(seen, raster.planes(cells, values, topology.triangles))
    face = (seen.view(np.uint32) < topology.face_triangles).astype(np.float32)  # EMPTY is then the greatest number
    if not moved:
        part = _part(origin, step, seen.shape, limit)
        return Drawn(part, cv2.merge((filled[0], filled[1])), face, part.places(seen.shape), None)
    least, most = _extent(cells[:VERTICES])
    left, top = (max(floor(value) - 1, 0) for value in least)
    right, bottom = (min(ceil(value) + 2, end) for value, end in zip(most, (width, height)))
    if right <= left or bottom <= top:
        raise ValueError(f"the face lies outside its region: {_where(placed)}, region {size[1]} x {size[0]} px")
    inside = slice(top, bottom), slice(left, right)
    part = _part([origin[0] + left * step, origin[1] + top * step], step, face[inside].shape, limit)
    bent = _bend(filled[2], filled[3], seen, _part(origin, step, seen.shape, limit))
    at = cv2.merge((np.ascontiguousarray(filled[0][inside]), np.ascontiguousarray(filled[1][inside])))
    return Drawn(part, at, np.ascontiguousarray(face[inside]), bent.origin[inside], bent)


def _bend(x: Floats, y: Floats, seen: raster.Ids, part: Part) -> Bent:
    """Return where each cell's content comes from: x, y (h, w) px under triangles, its own place elsewhere."""
    columns, rows = part.middles(seen.shape)
    empty = seen == raster.EMPTY
    x, y = np.where(empty, columns, x), np.where(empty, rows, y)
    return Bent(part, cv2.merge((x, y)), ramp(np.maximum(np.abs(x - columns), np.abs(y - rows)), *_BENT_PX))


def _extent(points: Floats) -> tuple[list[float], list[float]]:
    """Return the least and the greatest x and y of points (N, 2)."""
    columns = np.ascontiguousarray(points.T)
    return columns.min(axis=1).tolist(), columns.max(axis=1).tolist()


def _part(origin: list[int], step: int, cells: tuple[int, ...], limit: tuple[int, int]) -> Part:
    left, top = origin
    right, bottom = min(left + cells[1] * step, limit[0]), min(top + cells[0] * step, limit[1])
    return Part(left, top, step, (max(left, 0), max(top, 0), right, bottom))


def _order(points: Floats, facing: Floats, topology: Topology) -> raster.Ids:
    """Return which triangles are drawn: the ring, then those that face the camera, the farthest first."""
    shown = np.flatnonzero(facing > _TURNED_AWAY).astype(np.int32)
    depth = points[:, 2].take(topology.triangles.take(shown, axis=0).T).sum(axis=0)
    ring = np.arange(topology.face_triangles, len(topology.triangles), dtype=np.int32)
    return np.concatenate([ring, shown[np.argsort(-depth)]])


def _where(points: Floats) -> str:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return f"x {low[0]:.0f}..{high[0]:.0f}, y {low[1]:.0f}..{high[1]:.0f}"
