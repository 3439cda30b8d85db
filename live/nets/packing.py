"""Many small values in one buffer, so that a batch crosses the bus in one copy.

A row holds every field of one face or frame, one behind the other; a batch is rows, so its first rows are one piece of
memory. Knows names, shapes and types; knows nothing about what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ALIGNMENT = 256
"""Bytes: what vector loads and copies like best."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a row."""

    name: str
    shape: tuple[int, ...] = ()
    type: str = "float32"
    """`uint8`, `int32`, `int64` or `float32`."""

    @property
    def nbytes(self) -> int:
        """Bytes of it in one row."""
        return math.prod(self.shape) * np.dtype(self.type).itemsize


Rows = dict[str, NDArray[Any]]
"""Per field an array (N, *shape) that lies in the buffer."""


class Packing:
    """Where each field lies in a row."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self._offsets: dict[str, int] = {}
        at = 0
        for field in self.fields:
            self._offsets[field.name] = at
            at = -(-(at + field.nbytes) // ALIGNMENT) * ALIGNMENT
        self.row_bytes = max(at, ALIGNMENT)

    def arrays(self, buffer: NDArray[np.uint8]) -> Rows:
        """Return the fields of a host buffer (N, row_bytes) as writable views (N, *shape)."""
        found = {}
        for field in self.fields:
            at = self._offsets[field.name]
            part = buffer[:, at : at + field.nbytes].view(field.type)
            found[field.name] = part.reshape(len(buffer), *field.shape, copy=False)
        return found

    def tensors(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return the fields of a device buffer (N, row_bytes) uint8 as views (N, *shape)."""
        found = {}
        for field in self.fields:
            at = self._offsets[field.name]
            part = buffer[:, at : at + field.nbytes].view(getattr(torch, field.type))
            found[field.name] = part.view(len(buffer), *field.shape)
        return found

    def write(self, values: Mapping[str, Tensor], buffer: Tensor) -> None:
        """Copy values (N, *shape) into a device buffer (N, row_bytes); types are converted."""
        for name, view in self.tensors(buffer).items():
            view.copy_(values[name])
