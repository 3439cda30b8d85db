"""Owns the device's streams, buffers and graphs: sessions hand in rows and get rows back.

A *step* is a function from tensors to tensors with fixed shapes; lines.py carries its batches. Rows of several sessions
that arrive within `WAIT_S` share a batch; a session that is alone never waits. Knows nothing about what the rows mean.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from live.nets.lines import BUCKETS, Line, Step
from live.nets.place import Place
from live.nets.tickets import STALLED_S, Ticket

_hanging: list[Line] = []
"""What a device that did not answer may still write to: nobody else may get this memory."""


class Batcher:
    """The device, for all sessions of this process. Calls may come from any thread."""

    def __init__(self, place: Place, *, most: int = BUCKETS[-1]) -> None:
        """Args: most rows of a batch."""
        self.place = place
        self._most = most
        self._lines: dict[Hashable, Line] = {}
        self._lock = threading.RLock()
        self._up, self._down = place.stream(), place.stream()
        self._computes: dict[str, Any] = {}

    def add(self, key: Hashable, step: Step, *, most: int | None = None, stream: str = "frames") -> None:
        """Make a step known under a key; again for the same key: nothing happens.

        Args: most rows of its batches; stream: steps on the same one run one after the other.
        """
        with self._lock:
            if key in self._lines:
                return
            if stream not in self._computes:
                self._computes[stream] = self.place.stream(urgent=True)
            streams = (self._up, self._computes[stream], self._down)
            self._lines[key] = Line(step, self.place, most or self._most, streams, self._lock)

    def knows(self, key: Hashable) -> bool:
        """Whether a step was added under this key."""
        return key in self._lines

    def warm(self, key: Hashable, counts: Sequence[int] = BUCKETS) -> None:
        """Capture a step's graphs for so many rows, before the first frame."""
        with self._lock:
            self._lines[key].warm(counts)

    def captured(self, key: Hashable, count: int) -> Callable[[], None]:
        """Return what a batch of so many rows runs between upload and download, captured: to be measured."""
        with self._lock:
            return self._lines[key].captured(count)

    def share(self, key: Hashable, sessions: int) -> None:
        """Say how many sessions send rows of a step: a batch with rows of all of them waits for nobody."""
        self._lines[key].sessions = max(sessions, 1)

    def reserve(self, key: Hashable, count: int = 1, timeout_s: float = STALLED_S, *, together: int = 1) -> Ticket:
        """Return a ticket for so many rows of a step.

        Args: together: so many tickets the caller means to send before it waits: they share a batch.
        Raises: KeyError for an unknown step, ValueError for too many rows, DeviceError when the device stalls.
        """
        return self._lines[key].reserve(count, timeout_s, together)

    def clear(self) -> None:
        """Forget every step, with its graphs and buffers: after an error of the device, or to free its memory."""
        with self._lock:
            _hanging[:] = [line for line in (*_hanging, *self._lines.values()) if line.busy]
            self._lines.clear()
