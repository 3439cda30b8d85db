"""Patches of faces on the device: what alignment.py, edges.py, tone.py and boost.py do, for a batch.

Knows tensors; knows neither networks nor tracks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from live.faces.alignment import LEAST_SPREAD
from live.pixels.device import inverted
from live.swap import edges, tone
from live.swap.mesh.device_tables import ramp

RAYS = 96
"""Directions in which a face's outline is looked at: its hull is met within 0.1 % of the face's size."""


def similarity(points: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (N, 2, 3) matrices that bring points (N, 5, 2) closest to a target (5, 2), and (N,) bool: usable.

    Source: as alignment.similarity.
    """
    middle, centre = points.mean(dim=1, keepdim=True), target.mean(dim=0, keepdim=True)
    p, q = points - middle, target - centre
    spread = p.square().sum(dim=(1, 2))
    usable = torch.isfinite(spread) & (spread >= LEAST_SPREAD)
    # Turn and scale times spread: the first row is (sum of p . q, -(sum of p x q)).
    across = torch.stack([q, torch.stack([-q[:, 1], q[:, 0]], dim=1)], dim=0)  # (2, 5, 2)
    row = torch.einsum("npx,kpx->nk", p, across) / torch.where(usable, spread, 1)[:, None]
    linear = torch.stack([row, torch.stack([-row[:, 1], row[:, 0]], dim=1)], dim=1)
    shift = (centre - middle @ linear.transpose(1, 2)).transpose(1, 2)
    matrices = torch.cat([linear, shift], dim=2)
    plain = torch.eye(2, 3, device=points.device)
    return torch.where(usable[:, None, None], matrices, plain), usable


def moved(points: Tensor, matrices: Tensor) -> Tensor:
    """Return points (N, P, 2) px through matrices (N, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, None, :, 2]


def rays(device: torch.device | str = "cpu") -> Tensor:
    """Return the directions (RAYS, 2) of `outline`."""
    angle = torch.arange(RAYS, device=device) * (2 * math.pi / RAYS)
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)


def outline(points: Tensor, side_px: int, rays: Tensor, *, reach: float, softness: float) -> Tensor:
    """Return where the faces are, (N, 1, s, s) 0..1; nothing beyond the hulls of their landmarks.

    Args: points (N, 468, 2) px of the patch; reach, softness as edges.outline.
    Source: a convex set is where no ray's support function is passed; its edges' lengths and area follow from them.
    """
    farthest = (points @ rays.T).argmax(dim=1)  # (N, RAYS)
    corner = points.new_zeros(points.shape[:2]).scatter(1, farthest, 1.0)[..., None]
    middle = (points * corner).sum(dim=1, keepdim=True) / corner.sum(dim=1, keepdim=True)
    support = ((points - middle) @ rays.T).amax(dim=1)  # (N, RAYS) px from the middle
    turn = 2 * math.pi / len(rays)
    lengths = (support.roll(1, 1) + support.roll(-1, 1) - 2 * math.cos(turn) * support) / math.sin(turn)
    size = (0.5 * (support * lengths).sum(dim=1)).clamp(min=1).sqrt()
    support = support * (1 - 2 * edges._MOST_LEFT_OUT * (1 - reach))
    place = torch.arange(side_px, dtype=torch.float32, device=points.device) - middle.transpose(1, 2)  # (N, 2, s)
    along = rays.T[..., None] * place[:, :, None]  # (N, 2, RAYS, s)
    inside = (support[:, :, None, None] - along[:, 0, :, None, :] - along[:, 1, :, :, None]).amin(dim=1)
    width = torch.round(softness * size).clamp(min=1)[:, None, None]
    return ramp((inside + 0.5) / (width + 0.5), 0.0, 1.0)[:, None]  # OpenCV fills the pixels on the outline too


def seen(masks: Tensor, onward: Tensor, matrices: Tensor, side_px: int) -> Tensor:
    """Return how much of the faces is uncovered, (N, 1, s, s) 0..1.

    Args: masks (N, V, V) 0..1; onward (N, 2, 3) region px -> mask px; matrices (N, 2, 3) region px -> patch px.
    """
    back = inverted(matrices)
    linear = onward[:, :, :2] @ back[:, :, :2]
    shift = onward[:, :, :2] @ back[:, :, 2:] + onward[:, :, 2:]
    place = torch.arange(side_px, dtype=torch.float32, device=masks.device)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    where = torch.stack([columns, rows], dim=-1).reshape(1, -1, 2) @ linear.transpose(1, 2) + shift.transpose(1, 2)
    at = ((2 * where + 1) / masks.shape[-1] - 1).reshape(-1, side_px, side_px, 2)
    found = F.grid_sample(masks[:, None], at, padding_mode="border", align_corners=False)
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
