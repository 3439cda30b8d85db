"""Where everything lies in the region: the mesh drawn on a coarse grid of cells, brought to full resolution when asked.

Between the cells everything is linear, as triangles are; only their edges are a cell (1.2 % of the face) wide.
Knows landmarks; knows nothing about pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        first = np.array((self.left_px, self.top_px), np.float32) + np.float32((self.step_px - 1) / 2)
        columns = np.arange(cells[1], dtype=np.float32) * self.step_px + first[0]
        rows = np.arange(cells[0], dtype=np.float32) * self.step_px + first[1]
        return np.stack(np.meshgrid(columns, rows), axis=2)

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
    step = max(1, round(float(np.ptp(landmarks[:, 0])) / _CELLS))
    limit = np.array((size[1], size[0]))
    own = topology.with_ring(landmarks[:, :2])
    points, moved = own, placed is not landmarks
    if moved:
        points = own.copy()
        points[:VERTICES] = placed[:, :2]
    extent = points if moved else points[:VERTICES]  # the ring is needed only where the surroundings bend
    low = np.floor(extent.min(axis=0)).astype(int) - step
    origin = low + np.maximum(-low, 0) // step * step
    high = np.minimum(np.ceil(extent.max(axis=0)).astype(int) + step, limit)
    if (high <= np.maximum(origin, 0)).any():
        raise ValueError(f"the face lies outside its region: {_where(placed)}, region {size[1]} x {size[0]} px")
    width, height = -(-(high - origin) // step)
    cells = ((points - origin + 0.5) / step - 0.5).astype(np.float32)
    seen = raster.draw(cells, topology.triangles, _order(placed, facing, topology), (int(height), int(width)))
    values = np.concatenate([topology.canvas, own], axis=1) if moved else topology.canvas
    filled = raster.fill(seen, raster.planes(cells, values, topology.triangles))
    face = ((seen >= 0) & (seen < topology.face_triangles)).astype(np.float32)
    if not moved:
        part = _part(origin, step, seen.shape, limit)
        return Drawn(part, cv2.merge((filled[0], filled[1])), face, part.places(seen.shape), None)
    inner_low = np.maximum(np.floor(cells[:VERTICES].min(axis=0)).astype(int) - 1, 0)
    inner_high = np.minimum(np.ceil(cells[:VERTICES].max(axis=0)).astype(int) + 2, (width, height))
    if (inner_high <= inner_low).any():
        raise ValueError(f"the face lies outside its region: {_where(placed)}, region {size[1]} x {size[0]} px")
    inside = slice(inner_low[1], inner_high[1]), slice(inner_low[0], inner_high[0])
    part = _part(origin + inner_low * step, step, face[inside].shape, limit)
    bent = _bend(filled[2], filled[3], seen, _part(origin, step, seen.shape, limit))
    at = cv2.merge((np.ascontiguousarray(filled[0][inside]), np.ascontiguousarray(filled[1][inside])))
    return Drawn(part, at, np.ascontiguousarray(face[inside]), bent.origin[inside], bent)


def _bend(x: Floats, y: Floats, seen: raster.Ids, part: Part) -> Bent:
    """Return where each cell's content comes from: x, y (h, w) px under triangles, its own place elsewhere."""
    places = part.places(seen.shape)
    origin = np.where((seen == raster.EMPTY)[..., None], places, cv2.merge((x, y)))
    return Bent(part, origin, ramp(np.abs(origin - places).max(axis=2), *_BENT_PX))


def _part(origin: raster.Ids, step: int, cells: tuple[int, ...], limit: raster.Ids) -> Part:
    left, top = int(origin[0]), int(origin[1])
    right, bottom = min(left + cells[1] * step, int(limit[0])), min(top + cells[0] * step, int(limit[1]))
    return Part(left, top, step, (max(left, 0), max(top, 0), right, bottom))


def _order(points: Floats, facing: Floats, topology: Topology) -> raster.Ids:
    """Return which triangles are drawn: the ring, then those that face the camera, the farthest first."""
    shown = np.flatnonzero(facing > _TURNED_AWAY).astype(np.int32)
    depth = points[:, 2].take(topology.triangles.take(shown, axis=0)).sum(axis=1)
    ring = np.arange(topology.face_triangles, len(topology.triangles), dtype=np.int32)
    return np.concatenate([ring, shown[np.argsort(-depth)]])


def _where(points: Floats) -> str:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return f"x {low[0]:.0f}..{high[0]:.0f}, y {low[1]:.0f}..{high[1]:.0f}"
