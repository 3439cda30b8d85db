"""Writes a network's graph node by node, with seeded random weights. Knows ONNX, no architecture.

Weights are drawn when a file is written, so a graph can be counted without them. Their spread keeps the size of
activations from layer to layer (He et al. 2015, section 2.2), so half precision neither overflows nor vanishes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LEAKY = 2 / (1 + 0.2**2)
"""Gain for a layer before a leaky ReLU of slope 0.2."""
PRODUCER = "live twins"


@dataclass(frozen=True)
class Weight:
    """A weight to be drawn: normal around `mean` with deviation `spread`."""

    shape: tuple[int, ...]
    spread: float
    mean: float = 0.0

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)


class Net:
    """A graph being written. Values are named by text; methods return the name of what they make."""

    def __init__(self, *, opset: int = 11, seed: int = 1) -> None:
        self.opset, self.seed = opset, seed
        self.weights: dict[str, Weight | Array] = {}
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> str:
        """Declare an input; a text in the shape is a free size."""
        self._inputs.append(_info(name, shape, dtype))
        return name

    def output(self, name: str, value: str, shape: Sequence[int | str], dtype: str = "float32") -> None:
        """Give a value out under a name."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"give_{name}"))
        self._outputs.append(_info(name, shape, dtype))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operator. Returns: the name of its output, or a list of names."""
        from onnx import helper

        self._count += 1
        names = [f"{op}_{self._count}" + (f"_{index}" if index else "") for index in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), names, name=f"node_{self._count}", **attributes))
        return names[0] if outputs == 1 else names

    def drawn(self, *shape: int, spread: float, mean: float = 0.0, name: str = "") -> str:
        """A random weight."""
        name = name or f"weight_{len(self.weights)}"
        self.weights[name] = Weight(tuple(shape), spread, mean)
        return name

    def constant(self, value: Any, dtype: type = np.float32, name: str = "") -> str:
        """A weight with these numbers."""
        name = name or f"constant_{len(self.weights)}"
        self.weights[name] = np.asarray(value, dtype)
        return name

    def conv(
        self,
        x: str,
        into: int,
        out: int,
        kernel: int,
        *,
        stride: int = 1,
        pads: int | Sequence[int] | None = None,
        bias: bool = True,
        gain: float = 2.0,
    ) -> str:
        """A convolution; pads: one number for all sides, four, or None for half the kernel."""
        sides = [kernel // 2 if pads is None else pads] * 4 if not isinstance(pads, Sequence) else list(pads)
        weight = self.drawn(out, into, kernel, kernel, spread=math.sqrt(gain / (into * kernel**2)))
        more = [self.drawn(out, spread=0.05)] if bias else []
        return str(
            self.node("Conv", x, weight, *more, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=sides,
                      dilations=[1, 1], group=1)
        )  # fmt: skip

    def linear(self, x: str, into: int, out: int, *, gain: float = 1.0, mean: float = 0.0) -> str:
        """A fully connected layer, as exporters write it; mean is the bias's."""
        weight = self.drawn(out, into, spread=math.sqrt(gain / into))
        bias = self.drawn(out, spread=0.05, mean=mean)
        return str(self.node("Gemm", x, weight, bias, alpha=1.0, beta=1.0, transB=1))

    def norm(self, x: str, channels: int) -> str:
        """A batch normalisation with statistics a trained one could have."""
        lines = [
            self.drawn(channels, spread=0.05, mean=1.0),
            self.drawn(channels, spread=0.05),
            self.drawn(channels, spread=0.05),
            self.constant(np.full(channels, 1.0)),
        ]
        return str(self.node("BatchNormalization", x, *lines, epsilon=1e-5))

    def leaky(self, x: str, slope: float = 0.2) -> str:
        """A leaky ReLU."""
        return str(self.node("LeakyRelu", x, alpha=slope))

    def reshape(self, x: str, *shape: int) -> str:
        """Lay out anew."""
        return str(self.node("Reshape", x, self.constant(shape, np.int64)))

    def resize(self, x: str, scale: float, mode: str = "linear") -> str:
        """Scale height and width; linear is torch's bilinear, nearest its nearest."""
        where = "pytorch_half_pixel" if mode == "linear" else "asymmetric"
        roi, scales = self.constant(np.zeros(0)), self.constant([1, 1, scale, scale])
        return str(
            self.node("Resize", x, roi, scales, mode=mode, coordinate_transformation_mode=where,
                      nearest_mode="floor", cubic_coeff_a=-0.75)
        )  # fmt: skip

    def pad(self, x: str, sides: Sequence[int], mode: str = "reflect") -> str:
        """Pad; sides as ONNX has them, all befores and then all afters."""
        return str(self.node("Pad", x, self.constant(list(sides), np.int64), mode=mode))

    def model(self, *, filled: bool = True) -> Any:
        """The ONNX model. Args: filled False leaves drawn weights out as inputs: enough to infer shapes."""
        from onnx import helper

        tensors, inputs = [], list(self._inputs)
        if filled:
            with ThreadPoolExecutor() as pool:
                arrays = pool.map(self._draw, range(len(self.weights)), self.weights.values())
                tensors = [_tensor(name, array) for name, array in zip(self.weights, arrays)]
        else:
            for name, weight in self.weights.items():
                if isinstance(weight, Weight):
                    inputs.append(_info(name, weight.shape, "float32"))
                else:
                    tensors.append(_tensor(name, weight))
        graph = helper.make_graph(self._nodes, "twin", inputs, self._outputs, initializer=tensors)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, producer_name=PRODUCER, ir_version=7)

    def save(self, path: Path) -> None:
        """Write the file with all weights drawn."""
        path.write_bytes(self.model().SerializeToString())

    def _draw(self, index: int, weight: Weight | Array) -> Array:
        if not isinstance(weight, Weight):
            return weight
        random = np.random.default_rng([self.seed, index])
        array = random.standard_normal(weight.shape, np.float32)
        array *= np.float32(weight.spread)
        if weight.mean:
            array += np.float32(weight.mean)
        return array


def _info(name: str, shape: Sequence[int | str], dtype: str) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))


def _tensor(name: str, array: Array) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
