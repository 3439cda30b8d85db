"""Where the worn face shows, on the device: the edge, hair, what covers the face, and what stays the target's own.

What mask.py does, for a batch of faces, without asking the host. Knows the tables and what was seen on them; knows
nothing about textures or time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh.canvas import GRID
from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.mask import (
    _HAIR_BRIGHTER,
    _HAIR_DARKER,
    _HAIR_TINT,
    _LIDS_KEPT,
    _LIDS_OPEN,
    _SEEN,
    FINE,
)

_FILLED_PX, _GROWN_PX = 1.3, 2.2
"""From where on outside of an opening nothing is filled, and nothing after growing by a pixel. Measured against the
host's filling of whole pixels: without bias, faces of 90 to 400 px."""
_ROWS, _COLUMNS = 64, 112
"""Places of the patch in which an opening is drawn: of an eye and its surroundings in a face 700 px wide, 1.5 px."""


def skin_seen(colours: Tensor, skin: Tensor, trust: Tensor, tables: Tables) -> Tensor:
    """Return how much each cell (N, M) looks like skin, 0..1, judged only where hair may hang.

    Args: colours (N, M, 3) logarithms; skin (N, K, 3); trust (N, M) how far each cell took part in it.
    """
    off = colours - tables.basis @ skin
    spread = ((trust * off.square().mean(dim=-1)).sum(dim=1) / trust.sum(dim=1).clamp(min=1e-3)).sqrt()
    slack = (spread / 0.12).clamp(min=1)[:, None]
    tone = off.mean(dim=-1)
    tint = (off - tone[..., None]).abs().amax(dim=-1)
    alien = torch.maximum(ramp(-tone / slack, *_HAIR_DARKER), ramp(tone / slack, *_HAIR_BRIGHTER))
    alien = torch.maximum(alien, ramp(tint / slack, *_HAIR_TINT))
    return 1 - alien * tables.hair


def opacity(edges: Tensor, bare: Tensor, masked: Tensor, tables: Tables) -> Tensor:
    """Return the opacity over the canvas, (N, 1, FINE, FINE): edges without what is not bare skin.

    Args: edges (FINE, FINE); bare (N, M); masked (N,) bool: where a masker says what is hair, edges stay whole.
    """
    spread = bare[:, tables.nearest].reshape(-1, 1, GRID, GRID)
    kept = F.avg_pool2d(F.pad(spread, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    kept = F.interpolate(kept, (FINE, FINE), mode="bilinear", align_corners=False)
    return edges * torch.where(masked[:, None, None, None], 1, kept)


def covered(face: Tensor) -> Tensor:
    """Return how far cells (N, h, w) lie within the face that is seen, 0..1."""
    around = F.pad(face[:, None], (2, 2, 2, 2), mode="replicate")
    return ramp(F.avg_pool2d(around, 5, stride=1)[:, 0], 0.5, 1.0)


def seen(masks: Tensor, matrices: Tensor, own: Tensor) -> Tensor:
    """Return how much of the target's face is uncovered (N, h, w) 0..1 at places (N, h, w, 2) px of its region.

    Args: masks (N, V, V) 0..1; matrices (N, 2, 3) region px -> mask px.
    """
    where = (own.flatten(1, 2) @ matrices[:, :, :2].transpose(1, 2)).reshape(own.shape)
    where = where + matrices[:, None, None, :, 2]
    found = F.grid_sample(
        masks[:, None], (2 * where + 1) / masks.shape[-1] - 1, padding_mode="border", align_corners=False
    )
    return ramp(F.avg_pool2d(F.pad(found, (1, 1, 1, 1), mode="replicate"), 3, stride=1)[:, 0], *_SEEN)


def look_up(maps: Tensor, at: Tensor) -> Tensor:
    """Sample maps over the canvas (N, K, s, s) at canvas coordinates (N, h, w, 2) in 0..1: (N, K, h, w)."""
    return F.grid_sample(maps, 2 * at - 1, padding_mode="border", align_corners=False)


def kept(placed: Tensor, blur_px: Tensor, wanted: Tensor, side_px: int, tables: Tables) -> Tensor:
    """Return how far the target's own eyes and mouth stay, (N, S, S): 1 inside, softly falling outside.

    Args: placed (N, 468, 3) px; blur_px (N,) half the width of the transition; wanted (3,) 0 or 1: eyes, eyes, mouth.
    """
    eyes, closed = _eye_rings(placed[..., :2], tables)
    last = eyes[:, :, -1:].expand(-1, -1, len(tables.mouth) - eyes.shape[2], -1)
    mouth = placed[:, None, tables.mouth, :2]
    rings = torch.cat([torch.cat([eyes, last], dim=2), mouth], dim=1)  # (N, 3, 20, 2)
    eye_blur = blur_px * (1 + 2 * closed)
    around = 2 * torch.ceil(torch.stack([eye_blur, eye_blur, blur_px], dim=1)) + 1  # (N, 3)
    margin = around[..., None] + 1  # beyond it nothing is drawn: a patch's border is continued over the slot
    low = rings.amin(dim=2) - margin
    step = (rings.amax(dim=2) + margin - low) / _patch_size(rings)
    drawn = _soft(rings, low, step, around) * wanted[:, None, None]
    return _largest(drawn, low, step, side_px)


def _patch_size(like: Tensor) -> Tensor:
    """Return (2,): columns and rows of a patch."""
    return torch.cat([like.new_full((1,), _COLUMNS), like.new_full((1,), _ROWS)])


def _eye_rings(points: Tensor, tables: Tables) -> tuple[Tensor, Tensor]:
    """Return what is kept of the eyes (N, 2, 16, 2) px, and how far they are closed (N,), as mask.eye_rings."""
    inner, outer = points[:, tables.eyes], points[:, tables.lids]
    gap, width = ((inner[:, :, a] - inner[:, :, b]).norm(dim=-1).sum(dim=1) for a, b in ((4, 12), (0, 8)))
    closed = 1 - ramp(gap / width.clamp(min=1e-3), *_LIDS_OPEN)
    return inner + (_LIDS_KEPT * closed)[:, None, None, None] * (outer - inner), closed


def _soft(rings: Tensor, low: Tensor, step: Tensor, around: Tensor) -> Tensor:
    """Draw rings (N, R, P, 2) px on patches (N, R, rows, columns) that begin at low (N, R, 2) px.

    The host fills the pixels that an opening touches, grows them by one and blurs with a box `around` (N, R) px wide.
    Here pixels are filled by the distance to the outline, which is the same on average and knows fractions.
    """
    columns = torch.arange(_COLUMNS, device=rings.device) + 0.5
    rows = torch.arange(_ROWS, device=rings.device) + 0.5
    x = low[..., :1] + columns * step[..., :1]  # (N, R, columns)
    y = low[..., 1:] + rows * step[..., 1:]
    distance = _distance(rings, x, y)
    grown = (_GROWN_PX - distance).clamp(0, 1)
    across, down = _box(columns, around / step[..., 0]), _box(rows, around / step[..., 1])
    blurred = down @ grown @ across.transpose(-1, -2)
    return torch.maximum((_FILLED_PX - distance).clamp(0, 1), blurred)


def _distance(rings: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the distance to rings (N, R, P, 2), negative inside, at columns x (N, R, w) and rows y (N, R, h): px."""
    start = rings[..., None, None, :]  # (N, R, P, 1, 1, 2)
    edge = rings.roll(-1, dims=2)[..., None, None, :] - start
    right, below = (
        x[:, :, None, None, :] - start[..., 0],
        y[:, :, None, :, None] - start[..., 1],
    )
    length = edge.square().sum(dim=-1).clamp(min=1e-6)
    share = ((right * edge[..., 0] + below * edge[..., 1]) / length).clamp(0, 1)
    off = (right - share * edge[..., 0]).square() + (below - share * edge[..., 1]).square()
    rises = (below >= 0) != (below >= edge[..., 1])
    level = edge[..., 1] == 0
    crossing = edge[..., 0] * (below / torch.where(level, 1, edge[..., 1]))
    odd = (rises & (right < crossing)).sum(dim=2) % 2
    return off.amin(dim=2).sqrt() * (1 - 2 * odd)


def _box(middles: Tensor, width: Tensor) -> Tensor:
    """Return the matrices (N, R, L, L) that average a row of L places over `width` (N, R) of them."""
    low, high = middles[:, None] - width[..., None, None] / 2, middles[:, None] + width[..., None, None] / 2
    overlap = torch.minimum(high, middles + 0.5) - torch.maximum(low, middles - 0.5)
    return overlap.clamp(min=0) / width[..., None, None]


def _largest(patches: Tensor, low: Tensor, step: Tensor, side_px: int) -> Tensor:
    """Lay patches (N, R, rows, columns) on the slot and take the largest of each pixel: (N, S, S)."""
    pixel = torch.arange(side_px, device=patches.device).float()
    extent = step * _patch_size(step)
    at = 2 * (pixel - low[..., None]) / extent[..., None] - 1  # (N, R, 2, S)
    x, y = at[:, :, 0, None].expand(-1, -1, side_px, -1), at[:, :, 1, :, None].expand(-1, -1, -1, side_px)
    found = F.grid_sample(
        patches.flatten(0, 1)[:, None],
        torch.stack([x, y], dim=-1).flatten(0, 1),
        padding_mode="border",
        align_corners=False,
    )
    return found.reshape(*patches.shape[:2], side_px, side_px).amax(dim=1)
