"""Walking a protobuf message without building it: which fields it has and where they lie in the file.

So the head of an ONNX file of half a gigabyte is read in milliseconds, its weights untouched, and a hostile file cannot
make the reader take memory. Knows the encoding, no message's meaning. Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

MOST_FIELDS = 2_000_000
"""Walked in one file; a network of 1 000 nodes has about 30 000."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST_FIELD = (1 << 29) - 1


class WireError(ValueError):
    """The bytes are no protobuf message, or one without end."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    number: int
    value: int | None
    """Of numbers; None for what has content: texts, bytes, inner messages, packed numbers."""
    start: int
    end: int
    """Where the content lies in the file; for numbers start = end."""

    def message(self) -> Field:
        """Itself, where it can hold a message. Raises: WireError."""
        if self.value is not None:
            raise WireError("a number stands where a message should")
        return self

    def whole(self) -> int:
        """Its number. Raises: WireError."""
        if self.value is None:
            raise WireError("a message stands where a number should")
        return self.value

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.end - self.start


class Walker:
    """One file, with a limit to what is walked in all."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self._left = MOST_FIELDS

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message between two places, in order. Raises: WireError."""
        data, at = self.data, start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MOST_FIELDS} fields")
            tag, at = self._varint(at, end)
            number, kind = tag >> 3, tag & 7
            if not 0 < number <= _LARGEST_FIELD:
                raise WireError("no field has this number")
            if kind == _VARINT:
                value, at = self._varint(at, end)
                yield Field(number, value, at, at)
                continue
            if kind == _BYTES:
                size, at = self._varint(at, end)
            elif kind in (_FIXED64, _FIXED32):
                size = 8 if kind == _FIXED64 else 4
            else:
                raise WireError("no kind of field is like this")
            if size > end - at:
                raise WireError("it ends in the middle")
            if kind == _BYTES:
                yield Field(number, None, at, at + size)
            else:
                yield Field(number, int.from_bytes(data[at : at + size], "little"), at, at)
            at += size

    def numbers(self, field: Field, most: int) -> list[int]:
        """At most so many numbers of a repeated field, packed or not; signed, 64 bits. Raises: WireError."""
        if field.value is not None:
            return [_signed(field.value)]
        found, at = [], field.start
        while at < field.end:
            value, at = self._varint(at, field.end)
            found.append(_signed(value))
            if len(found) > most:
                raise WireError(f"more than {most} numbers")
        return found

    def text(self, field: Field, most: int) -> str:
        """A text of at most so many bytes. Raises: WireError."""
        if field.value is not None:
            raise WireError("a number stands where a text should")
        if field.size > most:
            raise WireError(f"a name of {field.size} bytes; {most} are allowed")
        try:
            return self.data[field.start : field.end].decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("a name is not text") from None

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        data, value, shift = self.data, 0, 0
        while at < end:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at
            shift += 7
            if shift > 63:
                raise WireError("a number without end")
        raise WireError("it ends in the middle")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
