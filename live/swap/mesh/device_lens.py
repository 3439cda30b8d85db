"""Sharpness and grain on the device: what lens.py does, for a batch of faces, without asking the host.

Where the host cuts the middle of a face out, a window of fixed size is looked at through a mask. Knows pictures; knows
nothing about meshes or time.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh.lens import (
    _BANDS_PX,
    _EDGES,
    _LEAST_EDGE,
    _LEAST_GRAIN,
    _LEAST_PX,
    _MOST_GRAIN,
    _MOST_PX,
    _PLAIN,
    _STEPS,
    _TILE_PX,
    _WINDOW_PX,
    _blurred_edges,
    _noise_left,
    _tile,
    _widening,
)
from live.values import Floats

GREY = (0.114, 0.587, 0.299)
"""Shares of blue, green and red in the brightness, ITU-R BT.601."""
_OPAQUE = 250.5
_LEAST_SEEN = 400  # px: with less of the face worn in the window nothing is said
_KEPT_BY_BLUR = 0.3
_REACH_PX = 9  # of the widest blur, as OpenCV cuts it off on pictures of 8 bits: 3 sigma


class Lens(NamedTuple):
    """What N worn faces lack of their targets' pictures."""

    blur_px: Tensor
    """(N,)"""
    grain: Tensor
    """(N,) grey levels."""
    known: Tensor
    """(N,) bool: False until it was looked at."""


class Bench(NamedTuple):
    """The constants that looking takes."""

    grey: Tensor
    """(3, 1, 1)"""
    narrow: tuple[Tensor, Tensor]
    """(rows, rows) and (columns, columns): blurs a window by the finer band's width, ..."""
    wide: tuple[Tensor, Tensor]
    """... and from there to the coarser's."""
    shares: Tensor
    """(38,) rising: minus the share of fine detail in an edge, ..."""
    blurs: Tensor
    """... (38,) px: the blur at which it is so."""
    tile: Tensor
    """(256, 256) grain of deviation 1, ..."""
    left: float
    """... and what share of such grain the fine band holds."""


class Area(NamedTuple):
    """The part of the region in which a face is worn, whole px."""

    low: Tensor
    """(N, 2) x, y."""
    high: Tensor
    """(N, 2) exclusive."""


def bench(device: torch.device | str) -> Bench:
    """Build the constants."""
    blurs, shares = _blurred_edges()
    return Bench(
        torch.tensor(GREY, device=device)[:, None, None],
        _blur(_BANDS_PX[0], device),
        _blur(_widening(*_BANDS_PX), device),
        torch.from_numpy(-shares).to(device),
        torch.from_numpy(blurs).to(device),
        torch.from_numpy(_tile()).to(device),
        _noise_left(),
    )


def compare(picture: Tensor, worn: Tensor, opacity: Tensor, area: Area, made: Bench) -> Lens:
    """Say what the worn faces lack; not `known` where too little of them is worn.

    Args: picture, worn (N, 3, S, S) BGR 0..255; opacity (N, 1, S, S) 0..255: where the face is worn.
    """
    size = area.high - area.low
    middle = area.low + torch.floor(size / 2)
    covered = -F.max_pool2d(-opacity, 7, stride=1, padding=3) > _OPAQUE  # eroded
    inside, rows, columns = _window(covered, middle)
    inside = (inside & _near(rows, columns, middle, size))[:, 0]
    pictures = torch.cat([picture, worn.round()], dim=1)
    both = _window(pictures, middle)[0].reshape(-1, 2, 3, *_WINDOW_PX)  # (N, 2, 3, h, w)
    grey = (both * made.grey).sum(dim=2).round().flatten(0, 1)
    (seen_px, worn_px), (seen_grain, worn_grain), (seen_edges, worn_edges) = (
        found.reshape(-1, 2).unbind(1) for found in _look(grey, inside.repeat_interleave(2, dim=0), made)
    )
    blur_px = (seen_px.square() - worn_px.square()).clamp(min=0).sqrt() * (seen_edges & worn_edges)
    worn_grain = worn_grain * torch.where(blur_px >= _LEAST_PX, _KEPT_BY_BLUR, 1.0)
    grain = (seen_grain.square() - worn_grain.square()).clamp(min=0).sqrt()
    known = inside.sum(dim=(1, 2)) >= _LEAST_SEEN
    return Lens(blur_px.clamp(max=_MOST_PX), grain.clamp(max=_MOST_GRAIN), known)


def apply(worn: Tensor, lens: Lens, age: Tensor, area: Area, made: Bench) -> Tensor:
    """Return the worn faces (N, 3, S, S) as the targets' cameras would show them.  Args: age (N,) moves the grain."""
    count, _, side, _ = worn.shape
    blur_px = torch.where(lens.known & (lens.blur_px >= _LEAST_PX), lens.blur_px, 1e-3)
    reach = torch.arange(-_REACH_PX, _REACH_PX + 1, device=worn.device)
    kernel = torch.exp(-(reach / blur_px[:, None]).square() / 2)
    kernel = kernel * (reach.abs() <= torch.round(3 * blur_px)[:, None])
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)[:, None]  # (3 N, 1, taps)
    planes = F.pad(worn.reshape(1, 3 * count, side, side), (_REACH_PX,) * 4, mode="replicate")
    planes = F.conv2d(F.conv2d(planes, kernel[..., None], groups=3 * count), kernel[:, :, None], groups=3 * count)
    place = torch.arange(side, device=worn.device)
    x, y = (
        (place - area.low[:, axis, None].long() - age[:, None] * moved) % _TILE_PX
        for axis, moved in ((0, _STEPS[1]), (1, _STEPS[0]))
    )
    grain = torch.where(lens.known & (lens.grain >= _LEAST_GRAIN), lens.grain, 0)[:, None, None]
    noise = made.tile[y[:, :, None], x[:, None, :]] * grain
    return (planes.reshape(worn.shape) + noise[:, None]).clamp(0, 255)


def toward(old: Lens, new: Lens, rate: float, due: Tensor) -> Lens:
    """Lead old lenses to new ones by rate where due (N,) and something was seen; the first is taken as it is."""
    taken = due & new.known
    share = torch.where(old.known, rate, 1.0) * taken
    return Lens(
        torch.where(taken, old.blur_px + share * (new.blur_px - old.blur_px), old.blur_px),
        torch.where(taken, old.grain + share * (new.grain - old.grain), old.grain),
        old.known | taken,
    )


def _look(grey: Tensor, inside: Tensor, made: Bench) -> tuple[Tensor, Tensor, Tensor]:
    """Look at pictures (P, h, w) where inside: blur of edges px, noise of plain skin, and are there edges? (P,)."""
    soft = made.narrow[0] @ grey @ made.narrow[1]
    fine = (grey - soft).flatten(1)
    coarse = (soft - made.wide[0] @ soft @ made.wide[1]).abs().flatten(1)
    inside = inside.flatten(1)
    edge, plain = _percentiles(coarse, inside, (_EDGES, _PLAIN))
    (calm,) = _percentiles(fine.abs(), inside & (coarse <= plain), (50,))
    noise = 1.4826 * calm[:, 0] / made.left
    edges = (inside & (coarse >= edge)).float()
    energy = ((fine.square() - (noise * made.left).square()[:, None]) * edges).sum(dim=1).clamp(min=0)
    share = (energy / (coarse.square() * edges).sum(dim=1).clamp(min=1e-6)).sqrt()
    below = (torch.searchsorted(made.shares, -share, right=True) - 1).clamp(0, len(made.shares) - 2)
    way = ((-share - made.shares[below]) / made.shares.diff()[below]).clamp(0, 1)
    return made.blurs[below] + way * made.blurs.diff()[below], noise, edge[:, 0] >= _LEAST_EDGE


def _percentiles(values: Tensor, among: Tensor, shares: tuple[int, ...]) -> list[Tensor]:
    """Return percentiles (P, 1) of values (P, L) among those (P, L) bool, linear between neighbours."""
    sorted_ = torch.where(among, values, torch.inf).sort(dim=1).values
    last = (among.sum(dim=1, keepdim=True) - 1).clamp(min=0)
    found = []
    for share in shares:
        place = last * (share / 100)
        below = torch.floor(place)
        low, high = (sorted_.gather(1, at.long().minimum(last)) for at in (below, below + 1))
        found.append(torch.where(torch.isfinite(low), low + (place - below) * (high - low), 0))
    return found


def _window(pictures: Tensor, middle: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cut windows (N, C, h, w) about middles (N, 2) out of pictures; also return their rows (N, h), columns (N, w)."""
    height, width = _WINDOW_PX
    device, last = pictures.device, pictures.shape[-1] - 1
    rows = middle[:, 1:].long() - height // 2 + torch.arange(height, device=device)
    columns = middle[:, :1].long() - width // 2 + torch.arange(width, device=device)
    number = torch.arange(len(pictures), device=device)[:, None, None, None]
    channel = torch.arange(pictures.shape[1], device=device)[:, None, None]
    y, x = rows.clamp(0, last)[:, None, :, None], columns.clamp(0, last)[:, None, None, :]
    return pictures[number, channel, y, x], rows, columns


def _near(rows: Tensor, columns: Tensor, middle: Tensor, size: Tensor) -> Tensor:
    """Return (N, 1, h, w) bool: within the middle four fifths of areas of a size (N, 2) about middles (N, 2)."""
    half = torch.floor(size * 2 / 5)
    near = [
        (place >= middle[:, axis, None] - half[:, axis, None]) & (place < middle[:, axis, None] + half[:, axis, None])
        for place, axis in ((columns, 0), (rows, 1))
    ]
    return near[1][:, None, :, None] & near[0][:, None, None, :]


def _blur(sigma: float, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Return the matrices that blur the window's columns, from the left, and its rows, from the right."""
    down, across = (_blurring(length, sigma) for length in _WINDOW_PX)
    return torch.from_numpy(down).to(device), torch.from_numpy(across.T.copy()).to(device)


def _blurring(length: int, sigma: float) -> Floats:
    """OpenCV's own blur of a line as a matrix (length, length), borders included."""
    return cv2.GaussianBlur(np.eye(length, dtype=np.float32), (1, 0), sigmaX=1e-3, sigmaY=sigma)
