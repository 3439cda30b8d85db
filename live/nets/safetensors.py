"""The head of a safetensors file, checked against the file: weights with names and shapes, no network.

Source: the format's description, huggingface.co/docs/safetensors: 8 bytes of length, JSON, the numbers without gaps.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from live.errors import ModelError
from live.nets.strangers import refuse_strangers, shown
from live.nets.tensors import MOST_NAME_BYTES, MOST_RANK, Tensor

MOST_HEAD_BYTES = 16 * 1024 * 1024
MOST_TENSORS = 50_000
METADATA = "__metadata__"
_TYPES = {
    "F64": ("float64", 8), "F32": ("float32", 4), "F16": ("float16", 2), "BF16": ("bfloat16", 2), "I64": ("int64", 8),
    "I32": ("int32", 4), "I16": ("int16", 2), "I8": ("int8", 1), "U8": ("uint8", 1), "BOOL": ("bool", 1),
    "U16": ("uint16", 2), "U32": ("uint32", 4), "U64": ("uint64", 8), "F8_E4M3": ("float8e4m3fn", 1),
    "F8_E5M2": ("float8e5m2", 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """One weight and where its numbers lie in the file."""

    tensor: Tensor
    start: int
    end: int

    def read(self, path: Path) -> np.ndarray[Any, Any]:
        """The numbers; bfloat16 as float32. Raises: ModelError for the types that numpy does not have."""
        kind, shape = self.tensor.type, [size or 0 for size in self.tensor.shape]
        with path.open("rb") as file:
            file.seek(self.start)
            data = file.read(self.end - self.start)
        if kind == "bfloat16":
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        if kind.startswith("float8"):
            raise ModelError(f"{path.name} holds weights of the type {kind}; save them as float16 or float32")
        return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).reshape(shape)


def inspect_safetensors(path: Path) -> tuple[Stored, ...]:
    """The weights in a file, in the order of their numbers.

    Raises: ModelError, one line, for a file that is broken or whose head does not fit what follows.
    """
    refuse_strangers(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MOST_HEAD_BYTES):
            raise _broken(path, "its head has an impossible length")
        head = file.read(length)
    try:
        fields = json.loads(head.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _broken(path, "its head cannot be read") from None
    if not isinstance(fields, dict) or len(fields) > MOST_TENSORS:
        raise _broken(path, f"its head is no list of at most {MOST_TENSORS} weights")
    fields.pop(METADATA, None)
    placed = sorted((_weight(path, name, value) for name, value in fields.items()), key=lambda one: one[1:])
    end = 0
    for tensor, first, last in placed:
        if first != end:
            raise _broken(path, f"the weight {shown(tensor.name)} does not begin where the one before ends")
        end = last
    if end != size - 8 - length:
        raise _broken(path, f"{end} bytes of weights are announced and {size - 8 - length} are there")
    return tuple(Stored(tensor, 8 + length + first, 8 + length + last) for tensor, first, last in placed)


def _weight(path: Path, name: str, value: Any) -> tuple[Tensor, int, int]:
    try:
        kind, shape, (first, last) = value["dtype"], value["shape"], value["data_offsets"]
        type_name, width = _TYPES[kind]
        numbers = [*shape, first, last]
        if not all(type(number) is int and 0 <= number < 2**48 for number in numbers) or len(shape) > MOST_RANK:
            raise ValueError
        if len(name.encode()) > MOST_NAME_BYTES or last - first != math.prod(shape) * width:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise _broken(path, f"the weight {shown(name)} is not described as it should be") from None
    return Tensor(name, tuple(shape), type_name), first, last


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _broken(path: Path, why: str) -> ModelError:
    return ModelError(f"{path.name} is no whole safetensors file ({why}); get it again from where it came")
