"""Operators that look at neighbours: convolutions, pools, padding, sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, MixedRowsError, Value, keep_off, operator
from live.nets.operators.shapes import one

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}
HALVES = {torch.float16, torch.bfloat16}
LEAST_COLUMNS = 8
"""Of a product in place of a convolution: tensor cores take halves by eights."""
MAX_POOLS: dict[int, Callable[..., Tensor]] = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}


def window(call: Call, value: Value, kernel: list[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Strides, dilations, padding before and padding after, per spatial axis; auto_pad worked out for this size."""
    count = len(kernel)
    strides = [int(size) for size in call.get("strides", (1,) * count)]
    dilations = [int(size) for size in call.get("dilations", (1,) * count)]
    pads = [int(size) for size in call.get("pads", (0,) * (2 * count))]
    before, after = pads[:count], pads[count:]
    auto = call.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        for axis in range(count):
            size = value.shape[axis + 2]
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = max((math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size, 0)
            small, large = total // 2, total - total // 2
            before[axis], after[axis] = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        before, after = [0] * count, [0] * count
    return strides, dilations, before, after


def padder(before: list[int], after: list[int], fill: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function that pads the last axes with a number."""
    pads = tuple(size for pair in reversed(list(zip(before, after))) for size in pair)
    return lambda tensor: F.pad(tensor, pads, value=fill)


@operator("Conv")
def _conv(call: Call) -> Made:
    value, weight, bias = call.value(0), call.value(1), call.optional(2)
    keep_off(value, range(1, len(value.shape)))
    strides, dilations, before, after = window(call, value, list(weight.shape[2:]))
    groups = call.get("group", 1)
    convolve = CONVOLUTIONS.get(len(value.shape))
    if convolve is None:
        raise ModelError(f"Conv ({call.node.name}) over {len(value.shape) - 2} axes is not run here")
    pad = padder(before, after) if before != after else None
    inner = before if pad is None else [0] * len(before)
    takes = [item for item in (value, weight, bias) if item is not None]
    if weight.rows is None:
        if bias is not None and bias.rows is not None:
            raise MixedRowsError
        alone = weight.shape[2:] == (1, 1) and strides == [1, 1] and groups == 1 and not any((*before, *after))
        whole = bias is None or bias.shape == weight.shape[:1]
        if alone and whole and weight.shape[0] >= LEAST_COLUMNS and call.dtype in HALVES:
            return Made(_product, takes, [value.rows])

        def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
            return convolve(x if pad is None else pad(x), w, b, strides, inner, dilations, groups)

        return Made(run, takes, [value.rows])
    keep_off(weight, range(1, len(weight.shape)))
    if bias is not None:
        raise MixedRowsError
    out, per_row = weight.shape[0], value.shape[0]

    def run_per_row(x: Tensor, w: Tensor) -> Tensor:
        count = w.shape[0] // out
        x = x.expand(count, *x.shape[1:]) if x.shape[0] == 1 else x
        x = x if pad is None else pad(x)
        # Each row has its own weights: rows become groups of one convolution.
        result = convolve(x.reshape(1, -1, *x.shape[2:]), w, None, strides, inner, dilations, groups * count)
        return result.reshape(count, out, *result.shape[2:])

    if per_row != 1:
        raise MixedRowsError
    return Made(run_per_row, takes, [0])


def _product(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """A 1 x 1 convolution as a product of matrices: with channels last nothing is moved, and adding the bias is part of
    the kernel; cuDNN's would be another pass over the picture. Not for float32: a step's products keep all their bits,
    while its convolutions may take TF32.
    """
    pixels, kernel = _pixels(x), w.flatten(1).T
    return _picture(pixels @ kernel if b is None else torch.addmm(b, pixels, kernel), x)


def _pixels(x: Tensor) -> Tensor:
    """A picture (N, C, H, W) as (N * H * W, C); a view where channels are last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _picture(pixels: Tensor, like: Tensor) -> Tensor:
    """Undo `_pixels`."""
    return pixels.reshape(like.shape[0], *like.shape[2:], -1).permute(0, 3, 1, 2)


@operator("live.Layers")
def _layers(call: Call) -> Made:
    """Several 1 x 1 convolutions of one picture: inputs x, weights (L, out, in), perhaps biases (L, out)."""
    value, weights, biases = call.value(0), call.value(1), call.optional(2)
    keep_off(value, range(1, len(value.shape)))
    count, together = weights.shape[0], call.dtype in HALVES

    def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> tuple[Tensor, ...]:
        if not together:
            lines = [None] * count if b is None else b.unbind()
            return tuple(F.conv2d(x, one[:, :, None, None], line) for one, line in zip(w.unbind(), lines))
        pixels, kernels = _pixels(x).expand(count, -1, -1), w.transpose(1, 2)
        made = torch.bmm(pixels, kernels) if b is None else torch.baddbmm(b[:, None], pixels, kernels)
        return tuple(_picture(one, x) for one in made.unbind())

    takes = [item for item in (value, weights, biases) if item is not None]
    return Made(run, takes, [value.rows] * count)


@operator("ConvTranspose")
def _conv_transpose(call: Call) -> Made:
    value, weight, bias = call.value(0), call.value(1), call.optional(2)
    keep_off(value, range(1, len(value.shape)))
    count = len(weight.shape) - 2
    strides, dilations, before, after = window(call, value, list(weight.shape[2:]))
    extra = [int(size) for size in call.get("output_padding", (0,) * count)]
    if "output_shape" in call.node.attributes or call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise ModelError(f"ConvTranspose ({call.node.name}) with its output's shape given is not run here")
    groups = call.get("group", 1)
    convolve = TRANSPOSED.get(len(value.shape))
    if convolve is None:
        raise ModelError(f"ConvTranspose ({call.node.name}) over {count} axes is not run here")
    # torch cuts the same at both ends: the rest is cut afterwards.
    inner = [min(pair) for pair in zip(before, after)]
    cuts = tuple(
        slice(start - least, None if end == least else least - end) for start, end, least in zip(before, after, inner)
    )
    even = before == after
    takes = [item for item in (value, weight, bias) if item is not None]

    def crop(result: Tensor) -> Tensor:
        return result if even else result[(slice(None), slice(None), *cuts)]

    if weight.rows is None:

        def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
            return crop(convolve(x, w, b, strides, inner, extra, groups, dilations))

        return Made(run, takes, [value.rows])
    keep_off(weight, range(1, len(weight.shape)))
    if bias is not None or value.shape[0] != 1:
        raise MixedRowsError
    into, out = weight.shape[0], weight.shape[1] * groups

    def run_per_row(x: Tensor, w: Tensor) -> Tensor:
        rows = w.shape[0] // into
        x = x.expand(rows, *x.shape[1:]) if x.shape[0] == 1 else x
        result = convolve(x.reshape(1, -1, *x.shape[2:]), w, None, strides, inner, extra, groups * rows, dilations)
        return crop(result.reshape(rows, out, *result.shape[2:]))

    return Made(run_per_row, takes, [0])


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
