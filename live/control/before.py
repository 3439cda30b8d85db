"""The picture as it was captured, for the few moments in which somebody asks for it. REAL FACES: never kept, never sent
on by itself, and not taken at all while nobody looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from live.output.web import Slot
from live.pixels.host import duplicate
from live.session import Taps
from live.values import Frame

RATE_HZ = 10.0
"""Copies a second at most: one of 720p costs the swap thread 0.2 ms."""


class Before:
    """Copies captured frames into a slot while it is watched."""

    def __init__(self, taps: Taps, panic: threading.Event) -> None:
        self.slot = Slot()
        self._panic = panic
        self._taps = taps
        self._watchers = 0
        self._next_s = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def watched(self) -> Iterator[Slot]:
        """Fill the slot meanwhile."""
        with self._lock:
            self._watchers += 1
            self._taps.before = self._take
        try:
            yield self.slot
        finally:
            with self._lock:
                self._watchers -= 1
                if not self._watchers:
                    self._taps.before = None
                    self.slot.clear()

    def _take(self, frame: Frame) -> None:
        now_s = time.monotonic()
        if self._panic.is_set():
            self.slot.clear()
            return
        if now_s >= self._next_s:
            self._next_s, copied = now_s + 1 / RATE_HZ, duplicate(frame)
            with self._lock:
                if self._watchers:
                    self.slot.put(copied)
