"""Exporters write one idea as many nodes; here the ideas are found again.

Instance and layer norms written out, group norms laid out as instance norms, StyleGAN2's convolutions whose weights are
made while running, blurs of single channels, blends, layers of one input. What replaces them computes the same
with float32 statistics, fewer passes over the picture, and one plain convolution for all rows. A chain that differs in
any way stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from live.nets.chains import Chains
from live.nets.fuse_pointwise import (
    find_blend,
    find_constants,
    find_gain,
    find_multiply_add,
    find_shift,
    find_swish,
)
from live.nets.fuse_shared import join_layers, merge_equal
from live.nets.fuse_styled import find_blur, find_modulated
from live.nets.graph import Graph, Node

Finder = Callable[[Chains, Node], bool]


def fuse(graph: Graph) -> Graph:
    """Replace what is recognised. Returns: a graph that computes the same."""
    finders: tuple[Finder, ...] = (
        find_standardise,
        find_group_norm,
        find_scaling,
        find_lost_bias,
        find_modulated,
        find_gain,
        find_constants,
        find_shift,
        find_blur,
        find_swish,
        find_blend,
        find_multiply_add,
    )
    for finder in finders:
        chains = Chains(graph)
        for node in graph.nodes:
            if chains.alive(node):
                finder(chains, node)
        graph = chains.result()
    return join_layers(merge_equal(graph))


def find_standardise(chains: Chains, node: Node) -> bool:
    """(x - mean) / sqrt(mean((x - mean)^2) + epsilon), ending in a division or a product with the inverse."""
    mean = chains.maker(node.inputs[1]) if node.op == "Sub" else None
    axes = chains.axes(mean) if mean is not None and mean.op == "ReduceMean" else None
    if mean is None or axes is None or mean.inputs[0] != node.inputs[0] or not mean.attributes.get("keepdims", 1):
        return False
    for square in chains.readers(node.name):
        if not chains.is_square(square, node.name):
            continue
        variance = chains.only_reader(square.name, "ReduceMean")
        if variance is None or chains.axes(variance) != axes or not variance.attributes.get("keepdims", 1):
            return False
        added = chains.only_reader(variance.name, "Add")
        epsilon = chains.number_beside(added, variance.name)
        root = chains.only_reader(added.name, "Sqrt") if added is not None and epsilon is not None else None
        if root is None or chains.count(mean.name) != 1:
            return False
        end = _standardised(chains, node.name, root)
        if end is None or chains.count(node.name) != chains.uses(node.name, square, end):
            return False
        made = Node(
            "live.Standardise", (node.inputs[0],), end.outputs, {"axes": tuple(axes), "epsilon": float(epsilon or 0)}
        )
        chains.replace(end, made)
        return True
    return False


def _standardised(chains: Chains, centred: str, root: Node) -> Node | None:
    """The node that makes centred / root, or centred * (1 / root)."""
    inverse = chains.only_reader(root.name, "Div") or chains.only_reader(root.name, "Reciprocal")
    if inverse is None or inverse.inputs == (centred, root.name):
        return inverse
    if inverse.op == "Div" and chains.number(inverse.inputs[0]) != 1.0:
        return None
    end = chains.only_reader(inverse.name, "Mul")
    return end if end is not None and centred in end.inputs else None


def find_group_norm(chains: Chains, node: Node) -> bool:
    """Reshape to groups, InstanceNormalization without scale, Reshape back, scale and shift per channel."""
    if node.op != "InstanceNormalization":
        return False
    cut, back = chains.maker(node.inputs[0]), chains.only_reader(node.name, "Reshape")
    if cut is None or cut.op != "Reshape" or back is None or chains.count(cut.name) != 1:
        return False
    gain, shift = (chains.weight(name) for name in node.inputs[1:3])
    if gain is None or shift is None or not (gain == 1).all() or not (shift == 0).all():
        return False
    target, groups = chains.weight(back.inputs[1]), gain.size
    laid = chains.weight(cut.inputs[1])
    if laid is None or laid.size != 3 or laid[1] != groups or target is None or target.size < 3 or target[1] < 1:
        return False
    product = chains.only_reader(back.name, "Mul")
    summed = chains.only_reader(product.name, "Add") if product is not None else None
    if product is None or summed is None:
        return False
    lines = [chains.weight(chains.other(product, back.name)), chains.weight(chains.other(summed, product.name))]
    channels, place = int(target[1]), target.size - 1
    for line in lines:
        if line is None or line.size != channels or line.ndim < place or line.shape[-place] != channels:
            return False
    if channels % groups:
        return False
    names = [
        chains.add_weight(f"{summed.name}.{kind}", np.asarray(line).reshape(-1))
        for kind, line in zip(("gain", "shift"), lines)
    ]
    attributes = {"num_groups": groups, "epsilon": node.attributes.get("epsilon", 1e-5)}
    chains.replace(summed, Node("live.GroupNorm", (cut.inputs[0], *names), summed.outputs, attributes))
    return True


def find_scaling(chains: Chains, node: Node) -> bool:
    """A scale and a shift after a norm, from weights or from a style, taken into the norm."""
    plain = node.op == "InstanceNormalization" and all(
        line is not None and (line == value).all()
        for line, value in zip((chains.weight(name) for name in node.inputs[1:3]), (1, 0))
    )
    if not plain and not (node.op == "live.Standardise" and len(node.inputs) == 1):
        return False
    product = chains.only_reader(node.name, "Mul")
    if product is None or chains.other(product, node.name) == node.name:
        return False
    summed = chains.only_reader(product.name, "Add")
    if summed is None:
        return False
    gain, shift = chains.other(product, node.name), chains.other(summed, product.name)
    axes = tuple(node.attributes["axes"]) if node.op == "live.Standardise" else (2, 3)
    if axes == (-1,):
        weights = [chains.weight(name) for name in (gain, shift)]
        if any(line is None or line.ndim != 1 for line in weights):
            return False
        inputs = (node.inputs[0], gain, shift)
        made = Node("LayerNormalization", inputs, summed.outputs, {"axis": -1, "epsilon": node.attributes["epsilon"]})
    elif axes == (2, 3) and all(chains.per_channel(name) for name in (gain, shift)):
        attributes = {"axes": axes, "epsilon": node.attributes.get("epsilon", 1e-5)}
        made = Node("live.Standardise", (node.inputs[0], gain, shift), summed.outputs, attributes)
    else:
        return False
    chains.replace(summed, made)
    return True


def find_lost_bias(chains: Chains, node: Node) -> bool:
    """A convolution's bias that the instance norm after it takes away again; one pass over the picture less."""
    if node.op != "Conv" or len(node.inputs) < 3 or chains.weight(node.inputs[2]) is None:
        return False
    norm = chains.only_reader(node.name, "live.Standardise") or chains.only_reader(node.name, "InstanceNormalization")
    if norm is None or norm.inputs[0] != node.name or tuple(norm.attributes.get("axes", (2, 3))) != (2, 3):
        return False
    chains.replace(node, Node("Conv", node.inputs[:2], node.outputs, node.attributes))
    return True
