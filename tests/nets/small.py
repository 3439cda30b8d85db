"""Small ONNX files for tests: a body that mixes a picture with a vector, and the ways in which files are stubborn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

OPSET = 17
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def write(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[tuple[str, int, Sequence[Any]]],
    outputs: Sequence[tuple[str, int, Sequence[Any]]],
    weights: dict[str, np.ndarray],
) -> Path:
    """Write a graph; inputs and outputs are (name, type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info(*row) for row in inputs],
        [helper.make_tensor_value_info(*row) for row in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    save(model, str(path))
    return path


def swapper(
    path: Path, *, side: int = 16, rows: Any = 1, length: int = 512, half: bool = False, mask: bool = False
) -> Path:
    """A picture `target` (rows, 3, side, side) in the style of `source` (rows, length); ends with the emap."""
    random, kind = np.random.default_rng(1), np.float16 if half else np.float32
    number = HALF if half else FLOAT
    one = 1 if rows == 1 else -1
    weights = {
        "enter": random.normal(0, 0.3, (8, 3, 3, 3)).astype(kind),
        "style": random.normal(0, 0.05, (length, 8)).astype(kind),
        "leave": random.normal(0, 0.2, (3, 8, 3, 3)).astype(kind),
        "to_gate": np.array([one, 8, 1, 1], np.int64),
        "emap": random.normal(0, 0.05, (length, length)).astype(kind),
    }
    nodes = [
        helper.make_node("Conv", ["target", "enter"], ["entered"], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["source", "style"], ["styled"]),
        helper.make_node("Reshape", ["styled", "to_gate"], ["gate"]),
        helper.make_node("Mul", ["entered", "gate"], ["gated"]),
        helper.make_node("Relu", ["gated"], ["lit"]),
        helper.make_node("Conv", ["lit", "leave"], ["left"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["left"], ["output"]),
    ]
    outputs = [("output", number, [rows, 3, side, side])]
    if mask:
        nodes.append(helper.make_node("ReduceMean", ["output"], ["mask"], axes=[1], keepdims=1))
        outputs.append(("mask", number, [rows, 1, side, side]))
    inputs = [("target", number, [rows, 3, side, side]), ("source", number, [rows, length])]
    return write(path, nodes, inputs, outputs, weights)


def stubborn(path: Path) -> Path:
    """Bakes the 1 in where no rewriting reaches: weights made per picture, joined with a constant row."""
    random = np.random.default_rng(2)
    weights = {
        "base": random.normal(0, 0.3, (1, 4, 3, 1, 1)).astype(np.float32),
        "style": random.normal(0, 0.3, (5, 3)).astype(np.float32),
        "to_style": np.array([1, 1, 3, 1, 1], np.int64),
        "to_weights": np.array([4, 3, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["source", "style"], ["styled"]),
        helper.make_node("Reshape", ["styled", "to_style"], ["gate"]),
        helper.make_node("Mul", ["base", "gate"], ["made"]),
        helper.make_node("Reshape", ["made", "to_weights"], ["weights"]),
        helper.make_node("Conv", ["target", "weights"], ["output"]),
    ]
    inputs = [("target", FLOAT, [1, 3, 6, 6]), ("source", FLOAT, [1, 5])]
    return write(path, nodes, inputs, [("output", FLOAT, [1, 4, 6, 6])], weights)


def picture_function(
    path: Path,
    *,
    side: int,
    scale: Sequence[float] = (1, 1, 1),
    offset: Sequence[float] = (0, 0, 0),
    rows: Any = "rows",
    layout: str = "nchw",
    vector: int = 0,
    mask: float | None = None,
) -> Path:
    """Gives each channel back as value x scale + offset; with scale 1 and offset 0 the picture itself.

    mask: a second output, this number everywhere.
    """
    shape = (1, 3, 1, 1) if layout == "nchw" else (1, 1, 1, 3)
    picture = [rows, 3, side, side] if layout == "nchw" else [rows, side, side, 3]
    weights = {
        "scale": np.array(scale, np.float32).reshape(shape),
        "offset": np.array(offset, np.float32).reshape(shape),
    }
    nodes = [
        helper.make_node("Mul", ["target", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["output"]),
    ]
    inputs = [("target", FLOAT, picture)]
    if vector:
        inputs.append(("source", FLOAT, [rows, vector]))
    outputs = [("output", FLOAT, picture)]
    if mask is not None:
        channel = 1 if layout == "nchw" else 3
        weights |= {"none": np.zeros(1, np.float32), "share": np.array([mask], np.float32)}
        nodes += [
            helper.make_node("ReduceMean", ["target"], ["grey"], axes=[channel], keepdims=1),
            helper.make_node("Mul", ["grey", "none"], ["black"]),
            helper.make_node("Add", ["black", "share"], ["mask"]),
        ]
        outputs.append(("mask", FLOAT, [1 if at == channel else size for at, size in enumerate(picture)]))
    return write(path, nodes, inputs, outputs, weights)


def recogniser(path: Path, *, side: int = 112, length: int = 512, rows: Any = 1) -> Path:
    """A picture `input` (rows, 3, side, side) to `embedding` (rows, length): colours on a grid of 7 x 7, mixed."""
    random = np.random.default_rng(3)
    weights = {"mix": random.normal(0, 0.1, (147, length)).astype(np.float32), "flat": np.array([rows, 147], np.int64)}
    if rows != 1:
        weights["flat"] = np.array([-1, 147], np.int64)
    cell = side // 7
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Reshape", ["pooled", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "mix"], ["embedding"]),
    ]
    inputs = [("input", FLOAT, [rows, 3, side, side])]
    return write(path, nodes, inputs, [("embedding", FLOAT, [rows, length])], weights)


def projector(path: Path, matrix: np.ndarray) -> Path:
    """A vector `input` (1, length) times a matrix."""
    nodes = [helper.make_node("MatMul", ["input", "matrix"], ["output"])]
    length = len(matrix)
    ports = [(name, FLOAT, [1, length]) for name in ("input", "output")]
    return write(path, nodes, ports[:1], ports[1:], {"matrix": matrix})


def interface(path: Path, entry: Any) -> Path:
    """A file with the ports that an entry of the catalogue speaks of: its picture comes back, its masks are 1."""
    picture, side = entry.input, entry.input.size_px
    nchw = picture.normalisation.layout == "nchw"
    shape = [1, 3, side, side] if nchw else [1, side, side, 3]
    name = picture.input or "input"
    inputs = [(name, FLOAT, shape)]
    if entry.identity is not None:
        how = entry.identity
        vector = how.kind == "embedding"
        inputs.append((how.input, FLOAT, [1, how.length]) if vector else (how.picture.input, FLOAT, shape))
    inputs += [(knob.input, TensorProto.DOUBLE, [1]) for knob in entry.knobs]
    count = max(entry.output.picture, *entry.output.masks, 0) + 1
    given, taken = entry.output.normalisation, picture.normalisation
    gain = np.array(taken.std) / np.array(given.std)
    offset = (np.array(taken.mean) - np.array(given.mean)) / np.array(given.std)
    broadcast = (1, 3, 1, 1) if nchw else (1, 1, 1, 3)
    weights = {
        "gain": gain.astype(np.float32).reshape(broadcast),
        "offset": offset.astype(np.float32).reshape(broadcast),
    }
    nodes = [helper.make_node("Mul", [name, "gain"], ["scaled"])]
    outputs = []
    for index in range(count):
        if index == entry.output.picture:
            nodes.append(helper.make_node("Add", ["scaled", "offset"], [f"out{index}"]))
            outputs.append((f"out{index}", FLOAT, shape))
        else:
            weights["one"] = np.ones(1, np.float32)
            nodes.append(helper.make_node("ReduceMin", [name], [f"low{index}"], axes=[1 if nchw else 3], keepdims=1))
            nodes.append(helper.make_node("Sub", [f"low{index}", f"low{index}"], [f"zero{index}"]))
            nodes.append(helper.make_node("Add", [f"zero{index}", "one"], [f"out{index}"]))
            outputs.append((f"out{index}", FLOAT, [1, 1, side, side] if nchw else [1, side, side, 1]))
    return write(path, nodes, inputs, outputs, weights)
