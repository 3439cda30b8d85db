"""Normalisations, and what `nets/fuse.py` makes of the chains that exporters write for them.

Statistics are float32 at every precision: a square of 300 is too much for half precision.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, MixedRowsError, Value, axis_of, keep_off, operator
from live.nets.operators.convolutions import CONVOLUTIONS, TRANSPOSED, padder, window
from live.nets.operators.shapes import same


def moments(x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Mean and 1 / standard deviation along axes, which are kept with size 1; float32.

    Half precision is read as it is and summed in float32, so no float32 copy of a picture is made.
    """
    if x.dtype == torch.float32:
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return mean, torch.rsqrt(variance + epsilon)
    mean = torch.mean(x, axes, keepdim=True, dtype=torch.float32)
    length = torch.linalg.vector_norm(x, dim=axes, keepdim=True, dtype=torch.float32)
    count = math.prod([x.shape[axis] for axis in axes])
    spread = torch.addcmul(mean * mean, length, length, value=-1 / count).clamp_max(0)  # the variance, negative
    return mean, torch.rsqrt(epsilon - spread)


def scaled(x: Tensor, mean: Tensor, inverse: Tensor, gain: Tensor | None, shift: Tensor | None) -> Tensor:
    """(x - mean) * inverse * gain + shift, with one pass over x."""
    factor = inverse.to(x.dtype) if gain is None else torch.mul(inverse, gain, out=_empty(x, inverse, gain))
    if shift is None:
        offset = torch.mul(mean, factor, out=_empty(x, mean, factor)).neg()
    else:  # with the factor as it was rounded: what is constant goes out exactly
        offset = torch.addcmul(shift, mean, factor, value=-1, out=_empty(x, mean, factor, shift))
    return torch.addcmul(offset, x, factor)


def _empty(like: Tensor, *given: Tensor) -> Tensor:
    """Room for what is made of tensors, in the type of another: no cast after it."""
    return like.new_empty(torch.broadcast_shapes(*[each.shape for each in given]))  # type: ignore[no-untyped-call]


def standardised(x: Tensor, axes: list[int], epsilon: float, gain: Tensor | None, shift: Tensor | None) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gain + shift along axes."""
    if x.is_cuda and len(x) == 1 and axes == [2, 3] and x.dim() == 4 and (gain is None) == (shift is None):
        return one_picture(x, epsilon, gain, shift)
    return scaled(x, *moments(x, axes, epsilon), gain, shift)


def one_picture(x: Tensor, epsilon: float, gain: Tensor | None, shift: Tensor | None) -> Tensor:
    """An instance norm of one row is a batch norm of one row: two kernels instead of fifteen, mostly tiny, ones."""
    weight, bias = (
        None if line is None else line.expand(1, x.shape[1], 1, 1).reshape(-1).float() for line in (gain, shift)
    )
    return torch.batch_norm(x, weight, bias, None, None, True, 0.0, epsilon, torch.backends.cudnn.enabled)


@operator("live.Standardise")
def _standardise(call: Call) -> Made:
    """(x - mean) / sqrt(variance + epsilon) along `axes`, then * input 2 + input 3 where they are there."""
    value, gain, shift = call.value(0), call.optional(1), call.optional(2)
    axes = [axis_of(int(axis), len(value.shape)) for axis in call.get("axes", ())]
    keep_off(value, axes)
    for other in (gain, shift):
        if other is None:
            continue
        placed = None if other.rows is None else other.rows + len(value.shape) - len(other.shape)
        if len(other.shape) > len(value.shape) or placed not in (None, value.rows):
            raise MixedRowsError
    epsilon = call.get("epsilon", 1e-5)
    takes = [item for item in (value, gain, shift) if item is not None]
    has_gain = gain is not None
    # Styles are float32 where they come from (plan.lines), as the norm wants them.

    def run(x: Tensor, *rest: Tensor) -> Tensor:
        first = rest[0] if has_gain else None
        second = rest[-1] if len(rest) > has_gain else None
        return standardised(x, axes, epsilon, first, second)

    return Made(run, takes, [value.rows], same, frozenset({1, 2}))


@operator("InstanceNormalization")
def _instance(call: Call) -> Made:
    value = call.value(0)
    axes = list(range(2, len(value.shape)))
    keep_off(value, [1, *axes])
    epsilon = call.get("epsilon", 1e-5)
    column = (-1, *(1,) * len(axes))
    gain, shift = (call.fixed(index) for index in (1, 2))
    if bool((gain == 1).all()) and not bool(shift.any()):
        return Made(lambda x: standardised(x, axes, epsilon, None, None), [value], [value.rows], same)
    lines = [Value(line.reshape(column), constant=True) for line in (gain, shift)]

    def run(x: Tensor, g: Tensor, s: Tensor) -> Tensor:
        return standardised(x, axes, epsilon, g, s)

    return Made(run, [value, *lines], [value.rows], same)


@operator("live.GroupNorm", "GroupNormalization")
def _group(call: Call) -> Made:
    value = call.value(0)
    keep_off(value, range(1, len(value.shape)))
    groups, epsilon = call.get("num_groups", 1), call.get("epsilon", 1e-5)
    channels = value.shape[1]
    gain, shift = call.fixed(1).reshape(-1), call.fixed(2).reshape(-1)
    if gain.numel() == groups != channels:  # until opset 20 one number per group
        gain, shift = (line.repeat_interleave(channels // groups) for line in (gain, shift))
    lines = [Value(line.contiguous(), constant=True) for line in (gain, shift)]
    rank, each = len(value.shape), channels // groups

    def run(x: Tensor, g: Tensor, s: Tensor) -> Tensor:
        cut = x.unflatten(1, (groups, each))  # type: ignore[no-untyped-call]
        mean, inverse = moments(cut, list(range(2, rank + 1)), epsilon)
        mean, inverse = (
            item.reshape(-1, groups, 1).expand(-1, -1, each).reshape(-1, channels, *(1,) * (rank - 2))
            for item in (mean, inverse)
        )
        column = (-1, *(1,) * (rank - 2))
        return scaled(x, mean, inverse, g.reshape(column), s.reshape(column))

    return Made(run, [value, *lines], [value.rows], same)


@operator("LayerNormalization")
def _layer(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    axis = call.get("axis", -1) % rank
    keep_off(value, range(axis, rank))
    if len(call.node.outputs) > 1:
        raise ModelError(f"LayerNormalization ({call.node.name}) that gives its statistics is not run here")
    shape, epsilon = value.shape[axis:], call.get("epsilon", 1e-5)
    lines = [
        Value(call.fixed(index).expand(shape).contiguous(), constant=True)
        for index in (1, 2)
        if call.optional(index) is not None
    ]

    def run(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        return F.layer_norm(x, shape, weight, bias, epsilon)

    return Made(run, [value, *lines], [value.rows], same)


@operator("BatchNormalization")
def _batch(call: Call) -> Made:
    value = call.value(0)
    keep_off(value, [1])
    gain, shift, mean, variance = (call.fixed(index).to(torch.float64) for index in range(1, 5))
    factor = gain / torch.sqrt(variance + call.get("epsilon", 1e-5))
    column = (-1, *(1,) * (len(value.shape) - 2))
    lines = [Value(line.to(torch.float32).reshape(column), constant=True) for line in (factor, shift - mean * factor)]
    return Made(lambda x, f, o: torch.addcmul(o, x, f), [value, *lines], [value.rows], same)


@operator("LpNormalization")
def _length(call: Call) -> Made:
    value = call.value(0)
    axis, power = call.get("axis", -1) % len(value.shape), call.get("p", 2)
    keep_off(value, [axis])

    def run(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, power, dim=axis, keepdim=True, dtype=torch.float32)
        return (x / length.clamp_min(1e-12)).to(x.dtype)

    return Made(run, [value], [value.rows])


EXACT = frozenset({3, 4})
"""Of what a modulated convolution takes: sums of squared weights, too many for half precision, and epsilon."""


@operator("live.ModulatedConv")
def _modulated(call: Call) -> Made:
    """StyleGAN2's convolution with weights scaled by each row's style: inputs x, weight, style (one per channel read),
    and perhaps what is added to the result.

    Scaling the picture before and after instead of the weights is the same number (Karras et al. 2020, section 2.2):
    sum_i w_oi s_i x_i * d_o with d_o = 1 / sqrt(sum_i s_i^2 w_oi^2 + epsilon). All rows share one plain convolution.
    """
    value, weight, style = call.value(0), call.value(1), call.value(2)
    keep_off(value, range(1, len(value.shape)))
    transposed = bool(call.get("transposed", 0))
    into = weight.shape[0] if transposed else weight.shape[1]
    if style.tensor.numel() != into or style.rows not in (None, 0) or len(value.shape) != 4:
        raise MixedRowsError
    strides, dilations, before, after = window(call, value, list(weight.shape[2:]))
    if transposed and before != after:
        raise ModelError(f"ConvTranspose ({call.node.name}) with uneven padding is not run here")
    extra = [int(size) for size in call.get("output_padding", (0, 0))]
    pad = padder(before, after) if before != after else None
    inner = before if pad is None else [0, 0]
    epsilon = call.get("epsilon", None)
    takes = [value, weight, style]
    if epsilon is not None:
        # A gain g on the result is 1 / sqrt((sum + epsilon) / g^2).
        damped = call.get("gain", 1.0) ** -2
        energy = call.fixed(1).to(torch.float64).square().sum((2, 3)) * damped
        energy = energy if transposed else energy.T  # (I, O)
        numbers = (energy.to(torch.float32).contiguous(), torch.tensor([epsilon * damped], dtype=torch.float32))
        takes += [Value(number, constant=True) for number in numbers]
        takes += [shift for shift in (call.optional(3),) if shift is not None]

    def run(x: Tensor, w: Tensor, s: Tensor, *rest: Tensor) -> Tensor:
        s = s.reshape(-1, into)
        x = x * s[:, :, None, None]
        y: Any
        if transposed:
            y = TRANSPOSED[4](x, w, None, strides, inner, extra, 1, dilations)
        else:
            y = CONVOLUTIONS[4](x if pad is None else pad(x), w, None, strides, inner, dilations)
        if rest:
            energies, least, *shift = rest
            scale = torch.rsqrt(torch.addmm(least, s.float().square(), energies))
            scale = scale.to(y.dtype)[:, :, None, None]
            y = torch.addcmul(shift[0], y, scale) if shift else y * scale
        return y

    return Made(run, takes, [0 if style.rows == 0 or value.rows == 0 else None], kept=EXACT)
