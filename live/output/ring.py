"""Pictures in shared memory between an output and the child process that owns its device.

A file in memory, mapped by both: a page of 64-bit words, three picture slots, one slot for the slate. The writer (the
output's thread) never waits; the reader (the child) always finds the newest whole picture. Knows bytes, not pixels.

How nobody reads what is being written, without a lock that a dying process could leave taken:

- `NEWEST` (written by the writer) packs the sequence number and the slot of the newest picture; `READING` (written by
  the reader) names the slot in use. Both are aligned 64-bit words, stored by one instruction.
- The writer fills a slot that is neither the newest nor being read (of three there is one) and then stores `NEWEST`.
- The reader stores `READING`, then loads `NEWEST` again. Unchanged: the slot was the newest after the reservation was
  there, so the writer leaves it alone until the reader moves on. Changed: it tries again with the newer one.

The writer looks at `READING` when it begins a picture, at least one system call after it stored `NEWEST`; the
processor's store buffers (tens of nanoseconds) are empty by then, so the two cannot miss each other.

`multiprocessing.shared_memory` is not used: its resource tracker unlinks segments of living processes and warns about
segments of dead ones.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator

import numpy as np

from live.values import Pixels

SLOTS = 3
SLATE = 3
"""Index of the slate's slot."""
PAGE = 4096
MAGIC = 0x6C69_7665_0001
LARGEST_BYTES = 1 << 28
"""256 MB for one picture: 16384 x 5461 BGR."""

_MAGIC, _BYTES, _BEAT, _NEWEST, _READING = range(5)


class Ring:
    """One mapping. `create` in the output, `attach` in the child."""

    def __init__(self, descriptor: int, picture_bytes: int, path: str | None) -> None:
        self._path = path
        self._descriptor = descriptor
        self._slot_bytes = -(-picture_bytes // PAGE) * PAGE
        self._map = mmap.mmap(descriptor, PAGE + (SLOTS + 1) * self._slot_bytes)
        self._words = np.frombuffer(self._map, np.uint64, PAGE // 8)
        self._slots = [
            np.frombuffer(self._map, np.uint8, picture_bytes, PAGE + index * self._slot_bytes)
            for index in range(SLOTS + 1)
        ]
        self._taken = 0

    @classmethod
    def create(cls, picture_bytes: int) -> Ring:
        """Reserve memory for four pictures.

        Raises: OSError when neither the memory file system nor the disk has room.
        """
        if not 0 < picture_bytes <= LARGEST_BYTES:
            raise OSError(f"a picture of {picture_bytes} bytes does not fit, {LARGEST_BYTES} is the limit")
        descriptor, path = _reserve(PAGE + (SLOTS + 1) * (-(-picture_bytes // PAGE) * PAGE))
        try:
            ring = cls(descriptor, picture_bytes, path)
        except BaseException:
            os.close(descriptor)
            _unlink(path)
            raise
        ring._words[_MAGIC], ring._words[_BYTES] = MAGIC, picture_bytes
        return ring

    @classmethod
    def attach(cls, address: str) -> Ring:
        """Map a ring somebody else created, by its `address`. Raises: OSError when it is none."""
        descriptor = int(address) if address.isdigit() else os.open(address, os.O_RDWR | getattr(os, "O_BINARY", 0))
        os.lseek(descriptor, 0, os.SEEK_SET)
        head = np.frombuffer(os.read(descriptor, 16), np.uint64)
        if len(head) != 2 or int(head[0]) != MAGIC or not 0 < int(head[1]) <= LARGEST_BYTES:
            raise OSError("this is not a ring of pictures")
        return cls(descriptor, int(head[1]), None if address.isdigit() else address)

    @property
    def address(self) -> str:
        """What the child attaches to: a descriptor to inherit, or a path where descriptors are not inherited."""
        return self._path if self._path is not None else str(self._descriptor)

    @property
    def inherited(self) -> tuple[int, ...]:
        """Descriptors the child must inherit."""
        return () if self._path is not None else (self._descriptor,)

    def beat(self) -> None:
        """Writer: say that it is alive."""
        self._words[_BEAT] += np.uint64(1)

    @property
    def beats(self) -> int:
        """How often the writer said that it is alive."""
        return int(self._words[_BEAT])

    @contextlib.contextmanager
    def writing(self) -> Iterator[Pixels]:
        """Writer: a slot (picture_bytes,) to fill; what is in it when the block ends becomes the newest picture."""
        newest = int(self._words[_NEWEST])
        busy = {newest & 0xFF, int(self._words[_READING])}
        slot = next(index for index in range(1, SLOTS + 1) if index not in busy)
        yield self._slots[slot - 1]
        self._words[_NEWEST] = np.uint64(((newest >> 8) + 1) << 8 | slot)

    def take(self) -> Pixels | None:
        """Reader: the newest picture if it was not taken before. It stays unchanged until the next one is taken."""
        newest = int(self._words[_NEWEST])
        if newest == self._taken:
            return None
        while True:
            self._words[_READING] = newest & 0xFF
            again = int(self._words[_NEWEST])
            if again == newest:
                break
            newest = again
        self._taken = newest
        return self._slots[(newest & 0xFF) - 1]

    @property
    def slate(self) -> Pixels:
        """The slate's slot (picture_bytes,): filled before the child starts, read by it."""
        return self._slots[SLATE]

    def close(self) -> None:
        """Unmap and remove. Arrays handed out must be gone, or the memory stays until they are. May be called twice."""
        if self._map.closed:
            return
        self._slots = []
        self._words = np.zeros(PAGE // 8, np.uint64)
        with contextlib.suppress(BufferError):
            self._map.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        _unlink(self._path)


def _reserve(size: int) -> tuple[int, str | None]:
    """A file of that size with memory behind it: descriptor, and its path unless it could be unlinked at once."""
    failure: OSError | None = None
    for folder in ("/dev/shm", None):
        if folder is not None and not os.access(folder, os.W_OK):
            continue
        descriptor, path = tempfile.mkstemp(prefix="live-ring-", dir=folder)
        try:
            if hasattr(os, "posix_fallocate"):
                # A container's /dev/shm may hold 64 MB: without this, writing beyond it is SIGBUS, not an error.
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.truncate(descriptor, size)
        except OSError as error:
            failure = error
            os.close(descriptor)
            _unlink(path)
            continue
        if os.name == "posix":
            _unlink(path)
            return descriptor, None
        return descriptor, path
    raise failure or OSError("no folder for shared memory")


def _unlink(path: str | None) -> None:
    if path is not None:
        # Windows refuses while the other process has it mapped; whoever closes last removes it.
        with contextlib.suppress(OSError):
            os.unlink(path)
