"""Swappers that carry identity in by instance norms: inswapper's and SimSwap's shapes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from live.bench.twins.builder import LEAKY, Net


def standardised(net: Net, x: str, epsilon: float, *, divide: bool) -> str:
    """An instance norm as exporters write it out: mean, difference, square, mean, root, and a division or a product."""
    mean = net.node("ReduceMean", x, axes=[2, 3], keepdims=1)
    centred = net.node("Sub", x, mean)
    square = net.node("Mul", centred, centred)
    variance = net.node("ReduceMean", square, axes=[2, 3], keepdims=1)
    root = net.node("Sqrt", net.node("Add", variance, net.constant(epsilon)))
    if divide:
        return str(net.node("Div", centred, root))
    return str(net.node("Mul", centred, net.node("Div", net.constant(1.0), root)))


def reflected(net: Net, x: str, size: int) -> str:
    """Height and width mirrored at the border."""
    return net.pad(x, [0, 0, size, size, 0, 0, size, size])


def inswapper(net: Net, width: float, size: int = 128) -> None:
    """inswapper_128: `target` and `source` with one row, `output` RGB 0..1; the last initializer is the emap.

    Source: layers and sizes of the open re-implementation ReSwapper; 7x7 and block convolutions mirror the border.
    """
    c = [max(4, int(n * width)) for n in (128, 256, 512, 1024)]
    target = net.input("target", [1, 3, size, size])
    source = net.input("source", [1, 512])
    x = net.leaky(net.conv(reflected(net, target, 3), 3, c[0], 7, pads=0, gain=LEAKY))
    x = net.leaky(net.conv(x, c[0], c[1], 3, gain=LEAKY))
    x = net.leaky(net.conv(x, c[1], c[2], 3, stride=2, gain=LEAKY))
    x = net.leaky(net.conv(x, c[2], c[3], 3, stride=2, gain=LEAKY))
    for _ in range(6):
        y = net.node("Relu", _inswapper_half(net, x, source, c[3]))
        x = net.node("Add", _inswapper_half(net, y, source, c[3]), x)
    x = net.leaky(net.conv(net.resize(x, 2), c[3], c[2], 3, gain=LEAKY))
    x = net.leaky(net.conv(net.resize(x, 2), c[2], c[1], 3, gain=LEAKY))
    x = net.leaky(net.conv(x, c[1], c[0], 3, gain=LEAKY))
    x = net.node("Tanh", net.conv(reflected(net, x, 3), c[0], 3, 7, pads=0, gain=0.2))
    x = net.node("Div", net.node("Add", x, net.constant(1.0)), net.constant(2.0))
    net.output("output", x, [1, 3, size, size])
    emap = np.linalg.qr(np.random.default_rng(net.seed).standard_normal((512, 512)))[0]
    net.constant(emap, name="emap")


def _inswapper_half(net: Net, x: str, source: str, channels: int) -> str:
    y = net.conv(reflected(net, x, 1), channels, channels, 3, pads=0)
    y = standardised(net, y, 1e-8, divide=False)
    style = net.linear(source, 512, 2 * channels, gain=80.0, mean=0.4)
    style = net.node("Unsqueeze", net.node("Unsqueeze", style, axes=[2]), axes=[3])
    scale = net.node(
        "Slice", style, net.constant([0], np.int64), net.constant([channels], np.int64), net.constant([1], np.int64)
    )
    shift = net.node(
        "Slice",
        style,
        net.constant([channels], np.int64),
        net.constant([2 * channels], np.int64),
        net.constant([1], np.int64),
    )
    return str(net.node("Add", net.node("Mul", y, scale), shift))


def simswap(net: Net, width: float, size: int = 256) -> None:
    """simswap_256: `source` embedding and `target`, any number of rows, `output` RGB 0..1. Nine blocks at 1/8 size.

    Source: layers and sizes of SimSwap's published definition; its 512 network has one more level on each side.
    """
    c = [max(4, int(n * width)) for n in (64, 128, 256, 512)]
    source = net.input("source", ["N", 512])
    target = net.input("target", ["N", 3, size, size])
    x = net.node("Relu", net.norm(net.conv(reflected(net, target, 3), 3, c[0], 7, pads=0), c[0]))
    for into, out in pairwise(c):
        x = net.node("Relu", net.norm(net.conv(x, into, out, 3, stride=2), out))
    deep = size >= 512
    if deep:
        x = net.node("Relu", net.norm(net.conv(x, c[3], c[3], 3, stride=2), c[3]))
    for _ in range(9):
        y = net.node("Relu", _simswap_half(net, x, source, c[3]))
        x = net.node("Add", x, _simswap_half(net, y, source, c[3]))
    levels = [(c[3], c[3])] * deep + [(c[3], c[2]), (c[2], c[1]), (c[1], c[0])]
    for into, out in levels:
        x = net.node("Relu", net.norm(net.conv(net.resize(x, 2), into, out, 3), out))
    x = net.node("Tanh", net.conv(reflected(net, x, 3), c[0], 3, 7, pads=0, gain=0.2))
    x = net.node("Div", net.node("Add", x, net.constant(1.0)), net.constant(2.0))
    net.output("output", x, ["N", 3, size, size])


def _simswap_half(net: Net, x: str, source: str, channels: int) -> str:
    y = net.conv(reflected(net, x, 1), channels, channels, 3, pads=0)
    y = standardised(net, y, 1e-8, divide=False)
    style = net.linear(source, 512, 2 * channels, gain=60.0)
    style = net.reshape(style, -1, 2, channels, 1, 1)
    scale = net.node("Add", net.node("Gather", style, net.constant(0, np.int64), axis=1), net.constant(1.0))
    shift = net.node("Gather", style, net.constant(1, np.int64), axis=1)
    return str(net.node("Add", net.node("Mul", y, scale), shift))
