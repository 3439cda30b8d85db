"""A network as plain data: nodes, weights, ports. Reads it from an ONNX file; knows no torch and runs nothing.

The file is not trusted: sizes are bounded, data beside the file has to lie in its folder, and whatever is broken gives
one line. Programs inside a network (If, Loop, Scan) are refused: a frame's work must not depend on its pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from live.errors import ModelError
from live.nets.contract import Array, Port

MOST_BYTES = 4 << 30
"""A model file or one of its weights; the largest of the field is 0.9 GB."""
MOST_NODES = 50_000
"""The largest of the field has about 2 000."""
MOST_ELEMENTS = 1 << 30
"""Of any tensor a network makes; a hostile file may ask for more than there is memory."""


@dataclass(frozen=True)
class Node:
    """One operation."""

    op: str
    """The operator's ONNX name; ours begin with "live."."""
    inputs: tuple[str, ...]
    """Names of values; "" where an optional one is left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, text, tuples of numbers; a tensor is a numpy array."""

    @property
    def name(self) -> str:
        """The first output, which is unique in the graph."""
        return self.outputs[0]


@dataclass(frozen=True)
class Graph:
    """A network: nodes in the order of computing, every value named."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Any]
    """Arrays; tensors where they were read from a cache."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opset: int

    def pruned(self) -> Graph:
        """Leave out nodes and weights that no output needs."""
        needed = {port.name for port in self.outputs}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed |= set(node.inputs)
        weights = {name: array for name, array in self.weights.items() if name in needed}
        return replace(self, nodes=tuple(reversed(kept)), weights=weights)


def read_graph(path: Path) -> Graph:
    """Read an ONNX file.

    Returns: the graph with Constant nodes turned into weights; what no output needs is left out.
    Raises: ModelError, one line, when the file is missing, broken, too large or holds what cannot be run.
    """
    import onnx

    if not path.is_file():
        raise ModelError(f"no model file {path}; live models list shows what there is")
    if path.stat().st_size > MOST_BYTES:
        raise ModelError(f"{path.name} is larger than {MOST_BYTES >> 30} GB; that is no network of this field")
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's and onnx's own unrelated types
        raise ModelError(f"{path.name} is no readable ONNX file: {' '.join(str(error).split())[:160]}") from None
    proto = model.graph
    if len(proto.node) > MOST_NODES:
        raise ModelError(f"{path.name} has {len(proto.node)} nodes; at most {MOST_NODES} are read")
    weights: dict[str, Array] = {}
    for tensor in proto.initializer:
        weights[tensor.name] = _array(tensor, path)
    nodes = []
    for item in proto.node:
        node = _node(item, path)
        if node.op == "Constant":
            weights[node.name] = _constant(node)
        else:
            nodes.append(node)
    inputs = tuple(_port(item, path, input=True) for item in proto.input if item.name not in weights)
    outputs = tuple(_port(item, path, input=False) for item in proto.output)
    if not inputs or not outputs:
        raise ModelError(f"{path.name} has no inputs or no outputs")
    opset = max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=1)
    graph = Graph(tuple(nodes), weights, inputs, outputs, opset)
    _check_order(graph, path)
    return graph.pruned()


def _port(info: Any, path: Path, *, input: bool) -> Port:
    import onnx

    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not kind.elem_type:
        raise ModelError(f"{path.name}: {info.name} is no tensor")
    shape = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.shape.dim]
    # Exported with one row: a picture or a vector can be one of many, a single number is one for all.
    if shape and (len(shape) > 1 or not input) and shape[0] == 1:
        shape[0] = None
    return Port(info.name, tuple(shape), np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).name)


def _node(item: Any, path: Path) -> Node:
    import onnx

    if item.domain not in ("", "ai.onnx"):
        raise ModelError(f"{path.name} needs the operator {item.domain}.{item.op_type}, which is not known here")
    attributes: dict[str, Any] = {}
    for attribute in item.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = _array(value, path)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, (int, float)):
            pass
        elif isinstance(value, (list, tuple)) or hasattr(value, "__len__"):
            value = tuple(value)
        else:
            raise ModelError(f"{path.name} holds a program ({item.op_type}); only plain networks are run")
        attributes[attribute.name] = value
    return Node(item.op_type, tuple(item.input), tuple(item.output), attributes)


def _constant(node: Node) -> Array:
    kinds = {"value": None, "value_float": np.float32, "value_int": np.int64}
    kinds |= {"value_floats": np.float32, "value_ints": np.int64}
    for name, kind in kinds.items():
        if name in node.attributes:
            return np.asarray(node.attributes[name], kind)
    raise ModelError(f"the constant {node.name} is neither numbers nor a tensor")


def _array(tensor: Any, path: Path) -> Array:
    from onnx import numpy_helper

    if math.prod(tensor.dims) > MOST_ELEMENTS:
        raise ModelError(f"{path.name}: {tensor.name} has {math.prod(tensor.dims)} numbers, which is no sane weight")
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # wrong lengths, unknown types, data outside the folder
        raise ModelError(f"{path.name}: weight {tensor.name} is broken: {' '.join(str(error).split())[:120]}") from None


def _check_order(graph: Graph, path: Path) -> None:
    known = {"", *graph.weights, *(port.name for port in graph.inputs)}
    for node in graph.nodes:
        missing = [name for name in node.inputs if name not in known]
        if missing or not node.outputs:
            raise ModelError(f"{path.name}: {node.op} needs {', '.join(missing)}, which nothing before it makes")
        twice = known & set(node.outputs) - {""}
        if twice:
            raise ModelError(f"{path.name}: {', '.join(sorted(twice))} is made twice")
        known |= set(node.outputs)
    lost = [port.name for port in graph.outputs if port.name not in known]
    if lost:
        raise ModelError(f"{path.name}: nothing makes the output {', '.join(lost)}")
