"""What every way of running a network offers. Knows no library: torch and ONNX Runtime stand behind the same few words.

A runner is made by its module (`torch_runner`, the ONNX Runtime one), used by one thread at a time and closed by its
owner. What the numbers mean (normalisation, colour order, templates) is the catalogue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from live.errors import ModelError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Port:
    """One input or output of a network."""

    name: str
    shape: tuple[int | None, ...]
    """None where any size is taken. First None: one row per face, any number of rows. An input whose first size is
    fixed is one for all rows (CodeFormer's weight)."""
    dtype: str
    """As numpy names it: float32, uint8, ..."""


class Runner(Protocol):
    """A network ready to run; one thread at a time."""

    backend: str
    """torch, onnxruntime, ...: the word used in presets and in what is shown to the user."""
    precision: str
    """fp16, bf16, tf32 or fp32."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run once.

        Args: inputs on the host by the ports' names, each of its port's shape; all share the number of rows N >= 0.
        Returns: the outputs in the ports' order, host arrays, float32 where the network computes with floats, N rows.
        Raises: ModelError when an input is missing or has another shape.
        """

    def close(self) -> None:
        """Free the device's memory; may be called twice. A closed runner is not run again."""


def count_rows(ports: tuple[Port, ...], inputs: Mapping[str, Array]) -> int:
    """Check inputs against the ports. Returns: the number of rows N.

    Raises: ModelError, one line, naming the input and what it has to be.
    """
    rows: set[int] = set()
    for port in ports:
        if port.name not in inputs:
            raise ModelError(f"the network needs an input {port.name}; given: {', '.join(sorted(inputs)) or 'none'}")
        given = inputs[port.name].shape
        if len(given) != len(port.shape) or any(want not in (None, got) for want, got in zip(port.shape, given)):
            shape = tuple("any" if size is None else size for size in port.shape)
            raise ModelError(f"input {port.name} has shape {given}; the network takes {shape}".replace("'", ""))
        if port.shape and port.shape[0] is None:
            rows.add(given[0])
    if len(rows) > 1:
        raise ModelError(f"inputs have different numbers of rows: {sorted(rows)}; give each the same")
    return rows.pop() if rows else 1
