"""Operators that look at neighbours: pools, padding, sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, Value, keep_off, operator
from live.nets.operators.convolutions import padder, window
from live.nets.operators.shapes import one

MAX_POOLS: dict[int, Callable[..., Tensor]] = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}


@operator("MaxPool", "AveragePool")
def _pool(call: Call) -> Made:
    value = call.value(0)
    keep_off(value, range(1, len(value.shape)))
    if len(call.node.outputs) > 1 or len(value.shape) not in MAX_POOLS:
        raise ModelError(f"{call.node.op} ({call.node.name}) with these outputs or axes is not run here")
    kernel = [int(size) for size in call.get("kernel_shape", ())]
    strides, dilations, before, after = window(call, value, kernel)
    ceiled = bool(call.get("ceil_mode", 0))
    even = before == after and all(2 * size <= reach for size, reach in zip(before, kernel))
    if call.node.op == "MaxPool":
        pool = MAX_POOLS[len(value.shape)]
        pad = None if even else padder(before, after, -math.inf)
        inner = before if even else [0] * len(before)
        return one(
            value,
            lambda x: pool(x if pad is None else pad(x), kernel, strides, inner, dilations, ceiled),
            value.rows,
        )
    if any(size != 1 for size in dilations):
        raise ModelError(f"AveragePool ({call.node.name}) with dilations is not run here")
    counted = bool(call.get("count_include_pad", 0))
    if not even and not counted:
        raise ModelError(f"AveragePool ({call.node.name}) with uneven padding is not run here")
    outer = None if even else padder(before, after)
    inner = before if even else [0] * len(before)
    function: Any = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}[len(value.shape)]
    return one(
        value,
        lambda x: function(x if outer is None else outer(x), kernel, strides, inner, ceiled, counted),
        value.rows,
    )


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(call: Call) -> Made:
    value = call.value(0)
    axes = list(range(2, len(value.shape)))
    keep_off(value, axes)
    if call.node.op == "GlobalMaxPool":
        return one(value, lambda x: torch.amax(x, axes, keepdim=True), value.rows)
    return one(value, lambda x: torch.mean(x, axes, keepdim=True), value.rows)


@operator("Pad")
def _pad(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    pads = call.ints("pads", 1) or []
    if call.opset >= 18 and call.optional(3) is not None:
        axes = call.fixed_ints(3)
        full = [0] * (2 * rank)
        for index, axis in enumerate(axes):
            full[axis % rank], full[axis % rank + rank] = pads[index], pads[index + len(axes)]
        pads = full
    before, after = pads[:rank], pads[rank:]
    padded = [axis for axis in range(rank) if before[axis] or after[axis]]
    keep_off(value, padded)
    mode = call.get("mode", "constant")
    if mode == "constant":
        fill = call.get("value", 0.0)
        if call.optional(2) is not None:
            fill = call.fixed(2).item()
        return one(value, padder(before, after, fill), value.rows)
    if mode not in ("reflect", "edge", "wrap"):
        raise ModelError(f"Pad ({call.node.name}) with mode {mode} is not run here")
    lines = [pad_line(value.shape[axis], before[axis], after[axis], mode) for axis in range(rank)]
    if rank == 4 and padded and min(padded) >= 2:
        return _pad_pictures(value, lines[2], lines[3])
    takes = [value, *(Value(lines[axis], constant=True) for axis in padded)]

    def run(tensor: Tensor, *where: Tensor) -> Tensor:
        for axis, line in zip(padded, where):
            tensor = tensor.index_select(axis, line)
        return tensor

    return Made(run, takes, [value.rows])


def pad_line(size: int, before: int, after: int, mode: str) -> Tensor:
    """Which entry stands at each place of a padded axis; negative padding cuts."""
    places = torch.arange(-before, size + after)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places % size
    if max(before, after) >= size:
        raise ModelError(f"a network mirrors {max(before, after)} entries of {size}")
    places = places.abs()
    return torch.where(places > size - 1, 2 * (size - 1) - places, places)


def _pad_pictures(value: Value, tall: Tensor, wide: Tensor) -> Made:
    """Pad height and width by one look-up of whole pixels: torch's own mirror would leave channels_last and return."""
    height, width = value.shape[2:]
    places = (tall[:, None] * width + wide).reshape(-1)
    new_height, new_width = len(tall), len(wide)

    def run(x: Tensor, where: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1).reshape(x.shape[0], height * width, x.shape[1])
        padded = pixels.index_select(1, where)
        return padded.reshape(x.shape[0], new_height, new_width, x.shape[1]).permute(0, 3, 1, 2)

    return Made(run, [value, Value(places, constant=True)], [value.rows])


@operator("GridSample")
def _grid_sample(call: Call) -> Made:
    value, grid = call.value(0), call.value(1)
    keep_off(value, range(1, len(value.shape)))
    keep_off(grid, range(1, len(grid.shape)))
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    mode = modes.get(call.get("mode", "bilinear"), call.get("mode", "bilinear"))
    edge = call.get("padding_mode", "zeros")
    corners = bool(call.get("align_corners", 0))

    def run(x: Tensor, g: Tensor) -> Tensor:
        rows = max(x.shape[0], g.shape[0])
        return F.grid_sample(
            x.expand(rows, *x.shape[1:]), g.expand(rows, *g.shape[1:]), mode, edge, align_corners=corners
        )

    return Made(run, [value, grid], [0 if value.rows is not None or grid.rows is not None else None])
