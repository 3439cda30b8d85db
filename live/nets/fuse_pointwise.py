"""Finds arithmetic that one pass over a picture can do instead of several; see `nets/fuse.py`."""

from __future__ import annotations

import math

import numpy as np

from live.nets.chains import Chains
from live.nets.graph import Node

LARGEST_SUM = 1 << 22
"""Entries of constants that are added up: 8 MB in half precision, against a pass over a picture of that size."""


def find_blend(chains: Chains, node: Node) -> bool:
    """(1 - m) * a + m * b, four passes: one, `live.Blend` of a, b, m."""
    if node.op != "Add":
        return False
    products = [chains.maker(name) for name in node.inputs]
    for first, second in (products, products[::-1]):
        if first is None or second is None or first.op != "Mul" or second.op != "Mul" or first is second:
            continue
        for rest_name, a in (first.inputs, first.inputs[::-1]):
            rest = chains.maker(rest_name)
            if rest is None or rest.op != "Sub" or chains.number(rest.inputs[0]) != 1.0:
                continue
            mask = rest.inputs[1]
            alone = chains.count(first.name) == 1 and chains.count(second.name) == 1
            if mask in second.inputs and alone and _plain(chains, a, chains.other(second, mask), mask):
                blend = Node("live.Blend", (a, chains.other(second, mask), mask), node.outputs)
                chains.replace(node, blend)
                return True
    return False


def find_swish(chains: Chains, node: Node) -> bool:
    """Swish, x * sigmoid(x), two passes: one, `live.Swish`."""
    if node.op != "Mul":
        return False
    for name, x in (node.inputs, node.inputs[::-1]):
        gate = chains.maker(name)
        if gate is not None and gate.op == "Sigmoid" and gate.inputs[0] == x and chains.count(name) == 1:
            chains.replace(node, Node("live.Swish", (x,), node.outputs))
            return True
    return False


def find_multiply_add(chains: Chains, node: Node) -> bool:
    """Sums a * b + c, two passes: one, `live.MultiplyAdd` of a, b, c."""
    if node.op != "Add":
        return False
    for product_name, c in (node.inputs, node.inputs[::-1]):
        product = chains.maker(product_name)
        if product is None or product.op != "Mul" or chains.count(product_name) != 1 or not chains.alive(product):
            continue
        if _plain(chains, *product.inputs, c):
            chains.replace(node, Node("live.MultiplyAdd", (*product.inputs, c), node.outputs))
            return True
    return False


def find_gain(chains: Chains, node: Node) -> bool:
    """A number that a modulated convolution's result is multiplied with, taken into its scale."""
    conv = next((made for made in map(chains.maker, node.inputs) if made is not None), None)
    if node.op != "Mul" or conv is None or conv.op != "live.ModulatedConv" or chains.count(conv.name) != 1:
        return False
    gain = chains.number(chains.other(node, conv.name))
    if gain is None or gain <= 0 or "epsilon" not in conv.attributes:
        return False
    attributes = dict(conv.attributes) | {"gain": gain * conv.attributes.get("gain", 1.0)}
    chains.replace(node, Node(conv.op, conv.inputs, node.outputs, attributes))
    return True


def find_constants(chains: Chains, node: Node) -> bool:
    """Sums y + a + b with a and b known, as noise and bias are: one sum, where what is added stays small."""
    for name, b in (node.inputs, node.inputs[::-1]) if node.op == "Add" else ():
        inner, last = chains.maker(name), chains.weight(b)
        if inner is None or inner.op != "Add" or last is None or chains.count(name) != 1 or not chains.alive(inner):
            continue
        y, a = sorted(inner.inputs, key=lambda each: chains.weight(each) is not None)
        first = chains.weight(a)
        if first is None or chains.weight(y) is not None or not np.issubdtype(first.dtype, np.floating):
            continue
        try:
            size = math.prod(np.broadcast_shapes(first.shape, last.shape))
        except ValueError:  # broken; whoever runs it says so
            continue
        if size <= max(first.size, last.size, LARGEST_SUM):
            total = chains.add_weight(f"{node.name}.sum", first + last)
            chains.replace(node, Node("Add", (y, total), node.outputs))
            return True
    return False


def find_shift(chains: Chains, node: Node) -> bool:
    """A constant added to a modulated convolution's result, taken into the pass that scales it."""
    for name, shift in (node.inputs, node.inputs[::-1]) if node.op == "Add" else ():
        conv, array = chains.maker(name), chains.weight(shift)
        if conv is None or conv.op != "live.ModulatedConv" or array is None or chains.count(name) != 1:
            continue
        fits = array.ndim == 3 or (array.ndim == 4 and array.shape[0] == 1)
        if fits and "epsilon" in conv.attributes and len(conv.inputs) == 3:
            chains.replace(node, Node(conv.op, (*conv.inputs, shift), node.outputs, conv.attributes))
            return True
    return False


def _plain(chains: Chains, *names: str) -> bool:
    """Whether none is a single number: those are bound to a pass as numbers, and cost nothing."""
    return all(chains.number(name) is None for name in names)
