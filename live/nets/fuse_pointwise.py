"""Finds arithmetic that one pass over a picture can do instead of several; see `nets/fuse.py`."""

from __future__ import annotations

from live.nets.chains import Chains
from live.nets.graph import Node


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


def _plain(chains: Chains, *names: str) -> bool:
    """Whether none is a single number: those are bound to a pass as numbers, and cost nothing."""
    return all(chains.number(name) is None for name in names)
