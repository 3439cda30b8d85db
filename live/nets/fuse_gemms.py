"""Matrix products of the same input, as style layers are: one product and a split; see `nets/fuse.py`.

A network that is told of a source face has one such layer per block, each too small to fill a card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from live.nets.contract import Array
from live.nets.graph import Graph, Node


def join_gemms(graph: Graph) -> Graph:
    """Compute products of one input with several weights as one product. Returns: a graph that computes the same."""
    groups: dict[tuple[str, int, bool], list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if _joins(graph, node):
            _, rows = _size(graph.weights, node)
            groups[node.inputs[0], rows, len(node.inputs) > 2].append(node)
    first: dict[str, list[Node]] = {group[0].name: group for group in groups.values() if len(group) > 1}
    gone = {node.name for group in first.values() for node in group}
    weights: dict[str, Any] = dict(graph.weights)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name in first:
            nodes += _joined(first[node.name], weights)
        elif node.name not in gone:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), weights=weights).pruned()


def _joins(graph: Graph, node: Node) -> bool:
    """Whether a node multiplies something of the run with a weight, and adds at most a weight."""
    if node.op != "Gemm" or node.inputs[0] in graph.weights or node.attributes.get("transA", 0):
        return False
    if len(node.inputs) not in (2, 3) or not all(name in graph.weights for name in node.inputs[1:]):
        return False
    if graph.weights[node.inputs[1]].ndim != 2:  # broken; whoever runs it says so
        return False
    columns, _ = _size(graph.weights, node)
    return len(node.inputs) == 2 or graph.weights[node.inputs[2]].size in (1, columns)


def _size(weights: Mapping[str, Any], node: Node) -> tuple[int, int]:
    """Columns and rows of a product's weight."""
    size = weights[node.inputs[1]].shape
    return (size[0], size[1]) if node.attributes.get("transB", 0) else (size[1], size[0])


def _joined(group: list[Node], weights: dict[str, Any]) -> tuple[Node, Node]:
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


def _columns(node: Node, weights: dict[str, Any]) -> tuple[Array, Array | None]:
    """What a product multiplies with, (columns, rows), and what it adds, (columns,)."""
    weight = np.asarray(weights[node.inputs[1]])
    weight = (weight if node.attributes.get("transB", 0) else weight.T) * np.float32(node.attributes.get("alpha", 1.0))
    if len(node.inputs) < 3:
        return weight, None
    bias = np.asarray(weights[node.inputs[2]]) * np.float32(node.attributes.get("beta", 1.0))
    return weight, np.broadcast_to(bias.reshape(-1), len(weight))
