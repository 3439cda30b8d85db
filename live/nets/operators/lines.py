"""Operators along axes: sums, softmax, matrix products."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from live.errors import ModelError
from live.nets.operators.call import Call, Made, MixedRowsError, Value, axis_of, broadcast_rows, keep_off, operator
from live.nets.operators.shapes import one


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
            raise MixedRowsError
        return Made(torch.matmul, [left, right], [None])
    if left.rows == a - 1 or (right.rows is not None and right.rows >= b - 2):
        raise MixedRowsError
    if left.rows == a - 2:
        if right.rows is not None:
            raise MixedRowsError
        return Made(torch.matmul, [left, right], [max(a, b) - 2])
    leading = [Value(value.tensor[..., 0, 0], rows=value.rows) for value in (left, right)]
    rows, shared = broadcast_rows(leading)
    if shared:
        raise MixedRowsError
    return Made(torch.matmul, [left, right], [rows])


@operator("Gemm")
def _gemm(call: Call) -> Made:
    left, right, bias = call.value(0), call.value(1), call.optional(2)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if len(left.shape) != 2 or len(right.shape) != 2:
        raise ModelError(f"Gemm ({call.node.name}) multiplies matrices, not {left.shape} and {right.shape}")
    if right.constant and not call.get("transA", 0) and (bias is None or bias.constant):
        keep_off(left, [1])
        weight = right.tensor if call.get("transB", 0) else right.tensor.T
        takes = [left, Value((weight * alpha if alpha != 1 else weight).contiguous(), constant=True)]
        if bias is not None:
            line = (bias.tensor * beta if beta != 1 else bias.tensor).expand(1, weight.shape[0]).reshape(-1)
            takes.append(Value(line.contiguous(), constant=True))
        return Made(F.linear, takes, [left.rows])
    if left.rows not in (None, 1 if call.get("transA", 0) else 0) or right.rows is not None:
        raise MixedRowsError
    if bias is not None and (bias.rows is not None or (left.rows is not None and bias.tensor.dim() > 1)):
        raise MixedRowsError

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
        raise MixedRowsError
    letter = letters.pop() if letters else ""
    if letter and any(
        letter in term and v.rows is None and v.shape[term.index(letter)] != 1
        for term, v in zip(terms.split(","), values)
    ):
        raise MixedRowsError
    return Made(lambda *tensors: torch.einsum(equation, *tensors), values, [result.index(letter) if letter else None])
