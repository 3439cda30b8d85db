"""Packets of sound between the other orders that an output gives its child over a pipe: bytes both ways.

An order is a letter: `n` there may be a new picture, `q` leave, `s` a piece of sound. A piece is short enough for the
kernel to take it whole or not at all (POSIX: 512 bytes at least, Linux 4096); a packet whose pieces did not all come is
left out. Knows bytes, neither codecs nor times.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PIECE_BYTES = 480
"""Of sound in one order."""
LARGEST_BYTES = 1 << 20
WAITING = 512
"""Packets that may wait for the child: 10 s of AAC."""
NEW_PICTURE, LEAVE, SOUND = b"n", b"q", b"s"
_HEAD = struct.Struct("<dIIH")
"""When the packet belongs, s; its bytes; how many of them came before; how many follow."""


def orders_of(at_s: float, packet: bytes) -> Iterator[bytes]:
    """The orders that bring a packet over."""
    for at in range(0, len(packet), PIECE_BYTES):
        piece = packet[at : at + PIECE_BYTES]
        yield SOUND + _HEAD.pack(at_s, len(packet), at, len(piece)) + piece


class Orders:
    """Reads the orders of one pipe."""

    def __init__(self) -> None:
        self.dismissed = False
        """True after `q`."""
        self._unread = b""
        self._begun = b""

    def read(self, given: bytes) -> list[tuple[float, bytes]]:
        """Take what the pipe gave. Returns: the packets that are whole now, and when they belong."""
        orders, at, whole = self._unread + given, 0, []
        while at < len(orders):
            word = orders[at : at + 1]
            body = at + 1 + _HEAD.size
            if word == SOUND:
                if len(orders) < body:
                    break
                at_s, total, before, size = _HEAD.unpack(orders[at + 1 : body])
                if len(orders) < body + size:
                    break
                if before == 0:
                    self._begun = b""
                if len(self._begun) == before:  # else a piece before it did not come
                    self._begun += orders[body : body + size]
                if len(self._begun) == total:
                    whole.append((at_s, self._begun))
                    self._begun = b""
                at = body + size
                continue
            self.dismissed = self.dismissed or word == LEAVE
            at += 1
        self._unread = orders[at:]
        return whole
