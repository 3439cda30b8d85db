"""Convolutions, and what of them runs as products of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, MixedRowsError, Value, keep_off, operator

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}
HALVES = {torch.float16, torch.bfloat16}
SMALL_PICTURE = 32 * 32
"""Pixels up to which several layers fill a card only together; of more each adds its bias within its own kernel."""
LEAST_COLUMNS = 8
"""Of a product in place of a convolution: tensor cores take halves by eights."""


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
    count, layer = weights.shape[0], _product if call.dtype in HALVES else F.conv2d

    def each(x: Tensor, w: Tensor, b: Tensor | None = None) -> tuple[Tensor, ...]:
        lines = [None] * count if b is None else b.unbind()
        return tuple(layer(x, one[:, :, None, None], line) for one, line in zip(w.unbind(), lines))

    def together(x: Tensor, w: Tensor, b: Tensor | None = None) -> tuple[Tensor, ...]:
        pixels, kernels = _pixels(x).expand(count, -1, -1), w.transpose(1, 2)
        made = torch.bmm(pixels, kernels) if b is None else torch.baddbmm(b[:, None], pixels, kernels)
        return tuple(_picture(one, x) for one in made.unbind())

    small = math.prod(value.shape[2:]) <= SMALL_PICTURE
    takes = [item for item in (value, weights, biases) if item is not None]
    return Made(together if small and call.dtype in HALVES else each, takes, [value.rows] * count)


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
