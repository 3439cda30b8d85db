"""What nodes of the same input share: nodes that are equal, and layers that are one larger layer; see `nets/fuse.py`.

A network that is told of a source face, or of the target's features, has such layers in every block, each too small to
fill a card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from live.nets.contract import Array
from live.nets.graph import Graph, Node

SMALL_WEIGHT = 1 << 14
"""Entries up to which weights are compared: lines and axes, which exporters write once per node."""
LEAST_CHANNELS = 8
"""Of layers that are joined: masks of one channel gain nothing."""

Group = list[Node]


def merge_equal(graph: Graph) -> Graph:
    """Compute once what several nodes compute alike. Returns: a graph that computes the same."""
    same: dict[str, str] = {}
    numbers: dict[object, str] = {}
    first: dict[object, Node] = {}
    spared = {port.name for port in graph.outputs}
    for name, array in graph.weights.items():
        if array.size <= SMALL_WEIGHT:
            same[name] = numbers.setdefault((str(array.dtype), array.shape, np.asarray(array).tobytes()), name)
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(same.get(name, name) for name in node.inputs)
        key = (node.op, inputs, [bool(name) for name in node.outputs], sorted(node.attributes.items()))
        earlier = first.get(repr(key))
        drawn = node.op.startswith("Random") or any(isinstance(each, np.ndarray) for each in node.attributes.values())
        if earlier is None or drawn or spared & set(node.outputs):
            nodes.append(replace(node, inputs=inputs))
            first.setdefault(repr(key), node)
        else:
            same |= dict(zip(node.outputs, earlier.outputs))
    return replace(graph, nodes=tuple(nodes)).pruned()


def join_layers(graph: Graph) -> Graph:
    """Compute matrix products of one input as one product and a split, alike 1 x 1 convolutions of one picture as one.

    Returns: a graph that computes the same.
    """
    groups: dict[Any, Group] = defaultdict(list)
    for node in graph.nodes:
        if _is_product(graph, node):
            groups[node.op, node.inputs[0], _size(graph.weights, node)[1], len(node.inputs)].append(node)
        elif _is_pointwise_layer(graph, node):
            groups[node.op, node.inputs[0], graph.weights[node.inputs[1]].shape, len(node.inputs)].append(node)
    first: dict[str, Group] = {group[0].name: group for group in groups.values() if len(group) > 1}
    gone = {node.name for group in first.values() for node in group}
    weights: dict[str, Any] = dict(graph.weights)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name in first:
            join = _joined_products if node.op == "Gemm" else _joined_convolutions
            nodes += join(first[node.name], weights)
        elif node.name not in gone:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), weights=weights).pruned()


def _is_layer(graph: Graph, node: Node) -> bool:
    """Whether a node reads something of the run, and a weight, and at most a weight more."""
    known = [name in graph.weights for name in node.inputs]
    return known in ([False, True], [False, True, True])


def _is_product(graph: Graph, node: Node) -> bool:
    """Whether a node multiplies something of the run with a weight, and adds at most a weight."""
    if node.op != "Gemm" or node.attributes.get("transA", 0) or not _is_layer(graph, node):
        return False
    if graph.weights[node.inputs[1]].ndim != 2:  # broken; whoever runs it says so
        return False
    columns, _ = _size(graph.weights, node)
    return len(node.inputs) == 2 or graph.weights[node.inputs[2]].size in (1, columns)


def _is_pointwise_layer(graph: Graph, node: Node) -> bool:
    """Whether a node is a 1 x 1 convolution into several channels whose weights are known."""
    if node.op != "Conv" or not _is_layer(graph, node):
        return False
    shape = graph.weights[node.inputs[1]].shape
    if len(shape) != 4 or shape[0] < LEAST_CHANNELS or shape[2:] != (1, 1):
        return False
    if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    plain = all(set(node.attributes.get(name, ())) <= {each} for name, each in (("pads", 0), ("strides", 1)))
    biased = len(node.inputs) == 2 or graph.weights[node.inputs[2]].shape == shape[:1]
    return plain and biased and node.attributes.get("group", 1) == 1


def _size(weights: Mapping[str, Any], node: Node) -> tuple[int, int]:
    """Columns and rows of a product's weight."""
    size = weights[node.inputs[1]].shape
    return (size[0], size[1]) if node.attributes.get("transB", 0) else (size[1], size[0])


def _joined_products(group: Group, weights: dict[str, Any]) -> tuple[Node, ...]:
    """One product with all columns, and what cuts it. Enters the weights."""
    columns = [_columns(node, weights) for node in group]
    name, inputs = f"{group[0].name}.joined", [group[0].inputs[0]]
    for kind, arrays in zip(("weight", "bias"), zip(*columns)):
        if arrays[0] is not None:
            inputs.append(f"{name}.{kind}")
            weights[inputs[-1]] = np.concatenate(arrays)
    weights[f"{name}.sizes"] = np.array([len(weight) for weight, _ in columns], np.int64)
    product = Node("Gemm", tuple(inputs), (name,), {"transB": 1})
    cut = Node("Split", (name, f"{name}.sizes"), tuple(node.name for node in group), {"axis": 1})
    return product, cut


def _columns(node: Node, weights: Mapping[str, Any]) -> tuple[Array, Array | None]:
    """What a product multiplies with, (columns, rows), and what it adds, (columns,)."""
    weight = np.asarray(weights[node.inputs[1]])
    weight = (weight if node.attributes.get("transB", 0) else weight.T) * np.float32(node.attributes.get("alpha", 1.0))
    if len(node.inputs) < 3:
        return weight, None
    bias = np.asarray(weights[node.inputs[2]]) * np.float32(node.attributes.get("beta", 1.0))
    return weight, np.broadcast_to(bias.reshape(-1), len(weight))


def _joined_convolutions(group: Group, weights: dict[str, Any]) -> tuple[Node, ...]:
    """Several layers of one picture, each with a result of its own. Enters the weights."""
    inputs = [group[0].inputs[0]]
    for place, kind in enumerate(("weights", "biases")[: len(group[0].inputs) - 1], 1):
        inputs.append(f"{group[0].name}.{kind}")
        arrays = [np.asarray(weights[node.inputs[place]]) for node in group]
        weights[inputs[-1]] = np.stack([array.reshape(array.shape[:2]) for array in arrays])
    return (Node("live.Layers", tuple(inputs), tuple(node.name for node in group)),)
