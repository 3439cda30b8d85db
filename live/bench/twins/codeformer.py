"""CodeFormer's shape: an encoder, a transformer that picks codes from a book, a generator steered by the encoder.

Source: layers and sizes of CodeFormer's published definition (nine layers of 512, book of 1024 x 256).
"""

from __future__ import annotations

import math

import numpy as np

from live.bench.twins.builder import Net

LEVELS = (1, 2, 2, 4, 4, 8)
LAYERS, BOOK, HEADS = 9, 1024, 8


def codeformer(net: Net, width: float, size: int = 512) -> None:
    """`input` RGB -1..1 with one row and `weight` (one double, 0..1, for all rows); `output` RGB -1..1."""
    base = max(4, int(64 * width))
    code, embedding = 4 * base, max(HEADS * 4, int(512 * width))
    channels = [base * level for level in LEVELS]
    x = net.input("input", [1, 3, size, size])
    weight = net.node("Cast", net.input("weight", [1], "float64"), to=1)
    x, features = _encoder(net, x, channels, code, size)
    side = size // 2 ** (len(LEVELS) - 1)
    codes = _transformer(net, x, code, embedding, side)
    x = _looked_up(net, codes, code, side)
    picture = _generator(net, x, channels, code, features, weight, side)
    net.output("output", picture, [1, 3, size, size])


def _encoder(net: Net, x: str, channels: list[int], code: int, size: int) -> tuple[str, dict[int, str]]:
    """The code's features, and the features that steer the generator, by picture size 32 to 256."""
    features: dict[int, str] = {}
    into, at = channels[0], size
    x = net.conv(x, 3, into, 3, gain=1.0)
    for level, out in enumerate(channels):
        deepest = level == len(channels) - 1
        for _ in range(2):
            x = _block(net, x, into, out, at)
            into = out
            if deepest:
                x = _attention(net, x, out, at)
        if 32 <= at <= 256:
            features[at] = x
        if not deepest:
            x = net.pad(x, [0, 0, 0, 0, 0, 0, 1, 1], "constant")
            x = net.conv(x, out, out, 3, stride=2, pads=0, gain=1.0)
            at //= 2
    x = _block(net, _attention(net, _block(net, x, into, into, at), into, at), into, into, at)
    return net.conv(_group_norm(net, x, into, at), into, code, 3, gain=1.0), features


def _generator(
    net: Net, x: str, channels: list[int], code: int, features: dict[int, str], weight: str, side: int
) -> str:
    into, at = channels[-1], side
    x = net.conv(x, code, into, 3, gain=1.0)
    x = _block(net, _attention(net, _block(net, x, into, into, at), into, at), into, into, at)
    for level, out in reversed(list(enumerate(channels))):
        for index in range(2):
            x = _block(net, x, into, out, at)
            into = out
            if level == len(channels) - 1:
                x = _attention(net, x, out, at)
            if index == 0 and at in features:
                x = _steered(net, features[at], x, out, weight, at)
        if level:
            x = net.conv(net.resize(x, 2, "nearest"), out, out, 3, gain=1.0)
            at *= 2
    return net.conv(_group_norm(net, x, into, at), into, 3, 3, gain=0.1)


def _group_norm(net: Net, x: str, channels: int, side: int) -> str:
    """Exported as an instance norm over groups laid out as lines, then scale and shift per channel."""
    groups = math.gcd(32, channels)
    y = net.reshape(x, 0, groups, -1)
    y = net.node(
        "InstanceNormalization", y, net.constant(np.ones(groups)), net.constant(np.zeros(groups)), epsilon=1e-6
    )
    y = net.reshape(y, 1, channels, side, side)
    y = net.node("Mul", y, net.drawn(channels, 1, 1, spread=0.05, mean=1.0))
    return str(net.node("Add", y, net.drawn(channels, 1, 1, spread=0.05)))


def _swish(net: Net, x: str) -> str:
    return str(net.node("Mul", x, net.node("Sigmoid", x)))


def _block(net: Net, x: str, into: int, out: int, side: int) -> str:
    y = net.conv(_swish(net, _group_norm(net, x, into, side)), into, out, 3)
    y = net.conv(_swish(net, _group_norm(net, y, out, side)), out, out, 3, gain=0.5)
    return str(net.node("Add", y, net.conv(x, into, out, 1, gain=0.8) if into != out else x))


def _attention(net: Net, x: str, channels: int, side: int) -> str:
    h = _group_norm(net, x, channels, side)
    q, k, v = (net.reshape(net.conv(h, channels, channels, 1, gain=1.0), 1, channels, side**2) for _ in range(3))
    scores = net.node("MatMul", net.node("Transpose", q, perm=[0, 2, 1]), k)
    scores = net.node("Softmax", net.node("Mul", scores, net.constant(channels**-0.5)), axis=2)
    h = net.node("MatMul", v, net.node("Transpose", scores, perm=[0, 2, 1]))
    h = net.conv(net.reshape(h, 1, channels, side, side), channels, channels, 1, gain=0.5)
    return str(net.node("Add", x, h))


def _steered(net: Net, feature: str, x: str, channels: int, weight: str, side: int) -> str:
    y = _block(net, net.node("Concat", feature, x, axis=1), 2 * channels, channels, side)
    lines = [net.conv(net.leaky(net.conv(y, channels, channels, 3)), channels, channels, 3, gain=0.1) for _ in range(2)]
    change = net.node("Add", net.node("Mul", x, lines[0]), lines[1])
    return str(net.node("Add", x, net.node("Mul", change, weight)))


def _transformer(net: Net, x: str, code: int, size: int, side: int) -> str:
    """Logits over the book, (1, side * side, BOOK)."""
    tokens = side**2
    x = net.node("Transpose", net.reshape(x, 1, code, tokens), perm=[2, 0, 1])
    x = _dense(net, x, code, size)
    place = net.drawn(tokens, 1, size, spread=0.1)
    for _ in range(LAYERS):
        y = _layer_norm(net, x, size)
        x = net.node("Add", x, _self_attention(net, net.node("Add", y, place), y, tokens, size))
        y = _dense(net, _layer_norm(net, x, size), size, 2 * size)
        x = net.node("Add", x, _dense(net, _gelu(net, y), 2 * size, size))
    x = _layer_norm(net, x, size)
    x = net.node("MatMul", x, net.drawn(size, BOOK, spread=6 / math.sqrt(size)))
    return str(net.node("Transpose", x, perm=[1, 0, 2]))


def _dense(net: Net, x: str, into: int, out: int) -> str:
    x = net.node("MatMul", x, net.drawn(into, out, spread=1 / math.sqrt(into)))
    return str(net.node("Add", x, net.drawn(out, spread=0.05)))


def _gelu(net: Net, x: str) -> str:
    erf = net.node("Erf", net.node("Div", x, net.constant(math.sqrt(2))))
    return str(net.node("Mul", net.node("Mul", x, net.node("Add", erf, net.constant(1.0))), net.constant(0.5)))


def _layer_norm(net: Net, x: str, size: int) -> str:
    centred = net.node("Sub", x, net.node("ReduceMean", x, axes=[-1], keepdims=1))
    variance = net.node("ReduceMean", net.node("Pow", centred, net.constant(2.0)), axes=[-1], keepdims=1)
    y = net.node("Div", centred, net.node("Sqrt", net.node("Add", variance, net.constant(1e-5))))
    y = net.node("Mul", y, net.drawn(size, spread=0.05, mean=1.0))
    return str(net.node("Add", y, net.drawn(size, spread=0.05)))


def _self_attention(net: Net, query: str, value: str, tokens: int, size: int) -> str:
    each = size // HEADS
    lines = []
    for source in (query, query, value):
        line = net.reshape(_dense(net, source, size, size), tokens, HEADS, each)
        lines.append(net.node("Transpose", line, perm=[1, 0, 2]))
    q, k, v = lines
    q = net.node("Mul", q, net.constant(each**-0.5))
    scores = net.node("Softmax", net.node("MatMul", q, net.node("Transpose", k, perm=[0, 2, 1])), axis=2)
    y = net.node("Transpose", net.node("MatMul", scores, v), perm=[1, 0, 2])
    return _dense(net, net.reshape(y, tokens, 1, size), size, size)


def _looked_up(net: Net, logits: str, code: int, side: int) -> str:
    """The book's entries of the likeliest codes: a one-hot matrix times the book, as exported."""
    tokens = side**2
    chances = net.node("Softmax", logits, axis=2)
    _, index = net.node("TopK", chances, net.constant([1], np.int64), outputs=2, axis=2, largest=1)
    index = net.reshape(index, -1, 1)
    zeros = net.node("ConstantOfShape", net.constant([tokens, BOOK], np.int64))
    ones = net.constant(np.ones((tokens, 1)))
    hot = net.node("ScatterElements", zeros, index, ones, axis=1)
    entries = net.node("MatMul", hot, net.drawn(BOOK, code, spread=1.0))
    return str(net.node("Transpose", net.reshape(entries, 1, side, side, code), perm=[0, 3, 1, 2]))
