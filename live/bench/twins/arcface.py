"""w600k_r50's shape: iResNet-50, the recogniser of most swappers."""

from __future__ import annotations

from live.bench.twins.builder import Net

DEPTHS = (3, 4, 14, 3)


def arcface(net: Net, width: float, size: int = 112) -> None:
    """`input.1` RGB -1..1, any number of rows; `683` an embedding of 512. Batch norms after convolutions are merged,
    as exporters do; those before stay. Source: the published iResNet of the ArcFace authors.
    """
    c = [max(4, int(n * width)) for n in (64, 64, 128, 256, 512)]
    x = net.input("input.1", ["None", 3, size, size])
    x = _prelu(net, net.conv(x, 3, c[0], 3), c[0])
    for into, out, depth in zip(c, c[1:], DEPTHS):
        for block in range(depth):
            stride = 2 if block == 0 else 1
            first = into if block == 0 else out
            y = net.conv(net.norm(x, first), first, out, 3)
            y = net.conv(_prelu(net, y, out), out, out, 3, stride=stride, gain=0.3)
            if block == 0:
                x = net.conv(x, first, out, 1, stride=2, gain=1.0)
            x = net.node("Add", y, x)
    side = size // 16
    x = net.node("Flatten", net.norm(x, c[4]), axis=1)
    x = net.linear(x, c[4] * side**2, 512)
    net.output("683", net.norm(x, 512), ["None", 512])


def _prelu(net: Net, x: str, channels: int) -> str:
    return str(net.node("PRelu", x, net.drawn(channels, 1, 1, spread=0.05, mean=0.25)))
