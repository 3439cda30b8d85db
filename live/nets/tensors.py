"""Inputs, outputs and weights as an ONNX file describes them, checked; the numbers themselves are never read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from live.errors import ModelError
from live.nets.strangers import inside, shown
from live.nets.wire import Field, Walker, WireError

MOST_RANK = 8
MOST_NAME_BYTES = 1000
_TYPES = {
    1: ("float32", 32), 2: ("uint8", 8), 3: ("int8", 8), 4: ("uint16", 16), 5: ("int16", 16), 6: ("int32", 32),
    7: ("int64", 64), 8: ("string", 0), 9: ("bool", 8), 10: ("float16", 16), 11: ("float64", 64), 12: ("uint32", 32),
    13: ("uint64", 64), 14: ("complex64", 64), 15: ("complex128", 128), 16: ("bfloat16", 16), 17: ("float8e4m3fn", 8),
    18: ("float8e4m3fnuz", 8), 19: ("float8e5m2", 8), 20: ("float8e5m2fnuz", 8), 21: ("uint4", 4), 22: ("int4", 4),
    23: ("float4e2m1", 4),
}  # fmt: skip
"""TensorProto.DataType: name, bits per element."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input, an output or a weight."""

    name: str
    shape: tuple[int | None, ...]
    """None: any size."""
    type: str
    """As numpy names it; `other` for what is no tensor."""


def read_weight(walk: Walker, part: Field, path: Path) -> tuple[Tensor, str | None]:
    """A TensorProto: its data have to be as many as its shape says, no more and no fewer.

    Args: path of the model file.
    Returns: the tensor, and the other file that holds its data, if one does.
    Raises: WireError; ModelError for a file outside the model's folder or not there.
    """
    name, kind, raw, typed, texts = "", 0, 0, 0, 0
    shape: list[int] = []
    outside: dict[str, str] = {}
    for inner in walk.fields(part.start, part.end):
        if inner.number == 1:
            shape += walk.numbers(inner, MOST_RANK)
            if len(shape) > MOST_RANK or min(shape, default=0) < 0:
                raise WireError("a weight with an impossible shape")
        elif inner.number == 2:
            kind = inner.whole()
        elif inner.number == 8:
            name = walk.text(inner, MOST_NAME_BYTES)
        elif inner.number == 9:
            raw = inner.size
        elif inner.number in (4, 5, 7, 10, 11):
            typed += inner.size or 1
        elif inner.number == 6:
            texts += 1
        elif inner.number == 13:
            key, value = _pair(walk, inner.message())
            outside[key] = value
            if key == "location" and inside(path.parent, value) is None:  # every one: readers differ in which counts
                raise ModelError(f"{path.name} wants to read {shown(value)}, outside its own folder; do not use it")
    if kind not in _TYPES:
        raise WireError(f"the weight {shown(name)} is of the unknown type {kind}")
    tensor, bits = Tensor(name, tuple(shape), _TYPES[kind][0]), _TYPES[kind][1]
    count = math.prod(shape)
    needed = -(-count * bits // 8)
    if outside:
        return tensor, _checked_outside(outside, needed, path)
    fewest = -(-count // 2) if bits == 4 else count  # bytes or texts, where the data are not raw
    if (raw and raw != needed) or (not raw and fewest > typed + texts):
        raise WireError(f"the weight {shown(name)} has {raw or typed} bytes where {needed} belong")
    return tensor, None


def _pair(walk: Walker, part: Field) -> tuple[str, str]:
    key = value = ""
    for inner in walk.fields(part.start, part.end):
        if inner.number == 1:
            key = walk.text(inner, MOST_NAME_BYTES)
        elif inner.number == 2:
            value = walk.text(inner, MOST_NAME_BYTES)
    return key, value


def _checked_outside(where: dict[str, str], needed: int, path: Path) -> str:
    """The location of weights in another file, which lies in the model's folder, is there and is long enough."""
    location = where.get("location", "")
    file = inside(path.parent, location)
    if file is None or not file.is_file():
        raise ModelError(f"{path.name} keeps weights in {shown(location)}, which is not there; bring both files")
    offset, length = _whole(where.get("offset", ""), 0), _whole(where.get("length", ""), needed)
    if length != needed or offset + length > file.stat().st_size:
        raise WireError(f"{shown(location)} is too short for the weights that should be in it")
    return location


def _whole(text: str, other: int) -> int:
    if not text:
        return other
    if not text.isdecimal() or len(text) > 18:
        raise WireError("a place in another file that is no number")
    return int(text)


def read_port(walk: Walker, part: Field) -> Tensor:
    """A ValueInfoProto: name, type and shape of an input or output. Raises: WireError."""
    name, kind = "", "other"
    shape: tuple[int | None, ...] = ()
    for inner in walk.fields(part.start, part.end):
        if inner.number == 1:
            name = walk.text(inner, MOST_NAME_BYTES)
        elif inner.number == 2:
            content = inner.message()
            for which in walk.fields(content.start, content.end):
                if which.number == 1:
                    kind, shape = _type(walk, which.message())
    return Tensor(name, shape, kind)


def _type(walk: Walker, part: Field) -> tuple[str, tuple[int | None, ...]]:
    kind = "other"
    shape: list[int | None] = []
    for inner in walk.fields(part.start, part.end):
        if inner.number == 1:
            kind = _TYPES.get(inner.whole(), ("other", 0))[0]
        elif inner.number == 2:
            content = inner.message()
            for dimension in walk.fields(content.start, content.end):
                sizes = [one.whole() for one in walk.fields(dimension.start, dimension.end) if one.number == 1]
                shape.append(sizes[-1] if sizes and 0 < sizes[-1] < 2**31 else None)
                if len(shape) > MOST_RANK:
                    raise WireError("an input or output with an impossible shape")
    return kind, tuple(shape)
