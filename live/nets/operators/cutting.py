"""Operators that cut, join and look up."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import (
    Call,
    Made,
    MixedRowsError,
    Value,
    axis_of,
    broadcast_rows,
    keep_off,
    operator,
    spread,
)
from live.nets.operators.shapes import one


@operator("Concat")
def _concat(call: Call) -> Made:
    values = call.given()
    axis = axis_of(call.get("axis", 0), len(values[0].shape))
    rows = {value.rows for value in values if value.rows is not None}
    if len(rows) > 1 or axis in rows:
        raise MixedRowsError
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
    places = tuple(cuts.get(axis, slice(None)) for axis in range(rank))
    order = sorted(backwards)

    def run(tensor: Tensor, *lines: Tensor) -> Tensor:
        tensor = tensor[places] if cuts else tensor
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
        raise MixedRowsError
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
        raise MixedRowsError
    return Made(lambda tensor, line: tensor.gather(axis, line), [value, index], [rows])


@operator("ScatterElements")
def _scatter(call: Call) -> Made:
    values = [call.value(index) for index in range(3)]
    axis = axis_of(call.get("axis", 0), len(values[0].shape))
    if call.get("reduction", "none") != "none":
        raise ModelError(f"ScatterElements ({call.node.name}) with a reduction is not run here")
    places = {value.rows for value in values if value.rows is not None}
    if len(places) > 1 or axis in places:
        raise MixedRowsError
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
