"""Pixel operations on the device: what host.py does with regions and patches, in torch, for a batch.

A region travels in the upper left corner of a square slot, in the frame's own pixel format. Everything has fixed
shapes, and geometry comes in as tensors, so that a CUDA graph can hold it. Knows pixel formats and matrices; knows
nothing about faces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from live.nets.packing import Field
from live.pixels.planes import CHROMA_STEP, from_bgr_matrix, plane_shapes, to_bgr_matrix
from live.values import SLOTS_PX, Box, Colour, Frame, PixelFormat, Pixels

VIDEO = Colour()
GREY = (0.114, 0.587, 0.299)
"""Shares of blue, green and red in the brightness, ITU-R BT.601, as cv2.COLOR_BGR2GRAY has them."""


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


LEVELS = 5
"""Of a pyramid: the smallest has a sixteenth of the side, for faces as large as the largest slot."""
_FINEST = 0.6
"""Patch px per slot px below which a picture is halved first, as host.cut_patch."""


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


class Sampler:
    """Cuts patches out of slots of one size and brings them back. Holds its constants on the device."""

    def __init__(self, side_px: int, patches_px: Iterable[int], device: torch.device | str = "cpu") -> None:
        """Args: side_px: of the slots, a multiple of 16; patches_px: sides of the patches that will be cut."""
        self.side_px = side_px
        self._places = {side: _places(side, device) for side in {side_px, *patches_px}}
        self._levels = {border: _levels(side_px, border=border).to(device) for border in (False, True)}
        self._bounds = torch.tensor([2**level / _FINEST for level in range(LEVELS - 1)], device=device)
        self._shift = torch.tensor([[0.0, 0, 1], [0, 0, 1]], device=device)

    def pyramid(self, pictures: Tensor) -> Pyramid:
        """Lay pictures (N, C, S, S) and their halves side by side, a ring of black around each."""
        half, parts = self.side_px // 2, [pictures]
        for _ in range(1, LEVELS):
            parts.append(F.avg_pool2d(parts[-1], 2))
        column = torch.cat([F.pad(part, (1, half - part.shape[-1] + 1, 1, 1)) for part in parts[1:]], dim=2)
        column = F.pad(column, (0, 0, 0, self.side_px + 2 - column.shape[2]))
        return Pyramid(self, torch.cat([F.pad(pictures, (1, 1, 1, 1)), column], dim=3))

    def put_back(self, patches: Tensor, matrices: Tensor) -> Tensor:
        """Bring patches (N, C, s, s) to their places in slots (N, C, S, S); outside of them 0.

        Args: matrices (N, 2, 3) slot px -> patch px.
        """
        return self._looked_up(patches, matrices, self.side_px, "zeros")

    def look_up(self, pictures: Tensor, matrices: Tensor, side_px: int) -> Tensor:
        """Return what pictures (N, C, s, s), or beyond them their border, show at the places of a patch's pixels.

        Args: matrices (N, 2, 3) patch px -> px of the pictures.
        """
        return self._looked_up(pictures, matrices, side_px, "border")

    def _looked_up(self, pictures: Tensor, matrices: Tensor, side_px: int, beyond: str) -> Tensor:
        size = pictures.shape[-1]
        unit = torch.add(matrices * (2 / size), self._shift, alpha=1 / size - 1)
        at = (self._places[side_px] @ unit.transpose(1, 2)).reshape(-1, side_px, side_px, 2)
        return F.grid_sample(pictures, at, padding_mode=beyond, align_corners=False)

    def sample(self, atlas: Tensor, back: Tensor, side_px: int, *, border: bool) -> Tensor:
        """Sample an atlas at the places of patches, each at the level whose pixels are nearest to the patch's.

        Args: atlas (N, C, S + 2, 1.5 S + 4); back (N, 2, 3) patch px -> slot px.
        """
        scale = torch.linalg.vector_norm(back[:, :, 0], dim=1)  # slot px per patch px
        level = self._levels[border][torch.bucketize(scale, self._bounds)]
        unit = torch.addcmul(level[..., 1:4], level[..., :1], back)
        at = self._places[side_px] @ unit.transpose(1, 2)  # (N, P, 2), -1..1 over the atlas
        at = torch.clamp(at, level[:, None, :, 4], level[:, None, :, 5]).reshape(-1, side_px, side_px, 2)
        return F.grid_sample(atlas, at, padding_mode="zeros", align_corners=False)


@dataclass(frozen=True, slots=True)
class Pyramid:
    """Slots' pictures at several sizes."""

    sampler: Sampler
    atlas: Tensor

    def cut(self, back: Tensor, side_px: int, *, border: bool = False) -> Tensor:
        """Cut aligned patches out without aliasing.

        Args: back (N, 2, 3) patch px -> slot px: turn, scale and shift, the inverse of host.cut_patch's; border: what
            lies outside continues the border, else it is black.
        Returns: (N, C, side_px, side_px).
        """
        return self.sampler.sample(self.atlas, back, side_px, border=border)


def inverted(matrices: Tensor) -> Tensor:
    """Return the inverse of matrices (N, 2, 3) that turn, scale and shift."""
    shift = matrices[:, :, 2:]
    linear = matrices[:, :, :2].transpose(1, 2) / matrices[:, :1, :2].square().sum(dim=2, keepdim=True)
    return torch.cat([linear, torch.baddbmm(shift, linear, shift, beta=0, alpha=-1)], dim=2)


def composed(then: Tensor, first: Tensor) -> Tensor:
    """Return the matrices (N, 2, 3) of one move after another."""
    both = then[:, :, :2] @ first
    both[:, :, 2] += then[:, :, 2]
    return both


def _levels(side_px: int, *, border: bool) -> Tensor:
    """Return how px of a slot lie in its atlas, per level and axis (LEVELS, 2, 6): gain; 0, 0, shift; least; most.

    In units of grid_sample, -1..1 over the atlas. Levels below the first stand in a column right of it, each under the
    one before with two rows between. Least and most lead to the level's own border, or into the black ring around it.
    """
    outside, rows = 0 if border else 1, []
    for level in range(LEVELS):
        share = 2.0**-level  # of a level's pixels in the first one's
        top = side_px - 2 - 2 * side_px * share + 2 * level if level else 0
        for corner, size in ((1 + (side_px + 2) * min(level, 1), side_px * 3 // 2 + 4), (1 + top, side_px + 2)):
            ends = (corner - outside + 0.5, corner + side_px * share - 1 + outside + 0.5)
            low, high = (2 * end / size - 1 for end in ends)
            rows.append((share * 2 / size, 0, 0, (share / 2 + corner) * 2 / size - 1, low, high))
    return torch.tensor(rows).reshape(LEVELS, 2, 6)


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


def _places(side_px: int, device: torch.device | str) -> Tensor:
    """Return x, y, 1 of every pixel of a square, (side * side, 3)."""
    rows, columns = torch.meshgrid(*[torch.arange(side_px, dtype=torch.float32)] * 2, indexing="ij")
    return torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).reshape(-1, 3).to(device)


def _blended(target: Tensor, new: Tensor, alpha: Tensor) -> Tensor:
    """Return target (uint8) led to new by alpha 0..255; exact where alpha is 0."""
    return torch.lerp(target.float(), new, alpha / 255).round_().clamp_(0, 255).byte()
