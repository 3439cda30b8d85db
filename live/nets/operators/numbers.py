"""Operators that compute entry by entry, reduce along axes, or multiply matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, Mixed, Value, axis_of, broadcast_rows, keep_off, operator, spread
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


@operator("Softmax", "LogSoftmax")
def _softmax(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    function = torch.softmax if call.node.op == "Softmax" else torch.log_softmax
    axis = axis_of(call.get("axis", -1 if call.opset >= 13 else 1), rank)
    if call.opset >= 13 or axis == rank - 1:
        keep_off(value, [axis])
        return one(value, lambda tensor: function(tensor, axis), value.rows)
    # Until opset 12 everything from the axis on was one line.
    keep_off(value, range(axis, rank))
    return one(value, lambda tensor: function(tensor.flatten(axis), axis).reshape(tensor.shape), value.rows)


def _l2(tensor: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.linalg.vector_norm(tensor, dim=axes, keepdim=keep)


def _product(tensor: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        tensor = tensor.prod(axis, keepdim=keep)
    return tensor


REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceL1": lambda tensor, axes, keep: tensor.abs().sum(axes, keepdim=keep),
    "ReduceL2": _l2,
    "ReduceLogSumExp": lambda tensor, axes, keep: torch.logsumexp(tensor, axes, keepdim=keep),
    "ReduceMax": lambda tensor, axes, keep: torch.amax(tensor, axes, keepdim=keep),
    "ReduceMean": lambda tensor, axes, keep: torch.mean(tensor, axes, keepdim=keep),
    "ReduceMin": lambda tensor, axes, keep: torch.amin(tensor, axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceSum": lambda tensor, axes, keep: torch.sum(tensor, axes, keepdim=keep, dtype=tensor.dtype),
    "ReduceSumSquare": lambda tensor, axes, keep: (tensor * tensor).sum(axes, keepdim=keep),
}


@operator(*REDUCTIONS)
def _reduce(call: Call) -> Made:
    value = call.value(0)
    rank = len(value.shape)
    asked = call.ints("axes", 1)
    if not asked and call.get("noop_with_empty_axes", 0):
        return one(value, lambda tensor: tensor, value.rows)
    axes = sorted(axis_of(axis, rank) for axis in asked) if asked else list(range(rank))
    keep_off(value, axes)
    keep = bool(call.get("keepdims", 1))
    rows = value.rows
    if rows is not None and not keep:
        rows -= sum(axis < rows for axis in axes)
    function = REDUCTIONS[call.node.op]
    return one(value, lambda tensor: function(tensor, axes, keep), rows)


@operator("ArgMax", "ArgMin")
def _arg(call: Call) -> Made:
    value = call.value(0)
    axis = axis_of(call.get("axis", 0), len(value.shape))
    keep_off(value, [axis])
    keep = bool(call.get("keepdims", 1))
    rows = value.rows if keep or value.rows is None or value.rows < axis else value.rows - 1
    function = torch.argmax if call.node.op == "ArgMax" else torch.argmin
    return one(value, lambda tensor: function(tensor, axis, keepdim=keep), rows)


@operator("TopK")
def _top_k(call: Call) -> Made:
    value = call.value(0)
    axis = axis_of(call.get("axis", -1), len(value.shape))
    keep_off(value, [axis])
    count = call.get("k", None) or call.fixed_ints(1)[0]
    largest = bool(call.get("largest", 1))
    return Made(lambda tensor: torch.topk(tensor, count, axis, largest), [value], [value.rows, value.rows])


@operator("CumSum")
def _cumsum(call: Call) -> Made:
    value = call.value(0)
    axis = axis_of(call.fixed_ints(1)[0], len(value.shape))
    keep_off(value, [axis])
    if call.get("exclusive", 0) or call.get("reverse", 0):
        raise ModelError(f"CumSum ({call.node.name}) that is exclusive or reversed is not run here")
    return one(value, lambda tensor: tensor.cumsum(axis), value.rows)


@operator("MatMul")
def _matmul(call: Call) -> Made:
    left, right = call.value(0), call.value(1)
    a, b = len(left.shape), len(right.shape)
    if a < 2 or b < 2:
        if left.rows is not None or right.rows is not None:
            raise Mixed
        return Made(torch.matmul, [left, right], [None])
    if left.rows == a - 1 or (right.rows is not None and right.rows >= b - 2):
        raise Mixed
    if left.rows == a - 2:
        if right.rows is not None:
            raise Mixed
        return Made(torch.matmul, [left, right], [max(a, b) - 2])
    leading = [Value(value.tensor[..., 0, 0], rows=value.rows) for value in (left, right)]
    rows, shared = broadcast_rows(leading)
    if shared:
        raise Mixed
    return Made(torch.matmul, [left, right], [rows])


@operator("Gemm")
def _gemm(call: Call) -> Made:
    left, right, bias = call.value(0), call.value(1), call.optional(2)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if right.constant and not call.get("transA", 0) and (bias is None or bias.constant):
        keep_off(left, [1])
        weight = right.tensor if call.get("transB", 0) else right.tensor.T
        takes = [left, Value((weight * alpha if alpha != 1 else weight).contiguous(), constant=True)]
        if bias is not None:
            line = (bias.tensor * beta if beta != 1 else bias.tensor).expand(1, weight.shape[0]).reshape(-1)
            takes.append(Value(line.contiguous(), constant=True))
        return Made(F.linear, takes, [left.rows])
    if left.rows not in (None, 1 if call.get("transA", 0) else 0) or right.rows is not None:
        raise Mixed
    if bias is not None and (bias.rows is not None or (left.rows is not None and bias.tensor.dim() > 1)):
        raise Mixed

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        product = (a.T if call.get("transA", 0) else a) @ (b.T if call.get("transB", 0) else b)
        product = product * alpha if alpha != 1 else product
        return product if c is None else product + (c * beta if beta != 1 else c)

    rows = None if left.rows is None else 0
    return Made(run, [value for value in (left, right, bias) if value is not None], [rows])


@operator("Einsum")
def _einsum(call: Call) -> Made:
    equation = str(call.get("equation", "")).replace(" ", "")
    values = call.given()
    terms, _, result = equation.partition("->")
    letters = {term[value.rows] for term, value in zip(terms.split(","), values) if value.rows is not None}
    if len(letters) > 1 or "." in equation or (letters and not letters <= set(result)):
        raise Mixed
    letter = letters.pop() if letters else ""
    if letter and any(letter in term and v.rows is None and v.shape[term.index(letter)] != 1
                      for term, v in zip(terms.split(","), values)):
        raise Mixed
    return Made(lambda *tensors: torch.einsum(equation, *tensors), values, [result.index(letter) if letter else None])
