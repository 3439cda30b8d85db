"""Operators that lay out, cut, join and count: no arithmetic on what the values mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.graph import MOST_ELEMENTS
from live.nets.operators.call import (
    Call,
    Made,
    MixedRowsError,
    Value,
    axis_of,
    keep_off,
    operator,
    reshape_rows,
)

DTYPES = {
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
}
"""ONNX's numbers of types that are no floats; floats (1, 10, 11, 16) all follow the network's precision."""
FLOATS = (1, 10, 11, 16)


def one(
    value: Value, run: Callable[[Tensor], Any], rows: int | None, shape: Callable[..., Tensor] | None = None
) -> Made:
    """An operator of one value with one result."""
    return Made(run, [value], [rows], shape)


def same(tensor: Tensor, *_: Tensor) -> Tensor:
    """The shape of a result that is like the first input."""
    return tensor


def laid_out(value: Value, target: list[int]) -> Made:
    """Lay out the entries of a value for one row as `target`, whatever the number of rows."""
    if value.tensor.numel() != math.prod(target):
        raise ModelError(f"a network lays out {value.shape} as {tuple(target)}")
    rows = reshape_rows(value, target)
    shape = tuple(-1 if axis == rows else size for axis, size in enumerate(target))
    return one(value, lambda tensor: tensor.reshape(shape), rows)


@operator("Reshape")
def _reshape(call: Call) -> Made:
    value = call.value(0)
    asked = [int(size) for size in call.get("shape", ())] or call.fixed_ints(1)
    target = list(asked)
    for axis, size in enumerate(target):
        if size == 0 and not call.get("allowzero", 0):
            target[axis] = value.shape[axis]
    if -1 in target:
        known = math.prod(size for size in target if size != -1)
        target[target.index(-1)] = value.tensor.numel() // max(known, 1)
    return laid_out(value, target)


@operator("Flatten")
def _flatten(call: Call) -> Made:
    value = call.value(0)
    axis = call.get("axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    return laid_out(value, [math.prod(value.shape[:axis]), math.prod(value.shape[axis:])])


@operator("Squeeze")
def _squeeze(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    axes = call.ints("axes", 1)
    if axes is None:
        axes = [axis for axis, size in enumerate(value.shape) if size == 1]
    drop = {axis_of(axis, rank) for axis in axes}
    keep_off(value, sorted(drop))
    rows = None if value.rows is None else value.rows - sum(axis < value.rows for axis in drop)
    order = tuple(sorted(drop))
    return one(value, lambda tensor: tensor.squeeze(order), rows)


@operator("Unsqueeze")
def _unsqueeze(call: Call) -> Made:
    value = call.value(0)
    axes = call.ints("axes", 1) or []
    rank = len(value.shape) + len(axes)
    new = sorted(axis_of(axis, rank) for axis in axes)
    kept = [axis for axis in range(rank) if axis not in new]
    rows = None if value.rows is None else kept[value.rows]

    def run(tensor: Tensor) -> Tensor:
        for axis in new:
            tensor = tensor.unsqueeze(axis)
        return tensor

    return one(value, run, rows)


@operator("Transpose")
def _transpose(call: Call) -> Made:
    value = call.value(0)
    order = tuple(call.get("perm", tuple(reversed(range(len(value.shape))))))
    rows = None if value.rows is None else order.index(value.rows)
    return one(value, lambda tensor: tensor.permute(order), rows)


@operator("Identity", "Dropout")
def _identity(call: Call) -> Made:
    value = call.value(0)
    if len(call.node.outputs) > 1:
        raise ModelError(f"{call.node.op} ({call.node.name}) is asked for more than its value")
    return one(value, lambda tensor: tensor, value.rows)


@operator("Cast")
def _cast(call: Call) -> Made:
    value = call.value(0)
    to = call.get("to", 1)
    if to not in DTYPES and to not in FLOATS:
        raise ModelError(f"Cast ({call.node.name}) to a type that is not run here")
    kind = DTYPES.get(to, call.dtype)
    return one(value, lambda tensor: tensor.to(kind), value.rows)


@operator("Shape")
def _shape(call: Call) -> Made:
    value = call.value(0)
    sizes = torch.tensor(value.shape[call.get("start", 0) : call.get("end", None)], dtype=torch.int64)
    return Made(lambda: sizes, [], [None])


@operator("Size")
def _size(call: Call) -> Made:
    number = torch.tensor(call.value(0).tensor.numel(), dtype=torch.int64)
    return Made(lambda: number, [], [None])


@operator("ConstantOfShape")
def _constant_of_shape(call: Call) -> Made:
    shape = call.fixed_ints(0)
    _bound(shape)
    number = call.get("value", None)
    filled = torch.full(shape, 0.0) if number is None else torch.full(shape, number.reshape(-1)[0].item())
    kind = filled.dtype if number is None else torch.tensor(number).dtype
    filled = filled.to(torch.float32 if kind.is_floating_point else kind)
    return Made(lambda: filled, [], [None])


@operator("Range")
def _range(call: Call) -> Made:
    start, end, step = (call.fixed(index).reshape(()) for index in range(3))
    _bound([int((float(end) - float(start)) / float(step))])
    line = torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)
    return Made(lambda: line, [], [None])


def _bound(shape: list[int]) -> None:
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_ELEMENTS:
        raise ModelError(f"a network asks for a tensor of {shape} numbers, which is more than is allowed")


@operator("Expand")
def _expand(call: Call) -> Made:
    value = call.value(0)
    target = list(np.broadcast_shapes(value.shape, tuple(call.fixed_ints(1))))
    _bound(target)
    extra = len(target) - len(value.shape)
    rows = None if value.rows is None else value.rows + extra
    if rows is not None and value.shape[rows - extra] != target[rows]:
        raise MixedRowsError
    shape = tuple(-1 if axis == rows else size for axis, size in enumerate(target))
    return one(value, lambda tensor: tensor.expand(shape), rows)


@operator("Tile")
def _tile(call: Call) -> Made:
    value = call.value(0)
    counts = tuple(call.fixed_ints(1))
    _bound([size * count for size, count in zip(value.shape, counts)])
    if value.rows is not None and counts[value.rows] != 1:
        raise MixedRowsError
    return one(value, lambda tensor: tensor.repeat(counts), value.rows)
