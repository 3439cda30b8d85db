"""Finds StyleGAN2's convolutions with weights made while running, and blurs of single channels; see `nets/fuse.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from live.nets.chains import Chains, as_shape
from live.nets.contract import Array
from live.nets.graph import Node

FLAT = {"Reshape", "Identity"}


def find_modulated(chains: Chains, node: Node) -> bool:
    """Conv or ConvTranspose whose weight is weight * style, perhaps * 1 / sqrt(sum of squares + epsilon)."""
    if node.op not in ("Conv", "ConvTranspose") or len(node.inputs) != 2 or chains.weight(node.inputs[1]) is not None:
        return False
    if node.attributes.get("group", 1) != 1:
        return False
    transposed = node.op == "ConvTranspose"
    made, turned = _behind_shapes(chains, node.inputs[1])
    if made is None or made.op != "Mul" or turned != transposed:
        return False
    epsilon = None
    scaled = _scaled_weight(chains, made)
    if scaled is None:
        found = _demodulated(chains, made)
        if found is None:
            return False
        scaled, epsilon = found
    weight, style = scaled
    out, into, tall, wide = weight.shape[1:]
    laid = (into, out, tall, wide) if transposed else (out, into, tall, wide)
    last = chains.maker(node.inputs[1])
    if last is None or last.op != "Reshape" or as_shape(chains.weight(last.inputs[1])) != laid:
        return False
    kernel = weight[0].swapaxes(0, 1) if transposed else weight[0]
    name = chains.add_weight(f"{node.name}.weight", np.ascontiguousarray(kernel))
    attributes: dict[str, Any] = dict(node.attributes) | {"transposed": int(transposed)}
    if epsilon is not None:
        attributes["epsilon"] = epsilon
    chains.replace(node, Node("live.ModulatedConv", (node.inputs[0], name, style), node.outputs, attributes))
    return True


def _behind_shapes(chains: Chains, name: str) -> tuple[Node | None, bool]:
    """The node whose result is laid out as a convolution's weight, and whether in and out were swapped on the way."""
    node, turned = chains.maker(name), False
    while node is not None:
        if node.op == "Transpose" and tuple(node.attributes.get("perm", ())) == (0, 2, 1, 3, 4) and not turned:
            turned = True
        elif node.op not in FLAT:
            return node, turned
        node = chains.maker(node.inputs[0])
    return None, turned


def _scaled_weight(chains: Chains, node: Node) -> tuple[Array, str] | None:
    """Weight (1, O, I, k, k) * style laid out as (1, 1, I, 1, 1). Returns: the weight and the style before that."""
    if node.op != "Mul":
        return None
    for first, second in (node.inputs, node.inputs[::-1]):
        weight = chains.weight(first)
        laid = chains.maker(second)
        if weight is None or weight.ndim != 5 or weight.shape[0] != 1 or laid is None or laid.op != "Reshape":
            continue
        shape = as_shape(chains.weight(laid.inputs[1]))
        if len(shape) == 5 and shape[1:] == (1, weight.shape[2], 1, 1):
            return weight, laid.inputs[0]
    return None


def _demodulated(chains: Chains, node: Node) -> tuple[tuple[Array, str], float] | None:
    """Scaled * laid out (1 / sqrt(sum(scaled^2, in, height, width) + epsilon)). Returns: what scaled is, epsilon."""
    for first, second in (node.inputs, node.inputs[::-1]):
        product, inverse = chains.maker(first), chains.maker(chains.root(second))
        scaled = None if product is None else _scaled_weight(chains, product)
        root = _root_of(chains, inverse)
        if scaled is None or root is None or product is None:
            continue
        added = chains.maker(root.inputs[0])
        if added is None or added.op != "Add":
            continue
        energy = next((n for n in (chains.maker(name) for name in added.inputs) if n is not None), None)
        epsilon = None if energy is None else chains.number_beside(added, energy.name)
        if energy is None or epsilon is None or energy.op != "ReduceSum" or chains.axes(energy) != [2, 3, 4]:
            continue
        square = chains.maker(energy.inputs[0])
        if square is not None and chains.is_square(square, product.name):
            return scaled, epsilon
    return None


def _root_of(chains: Chains, node: Node | None) -> Node | None:
    """The Sqrt of which a node is one over."""
    if node is None or (node.op == "Div" and chains.number(node.inputs[0]) != 1.0):
        return None
    if node.op not in ("Div", "Reciprocal"):
        return None
    root = chains.maker(node.inputs[-1])
    return root if root is not None and root.op == "Sqrt" else None


def find_blur(chains: Chains, node: Node) -> bool:
    """Channels laid out as rows, zeros put between, padded, convolved with one kernel, laid out as channels again.

    It becomes one convolution with a kernel per channel: transposed where zeros were put in.
    """
    kernel = chains.weight(node.inputs[1]) if node.op == "Conv" and len(node.inputs) == 2 else None
    if kernel is None or kernel.shape[:2] != (1, 1) or kernel.ndim != 4 or kernel.shape[2] != kernel.shape[3]:
        return False
    if any(node.attributes.get("pads", (0, 0, 0, 0))) or any(s != 1 for s in node.attributes.get("strides", (1, 1))):
        return False
    back, pad = chains.only_reader(node.name, "Reshape"), chains.maker(node.inputs[0])
    if back is None or pad is None or pad.op != "Pad" or pad.attributes.get("mode", "constant") != "constant":
        return False
    sides = as_shape(chains.weight(pad.inputs[1])) if len(pad.inputs) > 1 else ()
    final = as_shape(chains.weight(back.inputs[1]))
    if len(sides) != 8 or any(sides[:2]) or any(sides[4:6]) or min(sides) < 0 or len(final) != 4 or len(pad.inputs) > 2:
        return False
    start, up = _rows_of_channels(chains, pad.inputs[0], final[1])
    if start is None:
        return False
    channels, size = final[1], kernel.shape[2]
    flipped = kernel[:, :, ::-1, ::-1] if up > 1 else kernel
    name = chains.add_weight(f"{back.name}.kernel", np.ascontiguousarray(np.repeat(flipped, channels, 0)))
    attributes: dict[str, Any] = {"kernel_shape": (size, size), "group": channels}
    if up == 1:
        attributes["pads"] = (*sides[2:4], *sides[6:8])
        made = Node("Conv", (start, name), back.outputs, attributes)
    else:
        # A transposed convolution pads size - 1 by itself and ends at the last entry, without the zeros after it.
        before = [size - 1 - side for side in sides[2:4]]
        extra = [side + up - 1 - (size - 1) for side in sides[6:8]]
        if min(before) < 0 or any(not -size < e < up for e in extra):
            return False
        attributes |= {"strides": (up, up), "pads": (*before, *(max(-e, 0) for e in extra))}
        attributes["output_padding"] = tuple(max(e, 0) for e in extra)
        made = Node("ConvTranspose", (start, name), back.outputs, attributes)
    chains.replace(back, made)
    return True


def _rows_of_channels(chains: Chains, name: str, channels: int) -> tuple[str | None, int]:
    """The picture whose channels were laid out as rows, and by how much zeros spread it."""
    flat = chains.maker(name)
    if flat is None or flat.op != "Reshape" or as_shape(chains.weight(flat.inputs[1]))[:2] not in (
        (channels, 1), (-1, 1)
    ):  # fmt: skip
        return None, 1
    inner, up = chains.maker(flat.inputs[0]), 1
    if inner is not None and inner.op == "Pad":
        sides = as_shape(chains.weight(inner.inputs[1])) if len(inner.inputs) == 2 else ()
        up = 1 + (sides[8] if len(sides) == 12 else 0)
        if len(sides) != 12 or sides != (0,) * 8 + (up - 1, 0, up - 1, 0):
            return None, 1
        inner = chains.maker(inner.inputs[0])
    if inner is None or inner.op != "Reshape":
        return (flat.inputs[0], 1) if up == 1 else (None, 1)
    shape = as_shape(chains.weight(inner.inputs[1]))
    if len(shape) != 6 or shape[0] not in (channels, -1) or shape[2] != 1 or shape[4:] != (1, 1):
        return None, 1
    return inner.inputs[0], up
