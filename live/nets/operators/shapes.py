"""Operators that lay out, cut, join and count: no arithmetic on what the values mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.graph import MOST_ELEMENTS
from live.nets.operators.call import (
    Call,
    Made,
    Mixed,
    Value,
    axis_of,
    broadcast_rows,
    keep_off,
    operator,
    reshape_rows,
    spread,
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
    target = list(torch.broadcast_shapes(value.shape, tuple(call.fixed_ints(1))))
    _bound(target)
    extra = len(target) - len(value.shape)
    rows = None if value.rows is None else value.rows + extra
    if rows is not None and value.shape[rows - extra] != target[rows]:
        raise Mixed
    shape = tuple(-1 if axis == rows else size for axis, size in enumerate(target))
    return one(value, lambda tensor: tensor.expand(shape), rows)


@operator("Tile")
def _tile(call: Call) -> Made:
    value = call.value(0)
    counts = tuple(call.fixed_ints(1))
    _bound([size * count for size, count in zip(value.shape, counts)])
    if value.rows is not None and counts[value.rows] != 1:
        raise Mixed
    return one(value, lambda tensor: tensor.repeat(counts), value.rows)


@operator("Concat")
def _concat(call: Call) -> Made:
    values = call.given()
    axis = axis_of(call.get("axis", 0), len(values[0].shape))
    rows = {value.rows for value in values if value.rows is not None}
    if len(rows) > 1 or axis in rows:
        raise Mixed
    place = rows.pop() if rows else None
    if place is None or all(value.rows is not None for value in values):
        return Made(lambda *tensors: torch.cat(tensors, axis), values, [place])
    leader = next(index for index, value in enumerate(values) if value.rows is not None)
    per_row = values[leader].shape[place]
    shared = [value.rows is None for value in values]

    def run(*tensors: Tensor) -> Tensor:
        count = tensors[leader].shape[place] // per_row
        return torch.cat([spread(t, place, count) if is_shared else t for t, is_shared in zip(tensors, shared)], axis)

    return Made(run, values, [place])


@operator("Split")
def _split(call: Call) -> Made:
    value = call.value(0)
    axis = axis_of(call.get("axis", 0), len(value.shape))
    keep_off(value, [axis])
    sizes = call.ints("split", 1)
    if sizes is None:
        count = call.get("num_outputs", len(call.node.outputs))
        size = math.ceil(value.shape[axis] / count)
        sizes = [size] * (count - 1) + [value.shape[axis] - size * (count - 1)]
    return Made(lambda tensor: torch.split(tensor, sizes, axis), [value], [value.rows] * len(sizes))


@operator("Slice")
def _slice(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    starts, ends = call.ints("starts", 1) or [], call.ints("ends", 2) or []
    axes = call.ints("axes", 3)
    steps = call.ints("steps", 4)
    cuts: dict[int, slice] = {}
    backwards: dict[int, Tensor] = {}
    for index, (start, end) in enumerate(zip(starts, ends)):
        axis = axis_of(axes[index] if axes else index, rank)
        step = steps[index] if steps else 1
        size = value.shape[axis]
        whole = range(size)[slice(start, None if step < 0 and end < -size else end, step)]
        if len(whole) == size and step == 1:
            continue
        keep_off(value, [axis])
        if step > 0:
            cuts[axis] = slice(whole.start, whole.stop, step)
        else:
            backwards[axis] = torch.tensor(list(whole), dtype=torch.int64)
    index = tuple(cuts.get(axis, slice(None)) for axis in range(rank))
    order = sorted(backwards)

    def run(tensor: Tensor, *lines: Tensor) -> Tensor:
        tensor = tensor[index] if cuts else tensor
        for axis, line in zip(order, lines):
            tensor = tensor.index_select(axis, line)
        return tensor

    return Made(run, [value, *(Value(backwards[axis], constant=True) for axis in order)], [value.rows])


@operator("Gather")
def _gather(call: Call) -> Made:
    value, index = call.value(0), call.value(1)
    rank = len(value.shape)
    axis = axis_of(call.get("axis", 0), rank)
    keep_off(value, [axis])
    if value.rows is not None and index.rows is not None:
        raise Mixed
    rows = None if index.rows is None else axis + index.rows
    if value.rows is not None:
        rows = value.rows if value.rows < axis else value.rows - 1 + len(index.shape)
    size = value.shape[axis]
    if index.constant:
        if index.tensor.numel() and not -size <= int(index.tensor.min()) <= int(index.tensor.max()) < size:
            raise ModelError(f"Gather ({call.node.name}) reads beyond its {size} entries")
        index = Value(index.tensor.to(torch.int64) % max(size, 1), constant=True)
        if index.tensor.dim() == 0:
            number = int(index.tensor)
            return one(value, lambda tensor: tensor.select(axis, number), rows)
    shape = index.shape

    def run(tensor: Tensor, line: Tensor) -> Tensor:
        # Indexing by a tensor would look at its numbers on the host; a clamp keeps them inside instead.
        flat = line.reshape(-1).clamp(-size, size - 1)
        flat = torch.where(flat < 0, flat + size, flat)
        found = tensor.index_select(axis, flat)
        return found.reshape(*tensor.shape[:axis], *line.shape, *tensor.shape[axis + 1 :])

    def run_constant(tensor: Tensor, line: Tensor) -> Tensor:
        found = tensor.index_select(axis, line.reshape(-1))
        return found.reshape(*tensor.shape[:axis], *shape, *tensor.shape[axis + 1 :])

    return Made(run_constant if index.constant else run, [value, index], [rows])


@operator("GatherElements")
def _gather_elements(call: Call) -> Made:
    value, index = call.value(0), call.value(1)
    axis = axis_of(call.get("axis", 0), len(value.shape))
    rows, shared = broadcast_rows([value, index])
    if rows == axis or shared:
        raise Mixed
    return Made(lambda tensor, line: tensor.gather(axis, line), [value, index], [rows])


@operator("ScatterElements")
def _scatter(call: Call) -> Made:
    values = [call.value(index) for index in range(3)]
    axis = axis_of(call.get("axis", 0), len(values[0].shape))
    if call.get("reduction", "none") != "none":
        raise ModelError(f"ScatterElements ({call.node.name}) with a reduction is not run here")
    places = {value.rows for value in values if value.rows is not None}
    if len(places) > 1 or axis in places:
        raise Mixed
    rows = places.pop() if places else None
    leader = next((index for index, value in enumerate(values) if value.rows is not None), 0)
    per_row = values[leader].shape[rows] if rows is not None else 1
    alone = [rows is not None and value.rows is None for value in values]

    def run(*tensors: Tensor) -> Tensor:
        if rows is not None:
            count = tensors[leader].shape[rows] // per_row
            tensors = tuple(spread(t, rows, count) if is_alone else t for t, is_alone in zip(tensors, alone))
        return tensors[0].scatter(axis, tensors[1], tensors[2].to(tensors[0].dtype))

    return Made(run, values, [rows])


@operator("DepthToSpace")
def _depth_to_space(call: Call) -> Made:
    value = call.value(0)
    block = call.get("blocksize", 1)
    keep_off(value, [1, 2, 3])
    if call.get("mode", "DCR") == "CRD":
        return one(value, lambda tensor: torch.pixel_shuffle(tensor, block), value.rows)

    def run(tensor: Tensor) -> Tensor:
        n, c, h, w = tensor.shape
        cut = tensor.reshape(n, block, block, c // block**2, h, w)
        return cut.permute(0, 3, 4, 1, 5, 2).reshape(n, c // block**2, h * block, w * block)

    return one(value, run, value.rows)


@operator("SpaceToDepth")
def _space_to_depth(call: Call) -> Made:
    value = call.value(0)
    block = call.get("blocksize", 1)
    keep_off(value, [1, 2, 3])

    def run(tensor: Tensor) -> Tensor:
        n, c, h, w = tensor.shape
        cut = tensor.reshape(n, c, h // block, block, w // block, block)
        return cut.permute(0, 3, 5, 1, 2, 4).reshape(n, c * block**2, h // block, w // block)

    return one(value, run, value.rows)
