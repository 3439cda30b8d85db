"""Colour and light on the device: what light.py does, for a batch of faces, without asking the host.

Knows the tables; knows nothing about textures' details, tracks or time.
"""

from __future__ import annotations

from math import ceil, log2

import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh.canvas import GRID
from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.light import (
    _COLOURED,
    _DARKEST,
    _DOUBT,
    _EDGE_REACH,
    _FIRST_DOUBT,
    _HAZE,
    _HAZY,
    _KEPT_TINT,
    _KEPT_TONE,
    _LAMP_TINT,
    _LEAST_DETAIL,
    _ROUNDS,
    _STIFFNESS,
    _TURNED_AWAY,
    OFFSET,
)

_WIDEST = 1.5
"""Of the slot's side: a face cut by the frame's border may be wider than its region."""
_BESIDE_PX = 8
"""Where the halving begins, left of and above the face, as on the host."""


def observe(picture: Tensor, extent: Tensor, points: Tensor, tables: Tables) -> Tensor:
    """Return the logarithm of the colours seen at the faces' cells, (N, M, 3).

    A picture is halved until its face is at most 1.5 * GRID px wide; here all the halves are made and one is chosen.

    Args: picture (N, 3, S, S) 0..255; extent (N, 2) rows and columns of the region in it; points (N, 468, 2) px of it.
    """
    at = (points[:, tables.corners] * tables.weights[..., None]).sum(dim=2)  # (N, M, 2)
    width = points[..., 0].amax(dim=1) - points[..., 0].amin(dim=1)
    last = extent.flip(1) - 1
    low = torch.floor(points.amin(dim=1) - _BESIDE_PX).clamp(min=0).minimum(last)
    at = torch.minimum(at.clamp(min=0), last[:, None]) - low[:, None]
    small = _from(picture, low.long(), last.long())
    seen = _sampled(small, at)
    for halving in range(ceil(log2(_WIDEST * picture.shape[-1] / (1.5 * GRID)))):
        small, size = F.avg_pool2d(small, 2), 2 ** (halving + 1)
        smaller = _sampled(small, (at + 0.5) / size - 0.5)
        seen = torch.where((width > 1.5 * GRID * size / 2)[:, None, None], smaller, seen)
    return torch.log(seen + OFFSET)


def _from(picture: Tensor, low: Tensor, last: Tensor) -> Tensor:
    """Move pictures (N, C, S, S) so that they begin at low (N, 2) px; what lies at last (N, 2) goes on beyond."""
    number, channel, place = (torch.arange(size, device=picture.device) for size in picture.shape[:3])
    x, y = (torch.minimum(place + low[:, axis, None], last[:, axis, None]) for axis in (0, 1))
    return picture[number[:, None, None, None], channel[:, None, None], y[:, None, :, None], x[:, None, None]]


def _sampled(picture: Tensor, at: Tensor) -> Tensor:
    """Sample pictures (N, C, s, s) at px (N, M, 2): (N, M, C)."""
    found = F.grid_sample(
        picture, ((2 * at + 1) / picture.shape[-1] - 1)[:, None], padding_mode="border", align_corners=False
    )
    return found[:, :, 0].transpose(1, 2)


def fit(colours: Tensor, trust: Tensor, known: Tensor, begun: Tensor, tables: Tables) -> Tensor:
    """Fit the smooth skin colours under doubt about what is skin.

    Args: colours (N, M, 3) logarithms; trust (N, M); known (N, K, 3): the frame before's, where begun (N,).
    Returns: coefficients (N, K, 3). One round where the frame before stands for the first ones, else all of them.
    """
    basis = tables.basis
    weight = trust * (1 - _FIRST_DOUBT * tables.hair)
    total = weight.sum(dim=1, keepdim=True) + 1e-3  # (N, 1)
    mean = (weight[:, None] @ colours) / total[..., None]  # (N, 1, 3)
    ridge = torch.diag_embed(_STIFFNESS * total * tables.stiffness + 1e-3)
    centred = colours - mean
    off = colours - basis @ known
    doubted = _doubted(trust, off - (weight[:, None] @ off) / total[..., None])
    weight = torch.where(begun[:, None], doubted, weight)
    first = coefficients = _solved(weight, centred, ridge, tables)
    for _ in range(1, _ROUNDS):
        coefficients = _solved(_doubted(trust, centred - basis @ coefficients), centred, ridge, tables)
    coefficients = torch.where(begun[:, None, None], first, coefficients)
    return torch.cat([coefficients[:, :1] + mean, coefficients[:, 1:]], dim=1)


def _doubted(trust: Tensor, off: Tensor) -> Tensor:
    """Return trust (N, M) lowered where colours are off (N, M, 3) the smooth field."""
    return trust / (1 + (off.abs().amax(dim=-1) / _DOUBT).square()).square()


def _solved(weight: Tensor, centred: Tensor, ridge: Tensor, tables: Tables) -> Tensor:
    """Solve the weighted normal equations: coefficients (N, K, 3).

    By Gauss-Jordan elimination, which the ridge makes safe without pivoting: torch's solvers may ask the host whether
    the matrix was singular, and K is 12.
    """
    weighted = (tables.basis * weight[..., None]).transpose(1, 2)  # (N, K, M)
    system = torch.cat([weighted @ tables.basis + ridge, weighted @ centred], dim=2)  # (N, K, K + 3)
    unit = torch.eye(system.shape[1], device=system.device)
    for row in range(system.shape[1]):
        pivot = system[:, row] / system[:, row, row, None]
        system = torch.addcmul(system, (system[:, :, row] - unit[row])[..., None], pivot[:, None], value=-1)
    return system[:, :, system.shape[1] :]


def trust_in(facing: Tensor, bare: Tensor, tables: Tables) -> Tensor:
    """Return the weight (N, M) of each cell in a fit.  Args: facing (N, T) cosine; bare (N, M) what is not covered."""
    return tables.skin * ramp(facing[:, tables.triangle], *_TURNED_AWAY) * bare


def depth(colours: Tensor, skin: Tensor, tables: Tables) -> Tensor:
    """Return (N,) how deep pupils, nostrils and the line of the lips lie below the skin, log units."""
    off = (colours - tables.basis @ skin).mean(dim=-1)[:, tables.features]
    return -off.topk(off.shape[1] // _DARKEST + 1, dim=1, largest=False).values.amax(dim=1)


def colourfulness(skin: Tensor, tables: Tables) -> Tensor:
    """Return (N,) 0 for a black-and-white picture's skin (N, K, 3), 1 for any other."""
    mean = tables.basis_of_skin @ skin  # (N, 3)
    return ramp(mean.amax(dim=-1) - mean.amin(dim=-1), *_COLOURED)


def detail(target_depth: Tensor, source_depth: Tensor) -> Tensor:
    """Return (N,) what share of the source's detail to wear."""
    share = (target_depth + _HAZE).clamp(min=_HAZE) / (source_depth + _HAZE).clamp(min=_HAZE)
    return _LEAST_DETAIL + (1 - _LEAST_DETAIL) * ramp(share, *_HAZY)


def skin_tint(colour: Tensor, tables: Tables) -> Tensor:
    """Return what of mean colours' tints can be skin, (N, 3) log units around 0.  Args: colour (N, 3) logarithms."""
    tint = colour - colour.mean(dim=1, keepdim=True)
    possible = tint.maximum(tables.tints[0]).minimum(tables.tints[1])
    known = 1 - ramp((tint - possible).abs().amax(dim=1, keepdim=True), *_LAMP_TINT)
    usual = tables.tints.mean(dim=0)
    skin = usual + known * (possible - usual)
    return skin - skin.mean(dim=1, keepdim=True)


def gain(target: Tensor, source: Tensor, tables: Tables, *, colour: Tensor, light: Tensor) -> Tensor:
    """Return what the sources' textures are to be multiplied by, (N, 3, GRID, GRID).

    Args: target, source: coefficients (N, K, 3); colour, light () 0..1: how far the target's are followed.
    """
    change = target - source
    field = tables.basis_everywhere @ change  # (N, GRID * GRID, 3)
    mean = (tables.basis_of_skin @ change)[:, None]  # (N, 1, 3)
    tone = mean.mean(dim=-1, keepdim=True)
    tint = skin_tint(tables.basis_of_skin @ target, tables) - skin_tint(tables.basis_of_skin @ source, tables)
    kept = _KEPT_TONE * torch.tanh(tone / _KEPT_TONE)
    kept = kept + colourfulness(target, tables)[:, None, None] * _KEPT_TINT * torch.tanh(tint / _KEPT_TINT)[:, None]
    own = (1 - colour) * kept + (1 - light) * (field - mean)
    edge = (1 - ramp(tables.depth, 0.0, _EDGE_REACH)) * (colour > 0)
    applied = torch.exp((field - (1 - edge) * own).clamp(-3, 2))
    return applied.transpose(1, 2).reshape(-1, 3, GRID, GRID)
