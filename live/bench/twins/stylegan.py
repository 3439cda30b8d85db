"""StyleGAN2's parts as exporters write them at one row, and the restorers built of them: GPEN and GFPGAN.

The weights of a modulated convolution are made while running: scaled by the style, normalised, laid out as the weights
of one plain convolution. Source: Karras et al. 2020; channel tables of GPEN's and GFPGAN's published definitions.
"""

from __future__ import annotations

import math

import numpy as np

from live.bench.twins.builder import LEAKY, Net

STYLE = 512
BLUR = (1, 3, 3, 1)


def channels_at(size: int, multiplier: float, width: float) -> int:
    """StyleGAN2's channels at a picture size: 512 up to 32, then 256 * multiplier halved at each doubling."""
    full = 512 if size <= 32 else 256 * multiplier * 64 / size
    return max(4, int(full * width))


def modulated(
    net: Net, x: str, style: str, into: int, out: int, kernel: int, style_size: int,
    *, demodulate: bool = True, transposed: bool = False,
) -> str:  # fmt: skip
    """A modulated convolution; transposed doubles the picture (plus one row and column)."""
    scale = net.reshape(net.linear(style, style_size, into, gain=0.1, mean=1.0), 1, 1, into, 1, 1)
    spread = 1.0 if demodulate else 0.3 / math.sqrt(into * kernel**2)
    weight = net.node("Mul", net.drawn(1, out, into, kernel, kernel, spread=spread), scale)
    if demodulate:
        energy = net.node("ReduceSum", net.node("Pow", weight, net.constant(2.0)), axes=[2, 3, 4], keepdims=0)
        root = net.node("Sqrt", net.node("Add", energy, net.constant(1e-8)))
        inverse = net.node("Div", net.constant(1.0), root)
        weight = net.node("Mul", weight, net.reshape(inverse, 1, out, 1, 1, 1))
    if transposed:
        weight = net.reshape(net.node("Transpose", weight, perm=[0, 2, 1, 3, 4]), into, out, kernel, kernel)
        return str(
            net.node("ConvTranspose", x, weight, kernel_shape=[kernel] * 2, strides=[2, 2], pads=[0, 0, 0, 0], group=1)
        )
    weight = net.reshape(weight, out, into, kernel, kernel)
    return str(net.node("Conv", x, weight, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, group=1))


def filtered(
    net: Net, x: str, channels: int, size: int, pads: tuple[int, int], *, up: int = 1, gain: float = 1.0
) -> str:
    """upfirdn2d in plain operators: every channel a picture of its own, zeros put in, padded, blurred."""
    x = net.reshape(x, channels, size, 1, size, 1, 1)
    if up > 1:
        x = net.pad(x, [0, 0, 0, 0, 0, 0, 0, 0, up - 1, 0, up - 1, 0], "constant")
    size *= up
    x = net.reshape(x, channels, 1, size, size)
    x = net.pad(x, [0, 0, pads[0], pads[0], 0, 0, pads[1], pads[1]], "constant")
    line = np.array(BLUR, np.float32) / sum(BLUR)
    kernel = net.constant((line[:, None] * line * gain)[None, None])
    x = net.node("Conv", x, kernel, kernel_shape=[4, 4], pads=[0, 0, 0, 0])
    return net.reshape(x, 1, channels, size + sum(pads) - 3, size + sum(pads) - 3)


def scaled_leaky(net: Net, x: str, channels: int) -> str:
    """Bias, leaky ReLU, times the root of two."""
    x = net.node("Add", x, net.drawn(1, channels, 1, 1, spread=0.05))
    return str(net.node("Mul", net.leaky(x), net.constant(math.sqrt(2))))


def gpen(net: Net, width: float, size: int = 512, narrow: float = 1.0, multiplier: float = 2) -> None:
    """GPEN-BFR: `input` and `output` RGB -1..1, one row. The encoder's features stand where StyleGAN2 has noise."""

    def c(at: int) -> int:
        return channels_at(at, multiplier, narrow * width)

    style_size = max(8, int(STYLE * width))
    x = net.input("input", [1, 3, size, size])
    x = scaled_leaky(net, net.conv(x, 3, c(size), 1, bias=False, gain=0.5), c(size))
    features = {size: x}
    at = size
    while at > 4:
        x = filtered(net, x, c(at), at, (2, 2))
        x = net.conv(x, c(at), c(at // 2), 3, stride=2, pads=0, bias=False, gain=1.0)
        at //= 2
        x = features[at] = scaled_leaky(net, x, c(at))
    style = _scaled_linear(net, net.reshape(x, 1, c(4) * 16), c(4) * 16, style_size)
    power = net.node("ReduceMean", net.node("Pow", style, net.constant(2.0)), axes=[1], keepdims=1)
    root = net.node("Sqrt", net.node("Add", power, net.constant(1e-8)))
    style = net.node("Mul", style, net.node("Div", net.constant(1.0), root))
    for _ in range(8):
        style = _scaled_linear(net, style, style_size, style_size)
    x = net.drawn(1, c(4), 4, 4, spread=1.0)
    x = _gpen_layer(net, x, style, features[4], c(4), c(4), style_size)
    picture = _gpen_colour(net, x, style, 2 * c(4), style_size)
    while at < size:
        into = 2 * c(at)
        at *= 2
        x = _gpen_layer(net, x, style, features[at], into, c(at), style_size, grow_to=at)
        x = _gpen_layer(net, x, style, features[at], 2 * c(at), c(at), style_size)
        colour = _gpen_colour(net, x, style, 2 * c(at), style_size)
        picture = net.node("Add", colour, filtered(net, picture, 3, at // 2, (2, 1), up=2, gain=4.0))
    net.output("output", picture, [1, 3, size, size])


def _scaled_linear(net: Net, x: str, into: int, out: int) -> str:
    return str(net.node("Mul", net.leaky(net.linear(x, into, out)), net.constant(math.sqrt(2))))


def _gpen_layer(
    net: Net, x: str, style: str, feature: str, into: int, out: int, style_size: int, grow_to: int = 0
) -> str:
    x = modulated(net, x, style, into, out, 3, style_size, transposed=bool(grow_to))
    if grow_to:
        x = filtered(net, x, out, grow_to + 1, (1, 1), gain=4.0)
    noise = net.node("Mul", feature, net.drawn(1, spread=0.1, mean=1.0))
    return scaled_leaky(net, net.node("Concat", x, noise, axis=1), 2 * out)


def _gpen_colour(net: Net, x: str, style: str, into: int, style_size: int) -> str:
    x = modulated(net, x, style, into, 3, 1, style_size, demodulate=False)
    return str(net.node("Add", x, net.drawn(1, 3, 1, 1, spread=0.05)))


def gfpgan(net: Net, width: float, size: int = 512) -> None:
    """GFPGAN v1 clean: `input` and `output` RGB -1..1, one row; a U-net gives each layer its style and half of its
    channels a scale and a shift; the noise is stored in the file.
    """

    def c(at: int) -> int:
        return channels_at(at, 2, width)

    def half(at: int) -> int:
        return max(2, channels_at(at, 2, width / 2) if width == 1 else c(at) // 2)

    style_size = max(8, int(STYLE * width))
    layers = int(math.log2(size)) * 2 - 2
    x = net.input("input", [1, 3, size, size])
    x = net.leaky(net.conv(x, 3, half(size), 1, gain=LEAKY))
    skips: dict[int, str] = {}
    at = size
    while at > 4:
        x = _unet_block(net, x, half(at), half(at // 2), 0.5)
        at //= 2
        skips[at] = x
    x = net.leaky(net.conv(x, half(4), half(4), 3, gain=LEAKY))
    flat = half(4) * 16
    styles = net.reshape(net.linear(net.reshape(x, 1, flat), flat, layers * style_size), 1, layers, style_size)
    conditions: dict[int, tuple[str, str]] = {}
    while at < size:
        x = _unet_block(net, net.node("Add", x, skips[at]), half(at), half(at * 2), 2)
        at *= 2
        conditions[at] = (_condition(net, x, half(at), 1.0), _condition(net, x, half(at), 0.0))
    picture = _gfpgan_decoder(net, styles, conditions, c, size, style_size)
    net.output("output", picture, [1, 3, size, size])


def _gfpgan_decoder(net: Net, styles: str, conditions: dict[int, tuple[str, str]], c, size, style_size) -> str:  # type: ignore[no-untyped-def]
    def style(layer: int) -> str:
        return str(net.node("Gather", styles, net.constant(layer, np.int64), axis=1))

    x = net.drawn(1, c(4), 4, 4, spread=1.0)
    x = _styled(net, x, style(0), c(4), c(4), 4, style_size)
    picture = _gfpgan_colour(net, x, style(1), c(4), style_size)
    at, layer = 4, 1
    while at < size:
        into, at = c(at), at * 2
        x = _styled(net, net.resize(x, 2), style(layer), into, c(at), at, style_size)
        same, other = net.node("Split", x, outputs=2, axis=1, split=[c(at) - c(at) // 2, c(at) // 2])
        scale, shift = conditions[at]
        other = net.node("Add", net.node("Mul", other, scale), shift)
        x = net.node("Concat", same, other, axis=1)
        x = _styled(net, x, style(layer + 1), c(at), c(at), at, style_size)
        colour = _gfpgan_colour(net, x, style(layer + 2), c(at), style_size)
        picture = net.node("Add", colour, net.resize(picture, 2))
        layer += 2
    return picture


def _unet_block(net: Net, x: str, into: int, out: int, scale: float) -> str:
    y = net.resize(net.leaky(net.conv(x, into, into, 3, gain=LEAKY)), scale)
    y = net.leaky(net.conv(y, into, out, 3, gain=0.5))
    return str(net.node("Add", y, net.conv(net.resize(x, scale), into, out, 1, bias=False, gain=0.7)))


def _condition(net: Net, x: str, channels: int, mean: float) -> str:
    x = net.leaky(net.conv(x, channels, channels, 3, gain=LEAKY))
    x = net.conv(x, channels, channels, 3, gain=0.2)
    return str(net.node("Add", x, net.constant(mean))) if mean else x


def _styled(net: Net, x: str, style: str, into: int, out: int, size: int, style_size: int) -> str:
    x = net.node("Mul", modulated(net, x, style, into, out, 3, style_size), net.constant(math.sqrt(2)))
    x = net.node("Add", x, net.node("Mul", net.drawn(1, spread=0.05), net.drawn(1, 1, size, size, spread=1.0)))
    return net.leaky(net.node("Add", x, net.drawn(1, out, 1, 1, spread=0.05)))


def _gfpgan_colour(net: Net, x: str, style: str, into: int, style_size: int) -> str:
    x = modulated(net, x, style, into, 3, 1, style_size, demodulate=False)
    return str(net.node("Add", x, net.drawn(1, 3, 1, 1, spread=0.05)))
