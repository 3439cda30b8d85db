"""How an operator is described once and used three ways: folded at load, asked for its shape, run per frame.

An operator's `build` gets its node with what is known of the inputs and returns a function of tensors. Everything that
is not a picture's business (shapes, axes, scales) is read then, so that running neither waits for the device nor
makes a tensor from host numbers.

Rows: a network's batch dimension is freed by following, from value to value, which axis counts the rows. At load every
shape is that of one row; an axis that counts rows may hold k per row (heads of an attention), then it has N * k
entries, row by row. An operator that would mix rows raises `MixedRowsError`; such a network is run row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.graph import Node


class MixedRowsError(Exception):
    """An operator reads across rows, or where they are cannot be told."""


@dataclass(frozen=True, eq=False)
class Value:
    """One value of the graph while it is planned; compared by identity."""

    tensor: Tensor
    """Constant: the numbers, on the host. Else: on the meta device, the shape and type for one row."""
    constant: bool = False
    rows: int | None = None
    """The axis that counts rows; None: the same for all rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """For one row."""
        return tuple(self.tensor.shape)

    @property
    def floating(self) -> bool:
        """Whether it follows the network's precision."""
        return self.tensor.is_floating_point()


@dataclass(frozen=True)
class Made:
    """An operator ready to run."""

    run: Callable[..., Any]
    """Takes tensors in the order of `takes`; gives a tensor, or a tuple where the node has several outputs."""
    takes: Sequence[Value]
    rows: Sequence[int | None]
    """Per output."""
    shape: Callable[..., Tensor] | None = None
    """The same on shapes alone, for operators where torch's own answer on the meta device is slow (10 ms and more)."""
    kept: frozenset[int] = frozenset()
    """Which of `takes` stay in the type they are made in."""


@dataclass(frozen=True)
class Call:
    """A node with what is known of its inputs."""

    node: Node
    inputs: Sequence[Value | None]
    opset: int
    dtype: torch.dtype = torch.float32
    """The type of floats in this step."""

    def value(self, index: int) -> Value:
        """An input that has to be there."""
        value = self.optional(index)
        if value is None:
            raise ModelError(f"{self.node.op} ({self.node.name}) lacks its input {index + 1}")
        return value

    def optional(self, index: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def given(self) -> list[Value]:
        """All inputs that are there."""
        return [value for value in self.inputs if value is not None]

    def fixed(self, index: int) -> Tensor:
        """An input that must be known at load, such as a shape or axes."""
        value = self.value(index)
        if not value.constant:
            raise ModelError(
                f"{self.node.op} ({self.node.name}) takes a shape or axes from the picture itself; "
                "only networks with shapes known at load are run"
            )
        return value.tensor

    def fixed_ints(self, index: int) -> list[int]:
        """The same, as whole numbers."""
        return [int(number) for number in self.fixed(index).reshape(-1).tolist()]

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.node.attributes.get(name, default)

    def ints(self, name: str, index: int) -> list[int] | None:
        """Whole numbers that older opsets give as an attribute and newer ones as an input; None where left out."""
        if name in self.node.attributes:
            return [int(number) for number in self.node.attributes[name]]
        return self.fixed_ints(index) if self.optional(index) is not None else None


Build = Callable[[Call], Made]
OPERATORS: dict[str, Build] = {}


def operator(*names: str) -> Callable[[Build], Build]:
    """Enter a build function under its ONNX names."""

    def enter(build: Build) -> Build:
        OPERATORS.update(dict.fromkeys(names, build))
        return build

    return enter


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front. Raises: ModelError when there is no such axis."""
    if not -rank <= axis < max(rank, 1):
        raise ModelError(f"a network reads axis {axis} of a value with {rank} axes")
    return axis % max(rank, 1)


def keep_off(value: Value, axes: Sequence[int]) -> None:
    """Raises: MixedRowsError when one of the axes counts rows."""
    if value.rows is not None and value.rows in axes:
        raise MixedRowsError


def spread(tensor: Tensor, axis: int, count: int) -> Tensor:
    """Repeat a value that is the same for all rows, so that it has the rows' entries. Inside a graph: a copy."""
    if count == 1:
        return tensor
    return tensor.repeat([count if index == axis else 1 for index in range(tensor.dim())])


def broadcast_rows(values: Sequence[Value]) -> tuple[int | None, dict[int, int]]:
    """Where the rows are when shapes are broadcast together.

    Returns: the axis of the result, and for each input that has to be spread first (same for all rows, but as long as
    the rows' axis for one row) its index and axis.
    Raises: MixedRowsError when inputs disagree.
    """
    rank = max((len(value.shape) for value in values), default=0)
    axes = {value.rows + rank - len(value.shape) for value in values if value.rows is not None}
    if not axes:
        return None, {}
    if len(axes) > 1:
        raise MixedRowsError
    axis = axes.pop()
    sizes = [value.shape[axis - rank + len(value.shape)] if axis >= rank - len(value.shape) else 1 for value in values]
    longest = max(sizes)
    shared: dict[int, int] = {}
    for index, (value, size) in enumerate(zip(values, sizes)):
        if value.rows is not None and size != longest:
            raise MixedRowsError
        if value.rows is None and size > 1:
            shared[index] = axis - rank + len(value.shape)
    return axis, shared


def reshape_rows(value: Value, target: Sequence[int]) -> int | None:
    """The axis that counts rows after the entries of a value for one row are laid out as `target`.

    Raises: MixedRowsError.
    """
    if value.rows is None:
        return None
    before = math.prod(value.shape[: value.rows])
    for axis in range(len(target)):
        if math.prod(target[:axis]) == before:
            return axis
    raise MixedRowsError
