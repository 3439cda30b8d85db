"""Where everything lies in the region, on the device: the mesh drawn on a grid of cells, brought to full resolution.

What draw.py and raster.py do, with shapes that never change: the grid has a fixed number of cells, and lies on the
host's where these suffice. Knows landmarks; knows nothing about pictures.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.draw import _BENT_PX, _CELLS, _TURNED_AWAY
from live.swap.mesh.raster import _EDGE, _SLIVER
from live.swap.mesh.topology import VERTICES

_ROUND = float(_EDGE)  # torch.compile takes numbers of numpy for tensors
CELLS = 160
"""Along each side of the grid: 130 across the ring, about 108 down a face, as many as on the host."""
_MARGIN_CELLS = 4
_DEPTHS = 1 << 20
"""Steps of depth; with the triangle's number below them a cell's key fits 31 bits."""
_NUMBERS = 1 << 10
_LEVELS = CELLS.bit_length()


class Grid(NamedTuple):
    """Where the cells of N faces lie."""

    corner: Tensor
    """(N, 2) px: of the first cell, x and y."""
    step: Tensor
    """(N,) px."""

    def places(self) -> Tensor:
        """Return the middles (N, CELLS, CELLS, 2) of the cells in px of the region."""
        middles = (torch.arange(CELLS, device=self.step.device) + 0.5) * self.step[:, None] - 0.5  # (N, CELLS)
        x, y = self.corner[:, 0, None] + middles, self.corner[:, 1, None] + middles
        return torch.stack([x[:, None].expand(-1, CELLS, -1), y[:, :, None].expand(-1, -1, CELLS)], dim=-1)

    def enlarged(self, cells: Tensor, side_px: int) -> Tensor:
        """Bring values (N, K, CELLS, CELLS) of the cells to the resolution of the slot: (N, K, S, S)."""
        pixel = torch.arange(side_px, device=cells.device) + 0.5
        at = 2 * (pixel - self.corner[..., None]) / (CELLS * self.step[:, None, None]) - 1  # (N, 2, S)
        x, y = at[:, 0, None].expand(-1, side_px, -1), at[:, 1, :, None].expand(-1, -1, side_px)
        return F.grid_sample(cells, torch.stack([x, y], dim=-1), padding_mode="border", align_corners=False)


class Drawn(NamedTuple):
    """The meshes of N faces, seen."""

    grid: Grid
    at: Tensor
    """(N, CELLS, CELLS, 2) canvas coordinates, 0..1, of each cell."""
    face: Tensor
    """(N, CELLS, CELLS) 1 where the face (not its ring) is seen."""
    origin: Tensor
    """(N, CELLS, CELLS, 2) px of the region where the target's own face has what each cell shows."""
    share: Tensor
    """(N, CELLS, CELLS) 0..1: 1 where that is another place than the cell's own."""
    corner: Tensor
    """(N, 2) px: where the host's picture of the worn face begins."""


def draw(own: Tensor, placed: Tensor, facing: Tensor, bends: Tensor, tables: Tables) -> Drawn:
    """Draw the meshes.

    Args: own (N, P, 2) px: the target's points with their ring; placed (N, 468, 3) px: where the worn face has them;
        facing (N, T) cosine per face triangle; bends (N,) bool: where points were moved at all.
    """
    points = torch.cat([placed[..., :2], own[:, VERTICES:]], dim=1)
    grid, corner = _around(points, own, bends)
    cells = (points - grid.corner[:, None] + 0.5) / grid.step[:, None, None] - 0.5
    key = _seen(cells, _keys(placed, facing, tables), tables)
    values = torch.cat([tables.canvas.expand(len(own), -1, -1), own], dim=-1)  # (N, P, 4)
    filled = _filled(key, cells, values, tables)
    places = grid.places()
    rests = (key < 0) | ~bends[:, None, None]
    origin = torch.where(rests[..., None], places, filled[..., 2:])
    share = ramp((origin - places).abs().amax(dim=-1), *_BENT_PX)
    return Drawn(grid, filled[..., :2], (key >= _NUMBERS).float(), origin, share, corner)


def _around(points: Tensor, own: Tensor, bends: Tensor) -> tuple[Grid, Tensor]:
    """Lay the grid around points (N, P, 2), on the host's cells where its whole step needs no more of them.

    Returns: the grid, and where the host's picture of the face begins (N, 2) px.
    """
    low, high = points.amin(dim=1), points.amax(dim=1)
    width = own[:, :VERTICES, 0].amax(dim=1) - own[:, :VERTICES, 0].amin(dim=1)
    whole = torch.round(width / _CELLS).clamp(min=1)[:, None]
    step = whole.maximum((high - low).amax(dim=1, keepdim=True) / (CELLS - _MARGIN_CELLS))
    face = points[:, :VERTICES].amin(dim=1)
    anchor = torch.floor(torch.where(bends[:, None], low, face))
    before = torch.ceil((CELLS - (high - low) / step) / 2 + (anchor - low) / step)
    skipped = torch.floor((face - anchor + 0.5) / whole + 0.5) - 1  # cells of the ring's, above and left of the face
    corner = (anchor + torch.where(bends[:, None], skipped - 1, -1) * whole).clamp(min=0)
    return Grid(anchor - before * step, step[:, 0]), corner


def _keys(placed: Tensor, facing: Tensor, tables: Tables) -> Tensor:
    """Return what decides between triangles, (N, all T) int32: the greater is seen; -1 is not drawn.

    The ring's are their numbers; above them the face's, by nearness and with their number in the last 10 bits.
    """
    count = facing.shape[1]
    number = torch.arange(len(tables.triangles), dtype=torch.int32, device=placed.device).expand(len(placed), -1)
    away = placed[..., 2][:, tables.triangles[:count]].sum(dim=-1)
    far, near = away.amax(dim=1, keepdim=True), away.amin(dim=1, keepdim=True)
    nearness = (far - away) / (far - near).clamp(min=1e-6) * (_DEPTHS - 2)
    key = (nearness.int() + 1) * _NUMBERS + number[:, :count]
    return torch.cat([torch.where(facing > _TURNED_AWAY, key, -1), number[:, count:]], dim=1)


def _seen(cells: Tensor, keys: Tensor, tables: Tables) -> Tensor:
    """Return the key of the triangle seen in each cell, (N, CELLS, CELLS) int32; -1 where there is none.

    Each triangle covers one span per row. A span is covered by two that overlap and are a power of two long: these are
    entered in a table per power, and every table is handed down to the next smaller one.
    Args: cells (N, P, 2) px of the grid; keys (N, T).
    """
    left, right = _spans(cells, tables)  # (N, T, CELLS)
    drawn = right >= left
    length = torch.where(drawn, right - left + 1, 1)
    level = torch.frexp(length.float()).exponent - 1  # exact, unlike a logarithm
    row = torch.arange(CELLS, device=cells.device)
    base = (level * CELLS + row) * CELLS
    start = left.clamp(0, CELLS - 1)
    stop = torch.where(drawn, right + 1 - (1 << level), start)
    value = torch.where(drawn, keys[..., None], -1).flatten(1)
    table = torch.full((len(cells), _LEVELS * CELLS * CELLS), -1, dtype=torch.int32, device=cells.device)
    for first in (start, stop):
        table = table.scatter_reduce(1, (base + first).long().flatten(1), value, "amax")
    levels = table.reshape(-1, _LEVELS, CELLS, CELLS).unbind(1)
    seen = levels[-1]
    for power in range(_LEVELS - 2, -1, -1):
        shifted = F.pad(seen, (1 << power, 0), value=-1)[..., :CELLS]
        seen = torch.maximum(levels[power], torch.maximum(seen, shifted))
    return seen


def _spans(cells: Tensor, tables: Tables) -> tuple[Tensor, Tensor]:
    """Return the first and last cell of each triangle in each row, (N, T, CELLS) int32; last < first: none."""
    corners = cells[:, tables.triangles]  # (N, T, 3, 2)
    order = [corners[:, :, corner] for corner in range(3)]
    for upper, lower in ((0, 1), (1, 2), (0, 1)):
        swap = order[upper][..., 1:] > order[lower][..., 1:]
        order[upper], order[lower] = (
            torch.where(swap, order[lower], order[upper]),
            torch.where(swap, order[upper], order[lower]),
        )
    (top, middle, bottom), row = order, torch.arange(CELLS, device=cells.device).float()
    along = _line(top, bottom, row)
    across = torch.where(row >= middle[..., 1:], _line(middle, bottom, row), _line(top, middle, row))
    left = torch.ceil(torch.minimum(along, across) - _ROUND).clamp(0, CELLS)
    right = torch.floor(torch.maximum(along, across) + _ROUND).clamp(-1, CELLS - 1)
    within = (row >= torch.ceil(top[..., 1:])) & (row <= torch.floor(bottom[..., 1:]))
    return left.int(), torch.where(within, right, -1).int()


def _line(start: Tensor, stop: Tensor, row: Tensor) -> Tensor:
    """Return x (N, T, CELLS) at rows of the lines through two points (N, T, 2); level ones stay at the first's."""
    fall = stop[..., 1:] - start[..., 1:]
    level = fall < _ROUND
    slope = torch.where(level, 0, (stop[..., :1] - start[..., :1]) / torch.where(level, 1, fall))
    return start[..., :1] - slope * start[..., 1:] + slope * row


def _filled(key: Tensor, cells: Tensor, values: Tensor, tables: Tables) -> Tensor:
    """Interpolate vertex values (N, P, K) linearly over the triangles seen: (N, CELLS, CELLS, K).

    Empty cells get some triangle's; slivers keep their first corner's.
    """
    corners = cells[:, tables.triangles]  # (N, T, 3, 2)
    first, b, c = corners[:, :, 0], corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    twice = b[..., 0] * c[..., 1] - b[..., 1] * c[..., 0]
    wide = twice.abs() > _SLIVER
    inverse = torch.where(wide, 1 / torch.where(wide, twice, 1), 0)[..., None]
    at = values[:, tables.triangles]  # (N, T, 3, K)
    to_b, to_c = (at[:, :, 1] - at[:, :, 0]) * inverse, (at[:, :, 2] - at[:, :, 0]) * inverse
    across = to_b * c[..., 1:] - to_c * b[..., 1:]
    down = to_c * b[..., :1] - to_b * c[..., :1]
    constant = at[:, :, 0] - across * first[..., :1] - down * first[..., 1:]
    functions = torch.cat([across, down, constant], dim=-1)  # (N, T, 3 K)
    number = (key.clamp(min=0) % _NUMBERS).long().flatten(1)[..., None]
    found = functions.gather(1, number.expand(-1, -1, functions.shape[-1])).reshape(
        -1, CELLS, CELLS, functions.shape[-1]
    )
    across, down, constant = found.chunk(3, dim=-1)
    place = torch.arange(CELLS, device=cells.device).float()
    return across * place[:, None] + down * place[:, None, None] + constant
