"""Model files made for tests: tiny networks with the names and shapes of known families, and hostile ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

Shape = Sequence[int | str | None]


def ports(named: dict[str, Shape], kind: int = TensorProto.FLOAT) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, kind, list(shape)) for name, shape in named.items()]


def network(
    inputs: dict[str, Shape], outputs: dict[str, Shape], last: tuple[int, ...] | None = None
) -> onnx.ModelProto:
    """A network of constants and identities with these names and shapes; `last`: shape of a last initialiser."""
    nodes, weights = [], []
    for name, shape in outputs.items():
        weights.append(
            onnx.numpy_helper.from_array(
                np.zeros([d if isinstance(d, int) else 1 for d in shape], np.float32), f"w_{name}"
            )
        )
        nodes.append(helper.make_node("Identity", [f"w_{name}"], [name]))
    if last is not None:
        weights.append(onnx.numpy_helper.from_array(np.zeros(last, np.float32), "emap"))
    graph = helper.make_graph(nodes, "tiny", ports(inputs), ports(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(path: Path, inputs: dict[str, Shape], outputs: dict[str, Shape], last: tuple[int, ...] | None = None) -> Path:
    path.write_bytes(network(inputs, outputs, last).SerializeToString())
    return path


def addition() -> onnx.ModelProto:
    """One node, y = x + w, which ONNX Runtime runs."""
    weight = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "add", ports({"x": ["N", 4]}), ports({"y": ["N", 4]}), [weight]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def outside(location: str, bytes: int = 16, **more: str) -> onnx.ModelProto:
    """As `addition`, its weight in another file."""
    model = addition()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": str(bytes), **more}.items():
        weight.external_data.add(key=key, value=value)
    return model


def safetensors(head: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data
