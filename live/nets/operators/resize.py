"""Resize and Upsample: torch's own interpolation where it means the same, else a matrix per axis worked out at load."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, Value, axis_of, keep_off, operator
from live.nets.operators.shapes import one

HALF = ("half_pixel", "pytorch_half_pixel")


@operator("Resize", "Upsample")
def _resize(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    scales, sizes = _sizes(call, value)
    changed = [axis for axis in range(rank) if scales[axis] != 1 or sizes[axis] != value.shape[axis]]
    keep_off(value, changed)
    if not changed:
        return one(value, lambda x: x, value.rows)
    mode = call.get("mode", "nearest")
    old = call.node.op == "Upsample" or call.opset < 11
    where = call.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = call.get("nearest_mode", "floor" if old else "round_prefer_floor")
    spatial = rank == 4 and min(changed) >= 2
    exact = all(sizes[axis] == value.shape[axis] * scales[axis] for axis in changed)
    new = tuple(sizes[2:])

    def shape(x: Tensor) -> Tensor:
        return x.new_empty((*x.shape[:2], *new))

    if mode == "nearest":
        lines = {axis: nearest_line(value.shape[axis], sizes[axis], scales[axis], where, rounding) for axis in changed}
        if spatial and exact and all(_is_floor(lines[axis], value.shape[axis], sizes[axis]) for axis in changed):
            return one(value, lambda x: F.interpolate(x, new, mode="nearest"), value.rows, shape)
        return _look_up(value, lines)
    if mode in ("linear", "cubic") and spatial and exact and not call.get("antialias", 0):
        kind = "bilinear" if mode == "linear" else "bicubic"
        plain = mode == "linear" or (call.get("cubic_coeff_a", -0.75) == -0.75 and not call.get("exclude_outside", 0))
        # The two half-pixel ways differ only where one pixel is left.
        whole = where == "half_pixel" or min(new) > 1
        if where in HALF and whole and plain:
            return one(value, lambda x: F.interpolate(x, new, mode=kind, align_corners=False), value.rows, shape)
        if where == "align_corners" and plain and min(new) > 1:
            return one(value, lambda x: F.interpolate(x, new, mode=kind, align_corners=True), value.rows, shape)
    if mode not in ("linear", "cubic") or call.get("antialias", 0) or where == "tf_crop_and_resize":
        raise ModelError(f"{call.node.op} ({call.node.name}) with mode {mode}, {where} is not run here")
    matrices = [
        Value(_matrix(call, value.shape[axis], sizes[axis], scales[axis], mode, where), constant=True)
        for axis in changed
    ]

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        for axis, weight in zip(changed, weights):
            x = torch.matmul(x.movedim(axis, -1), weight).movedim(-1, axis)
        return x

    return Made(run, [value, *matrices], [value.rows])


def _sizes(call: Call, value: Value) -> tuple[list[float], list[int]]:
    """Scale and new size of every axis."""
    shape = list(value.shape)
    axes = [axis_of(axis, len(shape)) for axis in call.get("axes", range(len(shape)))]
    scales, sizes = [1.0] * len(shape), shape
    place = 1 if call.node.op == "Upsample" or call.opset < 11 else 2
    given = [float(number) for number in call.get("scales", ())]
    if not given and call.optional(place) is not None:
        given = [float(number) for number in call.fixed(place).reshape(-1).tolist()]
    if given:
        for axis, scale in zip(axes, given):
            scales[axis] = scale
        return scales, [math.floor(size * scale) for size, scale in zip(shape, scales)]
    if call.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ModelError(f"Resize ({call.node.name}) that keeps the aspect ratio is not run here")
    sizes = list(shape)
    for axis, size in zip(axes, call.fixed_ints(3)):
        sizes[axis] = size
    return [new / old for new, old in zip(sizes, shape)], sizes


def places(size: int, new: int, scale: float, where: str) -> Tensor:
    """Where the new entries lie between the old ones, (new,) float32. Source: the Resize operator's definition.

    float32 because ONNX Runtime's are: where rounding is a toss-up, both toss the same.
    """
    line = torch.arange(new, dtype=torch.float32)
    if where == "asymmetric":
        return line / scale
    if where == "align_corners":
        return line * (size - 1) / max(new - 1, 1)
    if where == "pytorch_half_pixel" and new == 1:
        return torch.zeros(1)
    if where == "tf_half_pixel_for_nn":
        return (line + 0.5) / scale
    if where in HALF:
        return (line + 0.5) / scale - 0.5
    raise ModelError(f"Resize with {where} is not run here")


def nearest_line(size: int, new: int, scale: float, where: str, rounding: str) -> Tensor:
    """Which old entry stands at each new place, (new,) int64."""
    at = places(size, new, scale, where)
    rounded = {
        "floor": torch.floor(at),
        "ceil": torch.ceil(at),
        "round_prefer_floor": torch.ceil(at - 0.5),
        "round_prefer_ceil": torch.floor(at + 0.5),
    }
    if rounding not in rounded:
        raise ModelError(f"Resize with nearest mode {rounding} is not run here")
    return rounded[rounding].clamp(0, size - 1).to(torch.int64)


def _is_floor(line: Tensor, size: int, new: int) -> bool:
    return bool((line == (torch.arange(new) * size) // new).all())


def _look_up(value: Value, lines: dict[int, Tensor]) -> Made:
    order = sorted(lines)

    def run(x: Tensor, *where: Tensor) -> Tensor:
        for axis, line in zip(order, where):
            x = x.index_select(axis, line)
        return x

    return Made(run, [value, *(Value(lines[axis], constant=True) for axis in order)], [value.rows])


def _matrix(call: Call, size: int, new: int, scale: float, mode: str, where: str) -> Tensor:
    """What each old entry adds to each new one, (size, new) float32."""
    at = places(size, new, scale, where)
    first = torch.floor(at)
    part = at - first
    if mode == "linear":
        weights = {0: 1 - part, 1: part}
    else:
        a = call.get("cubic_coeff_a", -0.75)
        near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (part, 1 - part)]
        far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + part, 2 - part)]
        weights = {-1: far[0], 0: near[0], 1: near[1], 2: far[1]}
    matrix = torch.zeros(size, new)
    columns = torch.arange(new)
    for offset, weight in weights.items():
        rows = first + offset
        inside = (rows >= 0) & (rows < size)
        kept = weight * inside if call.get("exclude_outside", 0) else weight
        matrix.index_put_((rows.clamp(0, size - 1).to(torch.int64), columns), kept, accumulate=True)
    if call.get("exclude_outside", 0):
        matrix = matrix / matrix.sum(0)
    return matrix
