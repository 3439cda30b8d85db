"""Twins of interface only: the field's names and sizes of inputs and outputs around a body of a few layers.

They serve to test everything around a network. What a real one costs they do not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from live.bench.twins.builder import Net

Shape = tuple[int | str, ...]
Ports = tuple[tuple[str, Shape], ...]
BODY = 8


def interface(inputs: Ports, outputs: Ports, last: str = "Tanh") -> Callable[[Net, float], None]:
    """A twin that reads every input and writes every output; last is the operator that bounds pictures."""

    def write(net: Net, width: float) -> None:
        pictures: list[tuple[str, Shape]] = []
        vectors: list[tuple[str, Shape]] = []
        for name, shape in inputs:
            value = net.input(name, shape)
            (pictures if len(shape) == 4 else vectors).append((value, shape))
        features = [_read(net, value, shape) for value, shape in pictures]
        style = None
        for value, shape in vectors:
            part = net.linear(value, int(shape[-1]), BODY, gain=20.0)
            style = part if style is None else net.node("Add", style, part)
        for name, shape in outputs:
            net.output(name, _write(net, features, style, shape, last), shape)

    return write


def _read(net: Net, x: str, shape: Shape) -> tuple[str, int]:
    """Features of a picture and their side."""
    if shape[-1] in (1, 3):
        x, channels, side = net.node("Transpose", x, perm=[0, 3, 1, 2]), int(shape[3]), int(shape[1])
    else:
        channels, side = int(shape[1]), int(shape[2])
    x = net.leaky(net.norm(net.conv(x, channels, BODY, 3), BODY))
    return net.node("Add", x, net.leaky(net.conv(x, BODY, BODY, 3, gain=0.5))), side


def _write(net: Net, features: list[tuple[str, int]], style: str | None, shape: Shape, last: str) -> str:
    if not features:
        return net.linear(str(style), BODY, int(shape[-1]))
    if len(shape) == 4:
        return _write_picture(net, features, style, shape, last)
    x, _ = features[-1]
    line = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    if style is not None:
        line = net.node("Add", line, style)
    sizes = [int(size) for size in shape if not isinstance(size, str)]
    line = net.linear(line, BODY, math.prod(sizes))
    return line if len(shape) == 2 and isinstance(shape[0], str) else net.reshape(line, -1, *sizes[-(len(shape) - 1) :])


def _write_picture(net: Net, features: list[tuple[str, int]], style: str | None, shape: Shape, last: str) -> str:
    flat = shape[-1] in (1, 3)
    channels, side = (int(shape[3]), int(shape[1])) if flat else (int(shape[1]), int(shape[2]))
    x, at = features[0]
    for other, size in features[1:]:
        x = net.node("Add", x, other if size == at else net.resize(other, at / size))
    if style is not None:
        x = net.node("Mul", x, net.reshape(net.node("Sigmoid", style), -1, BODY, 1, 1))
    if side != at:
        x = net.resize(x, side / at)
    x = net.conv(x, BODY, channels, 3, gain=0.5)
    x = net.node(last, x) if last else x
    return str(net.node("Transpose", x, perm=[0, 2, 3, 1])) if flat else x


def swapper(size: int, last: str = "Tanh") -> Callable[[Net, float], None]:
    """Embedding and target in, face out."""
    inputs: Ports = (("source", (1, 512)), ("target", (1, 3, size, size)))
    return interface(inputs, (("output", (1, 3, size, size)),), last)


def restorer(size: int) -> Callable[[Net, float], None]:
    """Face in, face out."""
    return interface((("input", (1, 3, size, size)),), (("output", (1, 3, size, size)),))


def detector(names: tuple[str, ...], size: int, anchors: int) -> Callable[[Net, float], None]:
    """Scores, boxes and five points for strides 8, 16 and 32, as SCRFD gives them."""
    counts = [anchors * (size // stride) ** 2 for stride in (8, 16, 32)]
    widths = (1, 4, 10)
    ports = [(counts[index % 3], widths[index // 3]) for index in range(9)]
    outputs = tuple((name, shape) for name, shape in zip(names, ports))
    return _flat_detector(size, outputs)


def _flat_detector(size: int, outputs: Ports) -> Callable[[Net, float], None]:
    def write(net: Net, width: float) -> None:
        x, _ = _read(net, net.input("input.1", (1, 3, size, size)), (1, 3, size, size))
        for name, shape in outputs:
            count, each = int(shape[0]), int(shape[1])
            stride = {0: 8, 1: 16, 2: 32}[[int(item[1][0]) for item in outputs].index(count)]
            anchors = count // (size // stride) ** 2
            y = net.node("AveragePool", x, kernel_shape=[stride, stride], strides=[stride, stride])
            y = net.node("Transpose", net.conv(y, BODY, anchors * each, 1), perm=[2, 3, 0, 1])
            y = net.reshape(y, -1, each)
            net.output(name, net.node("Sigmoid", y) if each == 1 else y, shape)

    return write
