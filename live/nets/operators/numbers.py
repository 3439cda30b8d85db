"""Operators that compute entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from live.nets.operators.call import (
    Call,
    Made,
    Value,
    broadcast_rows,
    operator,
    spread,
)
from live.nets.operators.shapes import one, same


def pointwise(values: list[Value], function: Callable[..., Tensor]) -> Made:
    """An operator of values that are broadcast together; single numbers known at load are bound as numbers.

    A number bound so is not rounded to the network's precision: 1e-8 is zero in half precision.
    """
    rows, shared = broadcast_rows(values)
    rank = max(len(value.shape) for value in values)
    leader = next((index for index, value in enumerate(values) if value.rows is not None), 0)
    per_row = values[leader].shape[values[leader].rows or 0] if rows is not None else 1
    bound: dict[int, Any] = {}
    for index, value in enumerate(values):
        others = [other for other in values if other is not value]
        if (
            value.constant
            and value.tensor.numel() == 1
            and any(not other.constant and len(other.shape) == rank for other in others)
        ):
            bound[index] = value.tensor.item()
    takes = [value for index, value in enumerate(values) if index not in bound]
    if not bound and not shared:
        return Made(function, takes, [rows])

    def run(*tensors: Tensor) -> Tensor:
        given = iter(tensors)
        full: list[Any] = [bound[index] if index in bound else next(given) for index in range(len(values))]
        if shared:
            count = full[leader].shape[values[leader].rows] // per_row
            for index, axis in shared.items():
                full[index] = spread(full[index], axis, count)
        return function(*full)

    return Made(run, takes, [rows])


UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Softplus": F.softplus,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
    "live.Swish": F.silu,
    "HardSwish": F.hardswish,
}


@operator(*UNARY)
def _unary(call: Call) -> Made:
    return one(call.value(0), UNARY[call.node.op], call.value(0).rows)


def _divide(a: Any, b: Any) -> Any:
    first = a if isinstance(a, Tensor) else b
    return torch.div(a, b) if first.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _power(a: Any, b: Any) -> Any:
    return a * a if not isinstance(b, Tensor) and b == 2 else torch.pow(a, b)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "Div": _divide,
    "Equal": lambda a, b: torch.eq(a, b) if isinstance(a, Tensor) else torch.eq(b, a),
    "Greater": lambda a, b: torch.gt(a, b) if isinstance(a, Tensor) else torch.lt(b, a),
    "GreaterOrEqual": lambda a, b: torch.ge(a, b) if isinstance(a, Tensor) else torch.le(b, a),
    "Less": lambda a, b: torch.lt(a, b) if isinstance(a, Tensor) else torch.gt(b, a),
    "LessOrEqual": lambda a, b: torch.le(a, b) if isinstance(a, Tensor) else torch.ge(b, a),
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Pow": _power,
    "Sub": lambda a, b: torch.sub(a, b) if isinstance(a, Tensor) else torch.rsub(b, a),
}


@operator(*BINARY)
def _binary(call: Call) -> Made:
    return pointwise([call.value(0), call.value(1)], BINARY[call.node.op])


@operator("Mod")
def _mod(call: Call) -> Made:
    function = torch.fmod if call.get("fmod", 0) else torch.remainder
    return pointwise([call.value(0), call.value(1)], function)


@operator("Where")
def _where(call: Call) -> Made:
    return pointwise([call.value(index) for index in range(3)], torch.where)


@operator("live.MultiplyAdd")
def _multiply_add(call: Call) -> Made:
    """Inputs a, b, c: a * b + c."""

    def run(a: Any, b: Any, c: Any) -> Tensor:
        # Numbers that only the shapes told are bound as numbers, which addcmul does not take.
        plain = isinstance(a, Tensor) and isinstance(b, Tensor) and isinstance(c, Tensor)
        return torch.addcmul(c, a, b) if plain else a * b + c

    a, b, c = (call.value(index) for index in range(3))
    if a.constant and b.constant:
        return pointwise([Value(a.tensor * b.tensor, constant=True), c], torch.add)
    return pointwise([a, b, c], run)


@operator("live.Blend")
def _blend(call: Call) -> Made:
    """Inputs a, b, m: (1 - m) * a + m * b."""

    def run(a: Any, b: Any, m: Any) -> Tensor:
        plain = isinstance(a, Tensor) and isinstance(b, Tensor) and isinstance(m, Tensor)
        return torch.lerp(a, b.to(a.dtype), m.to(a.dtype)) if plain else a + m * (b - a)

    return pointwise([call.value(index) for index in range(3)], run)


@operator("Sum", "Mean", "Max", "Min")
def _many(call: Call) -> Made:
    values = call.given()
    pair: Callable[[Any, Any], Any] = {"Max": torch.maximum, "Min": torch.minimum}.get(call.node.op, torch.add)
    share = 1 / len(values) if call.node.op == "Mean" else 1

    def run(*tensors: Any) -> Tensor:
        total = tensors[0]
        for tensor in tensors[1:]:
            if pair is not torch.add and not (isinstance(total, Tensor) and isinstance(tensor, Tensor)):
                array, number = (total, tensor) if isinstance(total, Tensor) else (tensor, total)
                total = array.clamp(min=number) if pair is torch.maximum else array.clamp(max=number)
            else:
                total = pair(total, tensor)
        return total * share if share != 1 else total

    return pointwise(values, run)


@operator("LeakyRelu")
def _leaky_relu(call: Call) -> Made:
    slope = call.get("alpha", 0.01)
    return one(call.value(0), lambda tensor: F.leaky_relu(tensor, slope), call.value(0).rows, same)


@operator("Elu", "Selu", "HardSigmoid", "Gelu", "ThresholdedRelu")
def _shaped(call: Call) -> Made:
    value, op = call.value(0), call.node.op
    if op == "Elu":
        alpha = call.get("alpha", 1.0)
        return one(value, lambda tensor: F.elu(tensor, alpha), value.rows, same)
    if op == "Selu":
        return one(value, F.selu, value.rows, same)
    if op == "Gelu":
        way = call.get("approximate", "none")
        return one(value, lambda tensor: F.gelu(tensor, approximate=way), value.rows, same)
    if op == "ThresholdedRelu":
        alpha = call.get("alpha", 1.0)
        return one(value, lambda tensor: F.threshold(tensor, alpha, 0.0), value.rows, same)
    alpha, beta = call.get("alpha", 0.2), call.get("beta", 0.5)
    return one(value, lambda tensor: (tensor * alpha + beta).clamp(0, 1), value.rows)


@operator("PRelu")
def _prelu(call: Call) -> Made:
    def run(tensor: Tensor, slope: Any) -> Tensor:
        return torch.where(tensor < 0, tensor * slope, tensor)

    value, slope = call.value(0), call.value(1)
    rank = len(value.shape)
    spread_out = all(size == 1 for axis, size in enumerate(slope.shape) if axis + rank - len(slope.shape) != 1)
    if slope.constant and rank > 1 and spread_out and slope.tensor.numel() == value.shape[1]:
        weight = Value(slope.tensor.reshape(-1), constant=True)
        return Made(F.prelu, [value, weight], [value.rows], same)
    return pointwise([value, slope], run)


@operator("Clip")
def _clip(call: Call) -> Made:
    value = call.value(0)
    low, high = call.get("min", None), call.get("max", None)
    if call.optional(1) is not None:
        low = call.fixed(1).item()
    if call.optional(2) is not None:
        high = call.fixed(2).item()
    if low is None and high is None:
        return one(value, lambda tensor: tensor, value.rows)
    return one(value, lambda tensor: tensor.clamp(low, high), value.rows)
