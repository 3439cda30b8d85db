"""Landmarks and masks on the device: what landmarker.py, smoothing.py and masker.py do, for a batch of target faces.

Each row belongs to a track and has a number in the tables of what is remembered. Rows of consecutive frames of one
track may share a batch (files): they are smoothed in their order, one after the other, else all at once. Everything
has fixed shapes and asks the host nothing. Knows regions and tracks' numbers; knows nothing about frames, sessions or
swapping.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from live.faces import landmarker, masker
from live.faces.landmarker import EYE_CORNERS, MESH_POINTS
from live.faces.smoothing import SLOWEST_HZ, SPEED_CUTOFF_HZ, SPEED_GAIN
from live.pixels.device import Pyramid, inverted

POINTS = 478
LONGEST_S = 0.5
"""After a longer gap smoothing begins anew, as OneEuro's."""


class Where(NamedTuple):
    """What the host says about N rows."""

    corner: Tensor
    """(N, 2) float32: x, y of the region's upper left corner in the frame."""
    track: Tensor
    """(N,) int64: the row of the tables in which the track is remembered; 0 is nobody's."""
    before: Tensor | None
    """(N,) int64: the row of this batch with the frame before of the same track, or -1; None: every row is of another
    track."""
    keep: Tensor
    """(N,) int64: the row of the tables in which this row is remembered: `track`, or nobody's where a later row of this
    batch is of the same track."""
    fresh: Tensor
    """(N,) float32, 0 or 1: the track begins, with `landmarks`."""
    landmarks: Tensor
    """(N, 478, 3) float32 px of the frame; used where fresh."""
    elapsed_s: Tensor
    """(N,) float32: since the frame before of this track."""


class Looked(NamedTuple):
    """What was seen, for N rows."""

    raw: Tensor
    """(N, 478, 3) px of the frame."""
    smooth: Tensor
    """(N, 478, 3) px of the frame."""
    score: Tensor
    """(N,) 0..1; 0 where landmarks are not finite."""


class Look:
    """Landmarks on the place where each track was, smoothed. Holds what it remembers on the device."""

    def __init__(self, network: nn.Module, tracks: int, steadiness: float, device: torch.device | str = "cpu") -> None:
        """Args: network: models/landmarker.onnx as a module; tracks: rows of the tables; steadiness as OneEuro's."""
        self._network = network
        self._cutoff_hz = SLOWEST_HZ * 16.0**-steadiness if steadiness > 0 else math.inf
        self.raw = torch.zeros(tracks, POINTS, 3, device=device)
        self.value = torch.zeros(tracks, POINTS, 3, device=device)
        self.speed = torch.zeros(tracks, POINTS, 3, device=device)

    def __call__(self, pyramid: Pyramid, where: Where) -> Looked:
        """Look at N regions. Args: pyramid of (N, 3, S, S) BGR 0..255."""
        fresh = where.fresh[:, None, None] > 0
        known = torch.where(fresh, where.landmarks, self.raw[where.track])
        matrices = patch_from_landmarks(known, where.corner)
        back = inverted(matrices)
        patches = pyramid.cut(back, landmarker.SIDE_PX).round().byte().permute(0, 2, 3, 1)
        landmarks, score = self._network(patches)
        raw = _in_frame(landmarks.float() * landmarker.SIDE_PX, back, where.corner)
        sane = torch.isfinite(raw).flatten(1).all(dim=1)
        raw = torch.where(sane[:, None, None], raw, known)
        value, speed = self._smoothed(raw, where)
        for table, rows in ((self.raw, raw), (self.value, value), (self.speed, speed)):
            table.index_copy_(0, where.keep, rows)
        return Looked(raw, value, torch.where(sane, score.float(), 0))

    def _smoothed(self, raw: Tensor, where: Where) -> tuple[Tensor, Tensor]:
        """Return smoothed landmarks and their speeds (N, 478, 3).  Source: One-Euro, as smoothing.py."""
        elapsed_s = where.elapsed_s.clamp(min=1e-6)[:, None, None]
        anew = (where.fresh > 0) | (where.elapsed_s <= 0) | (where.elapsed_s >= LONGEST_S)
        if math.isinf(self._cutoff_hz):
            return raw, torch.zeros_like(raw)
        low, high = torch.aminmax(raw[..., 0], dim=1)
        width_px = (high - low).clamp(min=1)[:, None, None]

        def follow(row: slice, value: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
            change, since_s = raw[row] - value, elapsed_s[row]
            speed = torch.lerp(speed, change / since_s, _weight(SPEED_CUTOFF_HZ, since_s))
            flow = speed[..., :2].norm(dim=-1, keepdim=True) / width_px[row]
            value = torch.addcmul(value, _weight(self._cutoff_hz + SPEED_GAIN * flow, since_s), change)
            begin = anew[row, None, None]
            return torch.where(begin, raw[row], value), torch.where(begin, 0, speed)

        value, speed = in_order(where, (self.value, self.speed), follow)
        return value, speed


class Cover:
    """What lies before the faces, by the masker, without flicker."""

    def __init__(self, network: nn.Module, tracks: int, strength: float, device: torch.device | str = "cpu") -> None:
        """Args: network: models/masker.onnx as a module; strength as Steady's."""
        self._network, self._strength = network, strength
        self.last = torch.zeros(tracks, masker.SIDE_PX, masker.SIDE_PX, device=device)

    def __call__(self, pyramid: Pyramid, landmarks: Tensor, where: Where) -> tuple[Tensor, Tensor]:
        """Return masks (N, 128, 128) 0..1, 1 where the face is seen, and matrices (N, 2, 3) region px -> mask px.

        Args: pyramid of (N, 3, S, S) BGR 0..255; landmarks (N, 478, 3) px of the frame.
        """
        matrices = mask_patch(landmarks, where.corner)
        patches = pyramid.cut(inverted(matrices), masker.SIDE_PX).round().byte().permute(0, 2, 3, 1)
        masks = self._network(patches)[0].float()
        masks = torch.where(torch.isfinite(masks).flatten(1).all(dim=1)[:, None, None], masks, 1)

        def follow(row: slice, last: Tensor) -> tuple[Tensor]:
            change = last - masks[row]
            steady = masks[row] + self._strength * (1 - change.abs()) * change
            return (torch.where(where.fresh[row, None, None] > 0, masks[row], steady),)

        (steady,) = in_order(where, (self.last,), follow)
        self.last.index_copy_(0, where.keep, steady)
        return steady, matrices


def in_order(where: Where, tables: tuple[Tensor, ...], follow: Callable[..., tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Carry what is remembered through the rows of a batch: from the tables, or from the row of the frame before.

    Args: tables (T, ...); follow(rows, *before) gives for rows (a slice of one, or of all) what comes after `before`.
    Returns: per table what each row made of it, (N, ...).
    """
    known = [table[where.track] for table in tables]
    if where.before is None or len(where.track) == 1:
        return follow(slice(None), *known)
    done: list[list[Tensor]] = [[] for _ in tables]
    for number in range(len(where.track)):
        row = slice(number, number + 1)
        before = [rows[row] for rows in known]
        if number:
            chained = where.before[row] >= 0
            at = where.before[row].clamp(min=0, max=number - 1)
            before = [
                torch.where(chained.reshape(-1, *[1] * (rows[0].ndim - 1)), torch.cat(rows)[at], table)
                for rows, table in zip(done, before)
            ]
        for rows, result in zip(done, follow(row, *before)):
            rows.append(result)
    return tuple(torch.cat(rows) for rows in done)


def patch_from_landmarks(landmarks: Tensor, corner: Tensor) -> Tensor:
    """Return (N, 2, 3) region px -> patch px of landmarks (N, 478, 3) of the frame, as landmarker's."""
    low, high, turn = _upright(landmarks)
    scale = landmarker.SIDE_PX / (landmarker.MARGIN * (high - low).amax(dim=1))
    return _placed(turn, scale, (low + high) / 2, landmarker.SIDE_PX / 2, corner)


def mask_patch(landmarks: Tensor, corner: Tensor) -> Tensor:
    """Return (N, 2, 3) region px -> mask px of landmarks (N, 478, 3) of the frame, as masker.patch_matrix."""
    low, high, turn = _upright(landmarks)
    mesh_px = (high - low).amax(dim=1).clamp(min=1)
    centre = (low + high) / 2
    centre[:, 1] -= masker.RISE * mesh_px
    return _placed(turn, masker.SIDE_PX / (masker.SIDES * mesh_px), centre, masker.SIDE_PX / 2 - 0.5, corner)


def _upright(landmarks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mesh's box with level eyes, low and high (N, 2), and the turn (N, 2, 2) frame -> upright."""
    across = landmarks[:, EYE_CORNERS[1], :2] - landmarks[:, EYE_CORNERS[0], :2]
    unit = across / across.norm(dim=1, keepdim=True).clamp(min=1e-6)
    turn = torch.stack([unit, torch.stack([-unit[:, 1], unit[:, 0]], dim=-1)], dim=1)
    low, high = torch.aminmax(landmarks[:, :MESH_POINTS, :2] @ turn.transpose(1, 2), dim=1)
    return low, high, turn


def _placed(turn: Tensor, scale: Tensor, centre: Tensor, middle_px: float, corner: Tensor) -> Tensor:
    """Return (N, 2, 3) region px -> patch px: turn, scale (N,), the upright centre (N, 2) in the patch's middle."""
    scale, off = scale[:, None, None], torch.baddbmm(centre[:, :, None], turn, corner[:, :, None], alpha=-1)
    return torch.cat([turn * scale, middle_px - off * scale], dim=2)


def _in_frame(landmarks: Tensor, back: Tensor, corner: Tensor) -> Tensor:
    """Bring landmarks (N, 478, 3) px of patches to the frame. Args: back (N, 2, 3) patch px -> region px."""
    scale = back[:, :, 0].norm(dim=1)
    shift = (back[:, :, 2] + corner)[:, None]
    flat = torch.baddbmm(shift, landmarks[..., :2], back[:, :, :2].transpose(1, 2))
    return torch.cat([flat, landmarks[..., 2:] * scale[:, None, None]], dim=2)


def _weight(cutoff_hz: Tensor | float, elapsed_s: Tensor) -> Tensor:
    """Weight of the new value in an exponential filter."""
    rate = 2 * math.pi * cutoff_hz * elapsed_s
    return rate / (rate + 1)
