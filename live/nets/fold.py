"""What depends on weights alone is computed once: casts of stored halves, scales, batch norms after convolutions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from live.nets.contract import Array
from live.nets.graph import Graph, Node
from live.nets.operators.call import MixedRowsError, Value
from live.nets.plan import constants_of, fold_node, run_made


def fold(graph: Graph) -> Graph:
    """Compute every node whose inputs are weights, and take batch norms into the convolutions before them.

    Returns: a graph that computes the same. Raises: ModelError, one line.
    """
    known: dict[str, Value] = constants_of(graph)
    weights: dict[str, Array] = dict(graph.weights)
    kept: list[Node] = []
    for node in graph.nodes:
        names = [name for name in node.inputs if name]
        if names and all(name in known for name in names) and node.op != "Shape":
            try:
                made = fold_node(node, [known.get(name) for name in node.inputs], graph.opset)
            except MixedRowsError:
                kept.append(node)
                continue
            for name, tensor in zip(node.outputs, run_made(node, made, [value.tensor for value in made.takes])):
                known[name] = Value(tensor, constant=True)
                weights[name] = tensor.contiguous().numpy()
        else:
            kept.append(node)
    return merge_norms(replace(graph, nodes=tuple(kept), weights=weights)).pruned()


def merge_norms(graph: Graph) -> Graph:
    """Take each BatchNormalization into the convolution whose result only it reads."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(port.name for port in graph.outputs)
    makers = {node.name: node for node in graph.nodes if node.op in ("Conv", "ConvTranspose")}
    weights = dict(graph.weights)
    merged: dict[str, Node] = {}
    gone: set[str] = set()
    for node in graph.nodes:
        conv = makers.get(node.inputs[0]) if node.op == "BatchNormalization" and node.inputs else None
        if conv is None or readers[conv.name] != 1 or conv.inputs[1] not in weights or len(node.outputs) > 1:
            continue
        bias = conv.inputs[2] if len(conv.inputs) > 2 else ""
        if (bias and bias not in weights) or any(name not in weights for name in node.inputs[1:5]):
            continue
        gain, shift, mean, variance = (weights[name].astype(np.float64) for name in node.inputs[1:5])
        factor = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
        kernel = weights[conv.inputs[1]]
        turned = conv.op == "ConvTranspose"
        if turned and conv.attributes.get("group", 1) != 1:
            continue
        column = factor.reshape(*(1,) * turned, -1, *(1,) * (kernel.ndim - 1 - turned))
        start = weights[bias].astype(np.float64) if bias else 0.0
        names = (f"{node.name}.weight", f"{node.name}.bias")
        weights[names[0]] = (kernel * column).astype(np.float32)
        weights[names[1]] = ((start - mean) * factor + shift).astype(np.float32)
        merged[conv.name] = replace(conv, inputs=(conv.inputs[0], *names), outputs=node.outputs)
        gone.add(node.name)
    nodes = tuple(
        merged.get(node.name, node)
        for node in graph.nodes
        if not (node.op == "BatchNormalization" and node.name in gone)
    )
    return replace(graph, nodes=nodes, weights=weights)
