"""hyperswap_256's shape: a U-net reads the target, eight levels of modulation write the face, a small net masks.

Source: layers and sizes of facefusion-labs' published definition with the settings of its README (two blocks a level,
16 filters in the masker).
"""

from __future__ import annotations

import math
from itertools import pairwise

from live.bench.twins.builder import Net

BLOCKS, FILTERS, SOURCE = 2, 16, 512
LEVELS = (1024, 1024, 1024, 1024, 512, 256, 128, 64, 3)


def hyperswap(net: Net, width: float, size: int = 256) -> None:
    """`source` embedding and `target` RGB -1..1 with one row; `output` RGB -1..1 and `mask` 0..1."""

    def c(channels: int) -> int:
        return max(4, int(channels * width))

    source = net.input("source", [1, SOURCE])
    target = net.input("target", [1, 3, size, size])
    features = _unet(net, target, [3, *(c(n) for n in (32, 64, 128, 256, 512, 1024, 1024))])
    column = net.reshape(source, 1, SOURCE, 1, 1)
    first = c(1024)
    x = net.node("DepthToSpace", net.conv(column, SOURCE, 4 * first, 3, gain=250.0), blocksize=2, mode="CRD")
    for level, (into, out) in enumerate(pairwise(LEVELS)):
        feature, depth = features[level]
        narrows = out < into
        x = _level(net, x, source, feature, (c(into), c(out) if out > 3 else out, depth), narrows=narrows)
        if level < 7:
            x = net.resize(x, 2)
    face = net.node("Tanh", x)
    last, depth = features[-1]
    mask = _masker(net, net.node("Concat", target, last, axis=1), 3 + depth, max(4, int(FILTERS * width)))
    kept = net.node("Mul", target, net.node("Sub", net.constant(1.0), mask))
    net.output("output", net.node("Add", net.node("Mul", face, mask), kept), [1, 3, size, size])
    net.output("mask", mask, [1, 1, size, size])


def _unet(net: Net, x: str, channels: list[int]) -> list[tuple[str, int]]:
    """Features from coarse to fine with their channels: the bottleneck, every step up, and the last one doubled."""
    down: list[tuple[str, int]] = []
    for into, out in pairwise(channels):
        x = net.leaky(net.norm(net.conv(x, into, out, 4, stride=2, pads=1, bias=False), out), 0.1)
        down.append((x, out))
    features = [down[-1]]
    depth = down[-1][1]
    for skip, out in reversed(down[:-1]):
        spread = math.sqrt(2 / (depth * 4))
        weight = net.drawn(depth, out, 4, 4, spread=spread)
        x = net.node("ConvTranspose", x, weight, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
        x = net.node("Concat", net.leaky(net.norm(x, out), 0.1), skip, axis=1)
        depth = 2 * out
        features.append((x, depth))
    return [*features, (net.resize(x, 2), depth)]


def _level(net: Net, x: str, source: str, feature: str, channels: tuple[int, int, int], *, narrows: bool) -> str:
    """Two blocks beside a shortcut; channels read, written, and of the feature."""
    into, out, depth = channels
    y = x
    for block in range(BLOCKS):
        y = net.node("Relu", _modulated(net, y, source, feature, into, depth))
        y = net.conv(y, into, into if block < BLOCKS - 1 else out, 3, bias=False, gain=1.0)
    if narrows:
        x = net.node("Relu", _modulated(net, x, source, feature, into, depth))
        x = net.conv(x, into, out, 3, bias=False, gain=1.0)
    return str(net.node("Add", y, x))


def _modulated(net: Net, x: str, source: str, feature: str, channels: int, depth: int) -> str:
    """Between a modulation by the target's feature and one by the source, weighed by a mask of one channel."""
    ones, zeros = net.constant([1.0] * channels), net.constant([0.0] * channels)
    x = net.node("InstanceNormalization", x, ones, zeros, epsilon=1e-5)
    by_source = []
    for mean in (1.0, 0.0):
        line = net.reshape(net.linear(source, SOURCE, channels, gain=60.0, mean=mean), 1, channels, 1, 1)
        by_source.append(line)
    from_source = net.node("Add", net.node("Mul", by_source[0], x), by_source[1])
    scale, shift = (net.conv(feature, depth, channels, 1, gain=0.5) for _ in range(2))
    from_target = net.node("Add", net.node("Mul", scale, x), shift)
    mask = net.node("Sigmoid", net.conv(x, channels, 1, 1, gain=1.0))
    rest = net.node("Sub", net.constant(1.0), mask)
    return str(net.node("Add", net.node("Mul", rest, from_target), net.node("Mul", mask, from_source)))


def _masker(net: Net, x: str, into: int, filters: int) -> str:
    for out in (filters, 2 * filters, 4 * filters):
        x = net.node("Relu", net.norm(net.conv(x, into, out, 3, bias=False), out))
        x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        into = out
    y = x
    for _ in range(2):
        y = net.node("Relu", net.norm(net.conv(y, into, into, 3, bias=False), into))
    x = net.node("Relu", net.node("Add", y, x))
    for out in (2 * filters, filters, filters):
        weight = net.drawn(into, out, 2, 2, spread=math.sqrt(2 / into))
        x = net.node("ConvTranspose", x, weight, net.drawn(out, spread=0.05), kernel_shape=[2, 2], strides=[2, 2])
        x, into = net.node("Relu", x), out
    return str(net.node("Sigmoid", net.conv(x, into, 1, 1, gain=1.0)))
