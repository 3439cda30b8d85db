"""Frees the batch dimension of an ONNX graph whose file says 1, so that all faces of a frame go in one run.

Whether the changed graph still computes the same is not proven here: graphs can bake the 1 into places that no
rewriting reaches (a grouped convolution with weights made per picture), so whoever loads it compares it with the
original and keeps that where they differ. Knows graphs; knows no runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

BATCH = "batch"
"""Name of the dimension that was freed."""


def batched(shape: tuple[int | None, ...]) -> bool:
    """Whether the first dimension of an input or output counts faces: vectors and pictures, not single numbers."""
    return len(shape) >= 2


def free_batch(model: Any) -> bool:
    """Free the first dimension of an `onnx.ModelProto`, in place; False where it is no fixed 1.

    Rewritten are the first dimension of every input and output of rank 2 or more, and a leading 1 in the constant
    target of a Reshape whose data depend on an input and begin with a 1, too: it becomes 0, "as it was". The shapes
    of intermediate values are dropped, since they were true for 1.
    """
    if not any(_first(value) == 1 for value in _fed(model.graph)):
        return False
    leading_one = _begin_with_one(model)
    for value in [*_fed(model.graph), *model.graph.output]:
        if _first(value) is not None:
            dimension = value.type.tensor_type.shape.dim[0]
            dimension.Clear()
            dimension.dim_param = BATCH
    _free_reshapes(model.graph, leading_one)
    del model.graph.value_info[:]
    return True


def _fed(graph: Any) -> list[Any]:
    """The inputs that are fed: old files list their weights as inputs, too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def _first(value: Any) -> int | None:
    """The first dimension where it is a number and counts faces."""
    shape = value.type.tensor_type.shape.dim
    known = len(shape) >= 2 and shape[0].HasField("dim_value")
    return int(shape[0].dim_value) if known else None


def _begin_with_one(model: Any) -> set[str]:
    """Names of the values that depend on an input and whose first dimension is 1, as far as shapes can be inferred."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # of protobuf (2 GB) and of the inference; without shapes no Reshape is rewritten
        return set()
    ones = {value.name for value in [*inferred.value_info, *inferred.input, *inferred.output] if _first(value) == 1}
    depend = {value.name for value in _fed(model.graph)}
    for node in model.graph.node:
        if depend.intersection(node.input):
            depend.update(node.output)
    return ones & depend


def _free_reshapes(graph: Any, leading_one: set[str]) -> None:
    """Turn the leading 1 of Reshape targets into 0; a target that another node uses, too, is copied first."""
    from onnx import numpy_helper

    targets = dict(_constants(graph))
    for index, node in enumerate(graph.node):
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[0] not in leading_one:
            continue
        target = targets.get(node.input[1])
        if target is None or len(target) < 2 or target[0] != 1 or any(_keeps_zero(node)):
            continue
        name = f"{node.input[1]}/free{index}"
        graph.initializer.append(numpy_helper.from_array(np.array([0, *target[1:]], np.int64), name))
        node.input[1] = name


def _keeps_zero(node: Any) -> Iterator[bool]:
    """Whether a 0 in a Reshape's target means the size 0, not "as it was"."""
    return (attribute.i == 1 for attribute in node.attribute if attribute.name == "allowzero")


def _constants(graph: Any) -> Iterator[tuple[str, list[int]]]:
    """Names and values of the short whole-number vectors of a graph: what a Reshape's target can be."""
    from onnx import TensorProto, numpy_helper

    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.INT64 and len(tensor.dims) == 1 and tensor.dims[0] <= 8:
            yield tensor.name, numpy_helper.to_array(tensor).tolist()
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value" and len(attribute.t.dims) == 1 and attribute.t.dims[0] <= 8:
                    yield node.output[0], numpy_helper.to_array(attribute.t).tolist()
