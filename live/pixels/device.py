"""Pixel operations on the device: what host.py does with regions and patches, in torch, for a batch.

A region travels in the upper left corner of a square slot, in the frame's own pixel format. Everything has fixed
shapes, and geometry comes in as tensors, so that a CUDA graph can hold it. Knows pixel formats and matrices; knows
nothing about faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from live.nets.packing import Field
from live.pixels.planes import CHROMA_STEP, from_bgr_matrix, plane_shapes, to_bgr_matrix
from live.values import Box, Colour, Frame, PixelFormat, Pixels

VIDEO = Colour()
GREY = (0.114, 0.587, 0.299)
"""Shares of blue, green and red in the brightness, ITU-R BT.601, as cv2.COLOR_BGR2GRAY has them."""

SLOTS_PX = (256, 512, 768, 1152, 2304)
"""Sides of the slots, multiples of 32: faces of a webcam, and what frames of 720, 1080 and 2160 rows can need."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How regions of a capture's frames lie in slots."""

    format: PixelFormat
    side_px: int
    """Of the slot, even."""
    colour: Colour = VIDEO

    @property
    def planes(self) -> tuple[Field, ...]:
        """The planes of one slot."""
        shapes = plane_shapes(self.format, self.side_px, self.side_px)
        return tuple(Field(f"plane{number}", shape, "uint8") for number, shape in enumerate(shapes))


def slot_px(width_px: int, height_px: int) -> int | None:
    """Return the side of the smallest slot that holds a region; None: it is too large."""
    return next((side for side in SLOTS_PX if side >= max(width_px, height_px)), None)


def parts_of(frame: Frame, box: Box) -> list[Pixels]:
    """Return the views of a frame's planes that lie under a box (x1 and y1 even), in the order of `Layout.planes`."""
    x1, y1, x2, y2 = box
    if frame.format is PixelFormat.YUYV:
        return [frame.planes[0][y1:y2, x1 : x2 + (x2 - x1) % 2]]
    if frame.format in (PixelFormat.BGR, PixelFormat.GRAY):
        return [frame.planes[0][y1:y2, x1:x2]]
    across, down = CHROMA_STEP[frame.format]
    rows, columns = slice(y1 // down, -(-y2 // down)), slice(x1 // across, -(-x2 // across))
    return [frame.planes[0][y1:y2, x1:x2], *(plane[rows, columns] for plane in frame.planes[1:])]


class Converter:
    """Between slots in a frame's own format and BGR. Holds its constants on the device."""

    def __init__(self, layout: Layout, device: torch.device | str = "cpu") -> None:
        self.layout = layout
        self._to_bgr = torch.from_numpy(to_bgr_matrix(layout.colour)).to(device)
        self._from_bgr = torch.from_numpy(from_bgr_matrix(layout.colour)).to(device)
        self._grey = torch.tensor(GREY, device=device)[:, None, None]

    def bgr_of(self, planes: Mapping[str, Tensor]) -> Tensor:
        """Return slots as pictures (N, 3, S, S) float32 BGR 0..255, rounded to whole levels as on the host."""
        first, side = planes["plane0"], self.layout.side_px
        if self.layout.format is PixelFormat.BGR:
            return first.permute(0, 3, 1, 2).float()
        if self.layout.format is PixelFormat.GRAY:
            return first[:, None].float().expand(-1, 3, -1, -1)
        luma, chroma = _luma_and_chroma(planes, self.layout)
        if chroma.shape[-2:] != (side, side):
            chroma = F.interpolate(chroma, (side, side), mode="bilinear", align_corners=False)
        yuv = torch.cat([luma, chroma.round()], dim=1)
        return _transformed(yuv, self._to_bgr).round_().clamp_(0, 255)

    def laid(self, planes: Mapping[str, Tensor], pixels: Tensor, alpha: Tensor) -> dict[str, Tensor]:
        """Blend pictures into slots. Returns the planes (uint8); samples without any alpha keep their exact value.

        Args: pixels (N, 3, S, S) BGR 0..255; alpha (N, 1, S, S) 0..255, whole levels.
        """
        first, format = planes["plane0"], self.layout.format
        if format is PixelFormat.BGR:
            return {"plane0": _blended(first, pixels.permute(0, 2, 3, 1), alpha.permute(0, 2, 3, 1))}
        if format is PixelFormat.GRAY:
            return {"plane0": _blended(first, (pixels * self._grey).sum(dim=1), alpha[:, 0])}
        yuv = _transformed(pixels, self._from_bgr).clamp_(0, 255)
        step = CHROMA_STEP[format]
        small, rest = yuv[:, 1:], alpha
        if step != (1, 1):
            small, rest = (F.avg_pool2d(each, (step[1], step[0])) for each in (small, alpha))
        u, v, rest = small[:, 0], small[:, 1], rest[:, 0].round()
        if format is PixelFormat.YUYV:
            chroma = [_blended(first[:, :, at::2, 1], new, rest) for at, new in enumerate((u, v))]
            luma = _blended(first[..., 0], yuv[:, 0], alpha[:, 0])
            return {"plane0": torch.stack([luma, torch.stack(chroma, dim=-1).flatten(2)], dim=-1)}
        found = {"plane0": _blended(first, yuv[:, 0], alpha[:, 0])}
        if format is PixelFormat.NV12:
            both = torch.stack([u, v], dim=-1)
            return found | {"plane1": _blended(planes["plane1"], both, rest[..., None])}
        return found | {f"plane{at}": _blended(planes[f"plane{at}"], new, rest) for at, new in ((1, u), (2, v))}


def cut(pictures: Tensor, matrices: Tensor, side_px: int, *, border: bool = False, levels: int = 4) -> Tensor:
    """Cut aligned patches out of pictures without aliasing.

    Args: pictures (N, C, S, S); matrices (N, 2, 3) picture px -> patch px, as host.cut_patch; border: what lies outside
        continues the border, else it is black; levels of halving.
    Returns: (N, C, side_px, side_px).
    Source: sampling between the two nearest levels of a pyramid of halves (trilinear, Williams 1983).
    """
    back = inverted(matrices)
    scale = back[:, :, :2].square().sum(dim=1).mean(dim=-1).sqrt()  # picture px per patch px
    level = torch.log2(scale.clamp(min=1.0)).clamp(max=levels - 1)
    place = torch.arange(side_px, dtype=torch.float32, device=pictures.device)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    grid = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)  # (side, side, 3)
    where = torch.einsum("ijk,nak->nija", grid, back)  # px of the picture
    found, halved, padding = pictures.new_zeros(()), pictures, "border" if border else "zeros"
    for number in range(levels):
        if number:
            halved = F.avg_pool2d(halved, 2)
        share = (1 - (level - number).abs()).clamp(min=0)[:, None, None, None]
        # The centre of pixel i lies at i + 0.5, and a slot's side is the same at every level in shares of it.
        at = (2 * where + 1) / pictures.shape[-1] - 1
        found = found + share * F.grid_sample(halved, at, padding_mode=padding, align_corners=False)
    return found


def put_back(patches: Tensor, matrices: Tensor, side_px: int, *, border: bool = False) -> Tensor:
    """Bring patches (N, C, s, s) to their places in pictures (N, C, side_px, side_px).

    Args: matrices (N, 2, 3) picture px -> patch px; border: around them their border goes on, else there is 0.
    """
    place = torch.arange(side_px, dtype=torch.float32, device=patches.device)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    where = torch.einsum("ijk,nak->nija", torch.stack([columns, rows, torch.ones_like(rows)], dim=-1), matrices)
    at = (2 * where + 1) / patches.shape[-1] - 1
    return F.grid_sample(patches, at, padding_mode="border" if border else "zeros", align_corners=False)


def inverted(matrices: Tensor) -> Tensor:
    """Return the inverse of affine matrices (N, 2, 3)."""
    a, b, c, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1]
    inverse = torch.stack([torch.stack([d, -b], dim=-1), torch.stack([-c, a], dim=-1)], dim=1)
    inverse = inverse / (a * d - b * c)[:, None, None]
    return torch.cat([inverse, -inverse @ matrices[:, :, 2:]], dim=2)


def lay_over_shared(target: Pixels, captured: Pixels, finished: Pixels, alpha: NDArray[np.uint8]) -> None:
    """Lay a finished part over a picture that another face changed since it was captured, in place.

    `finished` is captured + alpha * (worn - captured); wanted is the same over what `target` holds now.
    Args: all (h, w) or (h, w, K) of the same place; alpha 0..255 as `alphas_of` gives it.
    """
    rest = 255 - alpha.astype(np.int32).reshape(*alpha.shape, *[1] * (target.ndim - alpha.ndim))
    change = (target.astype(np.int32) - captured) * rest
    target[...] = np.clip(finished + np.rint(change / 255), 0, 255)


def alphas_of(alpha: Pixels, format: PixelFormat, parts: Sequence[Pixels]) -> list[Pixels]:
    """Return alpha (h, w) as each plane's part has it: (ph, pw), or (ph, pw, K) where its channels differ."""
    if format is not PixelFormat.YUYV:
        sizes = [(part.shape[1], part.shape[0]) for part in parts]
        return [cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) for size in sizes]
    height, width = parts[0].shape[:2]
    half = cv2.resize(alpha, (width // 2, height), interpolation=cv2.INTER_AREA)
    return [np.dstack([cv2.resize(alpha, (width, height)), half.repeat(2, axis=1)])]


def _luma_and_chroma(planes: Mapping[str, Tensor], layout: Layout) -> tuple[Tensor, Tensor]:
    """Return luma (N, 1, S, S) and chroma (N, 2, ch, cw), float."""
    first = planes["plane0"]
    if layout.format is PixelFormat.YUYV:
        return first[..., 0][:, None].float(), torch.stack([first[:, :, 0::2, 1], first[:, :, 1::2, 1]], dim=1).float()
    if layout.format is PixelFormat.NV12:
        return first[:, None].float(), planes["plane1"].permute(0, 3, 1, 2).float()
    return first[:, None].float(), torch.stack([planes["plane1"], planes["plane2"]], dim=1).float()


def _transformed(pictures: Tensor, table: Tensor) -> Tensor:
    """Apply a (3, 4) matrix to the channels of pictures (N, 3, S, S)."""
    flat = torch.baddbmm(table[None, :, 3:], table[None, :, :3].expand(len(pictures), -1, -1), pictures.flatten(2))
    return flat.reshape(pictures.shape)


def _blended(target: Tensor, new: Tensor, alpha: Tensor) -> Tensor:
    """Return target (uint8) led to new by alpha 0..255; exact where alpha is 0."""
    old = target.float()
    return (old + (new - old) * (alpha / 255)).round_().clamp_(0, 255).byte()
