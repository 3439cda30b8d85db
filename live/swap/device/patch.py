"""Patches of faces on the device: what alignment.py, edges.py, tone.py and boost.py do, for a batch.

Knows tensors; knows neither networks nor tracks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from live.faces.alignment import LEAST_SPREAD
from live.pixels.device import Sampler
from live.swap import edges, tone
from live.swap.mesh.device_tables import ramp

RAYS = 96
"""Directions in which a face's outline is looked at: its hull is met within 0.1 % of the face's size."""


class Fit:
    """Brings faces' five points to where a template has them, as alignment.similarity."""

    def __init__(self, target: Tensor) -> None:
        """Args: target (5, 2) px of the patch."""
        self._centre = target.mean(dim=0)[:, None]
        q = target - self._centre.T
        turned = torch.stack([-q[:, 1], q[:, 0]], dim=1)
        # From points about their middle to turn and scale times spread: ((p . q, -(p x q)), (p x q, p . q)), summed.
        self._across = torch.stack([q, turned, -turned, q]).flatten(1).T  # (10, 4)
        self._plain = torch.eye(2, 3, device=target.device)

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (N, 2, 3) matrices that bring points (N, 5, 2) px closest to the target, and (N,) bool: usable."""
        middle = points.mean(dim=1, keepdim=True)
        p = (points - middle).flatten(1)
        spread = p.square().sum(dim=1)
        usable = torch.isfinite(spread) & (spread >= LEAST_SPREAD)
        linear = ((p @ self._across) / spread[:, None]).reshape(-1, 2, 2)
        shift = torch.baddbmm(self._centre, linear, middle.transpose(1, 2), alpha=-1)
        return torch.where(usable[:, None, None], torch.cat([linear, shift], dim=2), self._plain), usable


def moved(points: Tensor, matrices: Tensor) -> Tensor:
    """Return points (N, P, 2) px through matrices (N, 2, 3)."""
    return torch.baddbmm(matrices[:, None, :, 2], points, matrices[:, :, :2].transpose(1, 2))


class Outline:
    """Where faces are in their patches: nowhere beyond the hulls of their landmarks.

    Source: a convex set is where no direction's support function is passed; its edges' lengths and area follow from it.
    """

    def __init__(self, side_px: int, *, reach: float, softness: float, device: torch.device | str = "cpu") -> None:
        """Args: side_px: of the patches; reach, softness as edges.outline."""
        turn = 2 * math.pi / RAYS
        angle = torch.arange(RAYS) * turn
        rays, place = torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1), torch.arange(side_px)
        one = torch.eye(RAYS)
        # From support to the edges' lengths; halves, since their products' sum is twice the area.
        lengths = (one.roll(1, 0) + one.roll(-1, 0) - 2 * math.cos(turn) * one) / (2 * math.sin(turn))
        self._rays, self._lengths = rays.to(device), lengths.to(device)
        self._across = (rays[:, :1] * place)[None, :, None, :].to(device)
        self._down = (rays[:, 1:] * place)[None, :, :, None].to(device)
        self._kept, self._softness = 1 - 2 * edges._MOST_LEFT_OUT * (1 - reach), softness

    def __call__(self, points: Tensor) -> Tensor:
        """Return (N, 1, s, s) 0..1. Args: points (N, 468, 2) px of the patch."""
        most, farthest = (points @ self._rays.T).max(dim=1)  # (N, RAYS)
        corner = points.new_zeros(points.shape[:2]).scatter_(1, farthest, 1.0)[:, None]
        middle = (corner @ points) / corner.sum(dim=2, keepdim=True)  # (N, 1, 2)
        about = (middle @ self._rays.T)[:, 0]
        support = most - about  # px from the middle
        size = (support * (support @ self._lengths)).sum(dim=1).clamp(min=1).sqrt()
        reach = torch.add(about, support, alpha=self._kept)[:, :, None, None]
        inside = (reach - self._across - self._down).amin(dim=1)
        width = torch.round(self._softness * size).clamp(min=1)[:, None, None]
        return ramp((inside + 0.5) / (width + 0.5), 0.0, 1.0)[:, None]  # OpenCV fills the pixels on the outline too


def seen(masks: Tensor, matrices: Tensor, side_px: int, sampler: Sampler) -> Tensor:
    """Return how much of the faces is uncovered, (N, 1, s, s) 0..1.

    Args: masks (N, V, V) 0..1; matrices (N, 2, 3) patch px -> mask px.
    """
    found = sampler.look_up(masks[:, None], matrices, side_px)
    return ramp(F.avg_pool2d(F.pad(found, (1, 1, 1, 1), mode="replicate"), 3, stride=1), *edges._SEEN)


def dealt(patches: Tensor, times: int) -> Tensor:
    """Return the tiles (N k k, C, s, s) of patches (N, C, k s, k s), as boost.dealt."""
    tiles = F.pixel_unshuffle(patches, times)
    tiles = tiles.reshape(len(patches), patches.shape[1], times * times, *tiles.shape[2:])
    return tiles.transpose(1, 2).flatten(0, 1)


def gathered(tiles: Tensor, times: int) -> Tensor:
    """Return the patches (N, C, k s, k s) of tiles (N k k, C, s, s)."""
    grouped = tiles.reshape(-1, times * times, *tiles.shape[1:])
    return F.pixel_shuffle(grouped.transpose(1, 2).flatten(1, 2), times)


class Colours:
    """The colours of one picture given to another, as tone.py."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._there = torch.from_numpy(tone._TO_YCC).float().to(device)
        self._back = torch.from_numpy(tone._TO_BGR).float().to(device)
        self._same = torch.from_numpy(tone.SAME).to(device)

    def tone_map(self, pictures: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """Return the (N, 3, 4) maps of B, G, R, 1 that give pictures (N, 3, s, s) the targets' colours.

        Args: shares (N, 1, s, s): above a half is looked at.
        """
        where = (shares > 0.5).float().flatten(1)  # (N, s * s)
        count = where.sum(dim=1)
        both = self._there @ torch.stack([pictures, targets], dim=1).flatten(3)  # (N, 2, 3, s * s) Y, Cr, Cb
        weight = (where / count.clamp(min=1)[:, None])[:, None, :, None]
        mean = both @ weight  # (N, 2, 3, 1)
        spread = ((both - mean).square() @ weight)[..., 0].sqrt()
        mean = mean[..., 0]
        ratio = (spread[:, 1] / spread[:, 0].clamp(min=1e-3)).clamp(*tone._SPREADS)
        linear = self._back @ (ratio[:, :, None] * self._there)
        shift = (mean[:, 1] - ratio * mean[:, 0]) @ self._back.T
        found = torch.cat([linear, shift[:, :, None]], dim=2)
        return torch.where((count >= tone._LEAST_PIXELS)[:, None, None], found, self._same)

    def toned(self, pictures: Tensor, tones: Tensor, strength: float) -> Tensor:
        """Return pictures (N, 3, s, s) through so much of their maps (N, 3, 4)."""
        maps = self._same + strength * (tones - self._same)
        flat = torch.baddbmm(maps[:, :, 3:], maps[:, :, :3], pictures.flatten(2))
        return flat.clamp(0, 255).reshape(pictures.shape)
