"""What goes into a step of the device, and the host's values brought into that form.

Regions travel in square slots of a few sizes, so shapes never change. Knows tensors and the host's values; computes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from live.swap.contract import Job
from live.swap.mesh.canvas import GRID
from live.swap.mesh.iris import POINTS
from live.swap.mesh.texture import SIZE_PX, Texture
from live.swap.mesh.topology import VERTICES

MASK_PX = 128
"""Side of the masks of what covers a face; masks of another size are resized."""


class Faces(NamedTuple):
    """N target faces of one slot size S."""

    region: Tensor
    """(N, S, S, 3) uint8 BGR: the region in the upper left corner, anything beside it."""
    extent: Tensor
    """(N, 2) float32: rows and columns of the region."""
    landmarks: Tensor
    """(N, 468, 3) float32 px of the region."""
    shape: Tensor
    """(N,) 0..1: how far outline and features move toward the source's proportions."""
    mask: Tensor
    """(N, V, V) 0..1, 1 where the face is seen."""
    matrix: Tensor
    """(N, 2, 3) region px -> mask px."""
    masked: Tensor
    """(N,) bool: whether there is such a mask; else everything but hair counts as seen."""
    irises: Tensor
    """(N, 10, 2) px: of each eye, left and right, the iris's middle and four of its rim."""


class Wearing(NamedTuple):
    """The textures that N faces wear."""

    atlas: Tensor
    """(N, 3, SIZE, 1.5 SIZE) float32 BGR 0..255: the texture, right of it its halves one below the other."""
    skin: Tensor
    """(N, K, 3) smooth colour."""
    plain: Tensor
    """(N, 3, GRID, GRID) BGR 0..255: the same as colours."""
    depth: Tensor
    """(N,) of pupils and nostrils below the skin, log units."""
    proportions: Tensor
    """(N, 468, 3) canonical units."""
    opening: Tensor
    """(N,) of the mouth, height by width."""
    iris: Tensor
    """(N, 3) logarithms of the irises' colour."""
    iris_known: Tensor
    """(N,) 1 where a photo shows it, else 0."""


class Takeover(NamedTuple):
    """The textures that are being taken over from."""

    before: Wearing
    share: Tensor
    """(N,) 0..1: how far the newer ones have taken over; 1 where nothing changes."""


def faces_of(jobs: Sequence[Job], shape: float, side_px: int, device: torch.device | str = "cpu") -> Faces:
    """Lay jobs into slots. Waits for the masks of those that have one.

    Raises: ValueError for a region that is larger than the slot.
    """
    regions = np.zeros((len(jobs), side_px, side_px, 3), np.uint8)
    masks, matrices = np.ones((len(jobs), MASK_PX, MASK_PX), np.float32), np.zeros((len(jobs), 2, 3), np.float32)
    for job, region, mask, matrix in zip(jobs, regions, masks, matrices):
        height, width = job.region.shape[:2]
        if max(height, width) > side_px:
            raise ValueError(f"a region of {width} x {height} px does not fit a slot of {side_px} px")
        region[:height, :width] = job.region
        if job.visible is not None:
            visible = job.visible()
            rows, columns = visible.mask.shape
            mask[:] = cv2.resize(visible.mask, (MASK_PX, MASK_PX), interpolation=cv2.INTER_AREA)
            scale = np.array(((MASK_PX / columns,), (MASK_PX / rows,)), np.float32)
            matrix[:] = visible.matrix * scale
            matrix[:, 2:] += (scale - 1) / 2
    return Faces(
        torch.from_numpy(regions).to(device),
        torch.tensor([job.region.shape[:2] for job in jobs], dtype=torch.float32, device=device).reshape(-1, 2),
        torch.from_numpy(np.stack([job.landmarks[:VERTICES] for job in jobs]).astype(np.float32)).to(device),
        torch.full((len(jobs),), float(shape), device=device),
        torch.from_numpy(masks).to(device),
        torch.from_numpy(matrices).to(device),
        torch.tensor([job.visible is not None for job in jobs], device=device),
        torch.from_numpy(np.stack([job.landmarks[VERTICES : VERTICES + POINTS, :2] for job in jobs])).to(device),
    )


def wearing_of(textures: Sequence[Texture], device: torch.device | str = "cpu") -> Wearing:
    """Bring textures to the device, one per face. To be done when the source face changes, not per frame."""

    def stacked(values: Sequence[object]) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(value, np.float32) for value in values])).to(device)

    return Wearing(
        torch.stack([_atlas(texture) for texture in textures]).to(device),
        stacked([texture.skin for texture in textures]),
        stacked([texture.plain.reshape(GRID, GRID, 3).transpose(2, 0, 1) for texture in textures]),
        stacked([texture.depth for texture in textures]),
        stacked([texture.proportions for texture in textures]),
        stacked([texture.opening for texture in textures]),
        stacked([np.zeros(3) if texture.iris is None else texture.iris for texture in textures]),
        stacked([texture.iris is not None for texture in textures]),
    )


def _atlas(texture: Texture) -> Tensor:
    atlas = np.zeros((SIZE_PX, SIZE_PX + SIZE_PX // 2, 3), np.float32)
    top = left = 0
    for level in texture.levels:
        side = level.shape[0]
        atlas[top : top + side, left : left + side] = level[..., :3]
        top, left = (0, SIZE_PX) if left == 0 else (top + side, left)
    return torch.from_numpy(atlas.transpose(2, 0, 1).copy())
