"""The target's irises in the source's colour, on the device: the arithmetic of iris.py for a batch of faces.

Knows pictures, landmarks and the tables; knows nothing about textures or time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh.canvas import GRID
from live.swap.mesh.device_mask import look_up
from live.swap.mesh.device_slot import Faces
from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.iris import COVERED, DARKER, EDGE, GLINT, MOST, OPEN, REACH
from live.swap.mesh.light import OFFSET

_PATCH = 64
"""Places across the patch in which an iris's outline is drawn: of a face 700 px wide, 1.2 px."""


def in_light(colour: Tensor, gain: Tensor, tables: Tables) -> Tensor:
    """Return the irises' colours (N, 3), logarithms, as the textures around them are worn.

    Args: colour (N, 3); gain (N, 3, GRID, GRID).
    """
    places = tables.canvas[tables.eyes].mean(dim=1)[None, None].expand(len(gain), -1, -1, -1)  # (N, 1, 2, 2)
    there = look_up(gain.reshape(-1, 3, GRID, GRID), places)[:, :, 0]
    return colour + there.clamp(min=1e-3).log().mean(dim=2)


def repainted(
    picture: Tensor, faces: Faces, wanted: Tensor, skin_tone: Tensor, amount: Tensor, tables: Tables
) -> tuple[Tensor, Tensor]:
    """Return pictures (N, 3, S, S) with irises led to another colour, and masks (N, 1, S, S) 0..255 around them.

    Args: picture float 0..255; wanted (N, 3) logarithms; skin_tone (N,) mean logarithm of the skin; amount (N,) 0..1.
    """
    side, count = picture.shape[-1], len(picture)
    points = faces.irises.reshape(count, 2, 5, 2)
    middle, radius = points[:, :, 0], (points[:, :, 1:] - points[:, :, :1]).norm(dim=-1).mean(dim=-1)
    radius = radius.clamp(min=1e-3)
    rings = faces.landmarks[:, tables.eyes, :2]  # (N, 2, 16, 2)
    # 1) look at them
    spots = middle[:, :, None] + radius[..., None, None] * tables.spots
    last = (faces.extent.flip(1) - 1)[:, None, None]
    found = _sampled(picture, torch.minimum(spots.clamp(min=0), last), side)  # (N, 3, 2, K)
    colours = (found + OFFSET).log().permute(0, 2, 3, 1)
    between = (-_outside(rings, spots)).clamp(0, 1)
    rough = (between[..., None] * colours).sum(dim=2) / between.sum(dim=2).clamp(min=1e-3)[..., None]
    dull = between * (1 - ramp(colours.mean(dim=-1) - rough.mean(dim=-1)[..., None], *GLINT))
    colour = (dull[..., None] * colours).sum(dim=2) / dull.sum(dim=2).clamp(min=1e-3)[..., None]  # (N, 2, 3)
    tone = colour.mean(dim=-1)
    share = ramp(between.mean(dim=-1), *OPEN) * ramp(skin_tone[:, None] - tone, *DARKER)
    share = share * torch.where(faces.masked[:, None], ramp(_uncovered(faces, middle), *COVERED), 1)
    # 2) where they are painted
    line = ((torch.arange(_PATCH, device=picture.device) + 0.5) * (2 / _PATCH) - 1) * REACH
    off = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 2)
    away = off.norm(dim=-1)
    places = middle[:, :, None] + radius[..., None, None] * off
    inside = (1 - ramp(away, *EDGE)) * (-_outside(rings, places)).clamp(0, 1)
    near = (1 - ramp(away, EDGE[1], REACH)).expand_as(inside)
    patches = torch.stack([inside, near], dim=2).reshape(count * 2, 2, _PATCH, _PATCH)
    pixel = torch.arange(side, device=picture.device, dtype=picture.dtype)
    at = (pixel - middle[..., None]) / (REACH * radius[..., None, None])  # (N, 2, 2, S)
    x, y = at[:, :, 0, None].expand(-1, -1, side, -1), at[:, :, 1, :, None].expand(-1, -1, -1, side)
    grid = torch.stack([x, y], dim=-1).flatten(0, 1)
    laid = F.grid_sample(patches, grid, padding_mode="zeros", align_corners=False).reshape(count, 2, 2, side, side)
    # 3) paint
    values = (picture + OFFSET).log()
    glint = ramp(values.mean(dim=1, keepdim=True) - tone[..., None, None], *GLINT)  # (N, 2, S, S)
    change = (amount[:, None] * share)[..., None] * (wanted[:, None] - colour).clamp(-MOST, MOST)
    painted = laid[:, :, 0] * (1 - glint)
    total = (painted[:, :, None] * change[..., None, None]).sum(dim=1)
    result = torch.where(total != 0, ((values + total).exp() - OFFSET).round().clamp(0, 255), picture)
    mask = (laid[:, :, 1] * (share > 0)[..., None, None]).amax(dim=1, keepdim=True)
    return result, (255 * mask).round()


def _sampled(pictures: Tensor, at: Tensor, side: int) -> Tensor:
    """Sample pictures (N, C, side, side) at places (N, h, w, 2) px: (N, C, h, w)."""
    return F.grid_sample(pictures, (2 * at + 1) / side - 1, padding_mode="border", align_corners=False)


def _uncovered(faces: Faces, places: Tensor) -> Tensor:
    """Return what the masker sees at places (N, 2, 2) px of the region, 0..1: (N, 2)."""
    at = places @ faces.matrix[:, :, :2].transpose(1, 2) + faces.matrix[:, None, :, 2]
    return _sampled(faces.mask[:, None], at[:, None], faces.mask.shape[-1])[:, 0, 0]


def _outside(rings: Tensor, points: Tensor) -> Tensor:
    """Return the distance (N, 2, K) of points (N, 2, K, 2) to rings (N, 2, P, 2), negative inside."""
    edge = (rings.roll(-1, dims=2) - rings)[:, :, None]  # (N, 2, 1, P, 2)
    off = points[:, :, :, None] - rings[:, :, None]
    along = ((off * edge).sum(dim=-1) / edge.square().sum(dim=-1).clamp(min=1e-6)).clamp(0, 1)
    distance = (off - along[..., None] * edge).norm(dim=-1).amin(dim=-1)
    rises = (off[..., 1] >= 0) != (off[..., 1] >= edge[..., 1])
    crossing = edge[..., 0] * (off[..., 1] / torch.where(edge[..., 1] == 0, 1, edge[..., 1]))
    odd = (rises & (off[..., 0] < crossing)).sum(dim=-1) % 2
    return distance * (1 - 2 * odd)
