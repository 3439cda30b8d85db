"""Counts a network's parameters and arithmetic from its ONNX graph. Runs nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Counted:
    """What one row costs."""

    parameters: int
    """Numbers in weights that some node reads."""
    flop: int
    """Multiplications and additions of convolutions and matrix products; the rest is left out, as is usual."""


def count(model: Any) -> Counted:
    """Count. Args: model an ONNX ModelProto; drawn weights may be declared as inputs instead of stored."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        shapes.setdefault(info.name, tuple(d.dim_value if d.dim_value else 1 for d in dims))
    read = {name for node in graph.node for name in node.input}
    rows = {"source", "target", "input", "input.1", "weight"}
    weights = [info for info in graph.input if info.name in read and info.name not in rows]
    stored = [tensor for tensor in graph.initializer if tensor.name in read and tensor.data_type == 1]
    parameters = sum(math.prod(shapes[item.name]) for item in (*weights, *stored))
    return Counted(parameters, sum(_flop(node, shapes) for node in graph.node))


def _flop(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type == "Conv":
        weight, out = shapes[node.input[1]], shapes[node.output[0]]
        return 2 * math.prod(out) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        weight, x = shapes[node.input[1]], shapes[node.input[0]]
        return 2 * math.prod(x) * math.prod(weight[1:])
    if node.op_type == "Gemm":
        return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "MatMul":
        return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return 0
