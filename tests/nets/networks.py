"""Small ONNX files for tests, and the reference they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


def info(name: str, shape: Sequence[int | str | None], dtype: Any = np.float32) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Mapping[str, np.ndarray] | None = None,
    opset: int = 13,
) -> Path:
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), initializer=tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def one_node(path: Path, op: str, inputs: Sequence[Any], outputs: int = 1, opset: int = 13, **attributes: Any) -> Path:
    """A file of one operator. Inputs: a shape is a free input with one row, an array a weight, None left out."""
    names, free, weights = [], [], {}
    for index, item in enumerate(inputs):
        name = "" if item is None else f"in{index}"
        names.append(name)
        if isinstance(item, np.ndarray):
            weights[name] = item
        elif item is not None:
            free.append(info(name, item))
    outs = [f"out{index}" for index in range(outputs)]
    node = helper.make_node(op, names, outs, **attributes)
    ports = [helper.make_empty_tensor_value_info(name) for name in outs]
    return save(path, [node], free, _inferred([node], free, ports, weights, opset), weights, opset)


def _inferred(nodes: Any, free: Any, ports: Any, weights: Any, opset: int) -> list[Any]:
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "test", free, ports, initializer=tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    outputs = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
    # Functions are not inferred; the one tested keeps its input's shape.
    return [item if item.type.HasField("tensor_type") else info(item.name, [1, *[None] * 3]) for item in outputs]


def reference(path: Path, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """ONNX Runtime's result."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(inputs)))


def row_by_row(path: Path, inputs: Mapping[str, np.ndarray], shared: Sequence[str] = ()) -> list[np.ndarray]:
    """ONNX Runtime's results of each row alone, put together."""
    rows = max(len(array) for name, array in inputs.items() if name not in shared)
    each = [
        reference(path, {name: array if name in shared else array[row : row + 1] for name, array in inputs.items()})
        for row in range(rows)
    ]
    return [np.concatenate(parts) for parts in zip(*each)]


def distance(got: np.ndarray, wanted: np.ndarray) -> float:
    """||a - b|| / ||b||."""
    assert got.shape == wanted.shape
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12))
