"""The file under a recording: writes everything or fails, and can cut off a torn end.

Knows bytes and the outermost boxes of MP4 (ISO/IEC 14496-12, 4.2); nothing about pictures.
"""

from __future__ import annotations

import struct
from pathlib import Path


class DiskFile:
    """A seekable file for PyAV. Unbuffered: what was written survives this process."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115
        self.seek = self._file.seek
        self.tell = self._file.tell
        self.read = self._file.read

    @property
    def closed(self) -> bool:
        """True: PyAV leaves the container as it is instead of finishing it."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of it; a disk that fills up takes a part first and fails at the rest."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(data)

    def cut_torn_fragment(self) -> None:
        """Shorten a fragmented MP4 to its last whole fragment."""
        size = self._file.seek(0, 2)
        self._file.truncate(self._whole_bytes(size))

    def close(self) -> None:
        """Close; may be called twice."""
        self._file.close()

    def _whole_bytes(self, size: int) -> int:
        """Where the last complete `mdat` or `moov` ends."""
        whole = at = 0
        while at + 8 <= size:
            self._file.seek(at)
            head = self._file.read(16)
            length, kind = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack(">Q", head[8:])
            if length < 8 or at + length > size:
                break
            at += length
            if kind in (b"mdat", b"moov"):
                whole = at
        return whole
