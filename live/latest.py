"""Hand-over between two threads: newest wins (live) or every item in order (files). Never unbounded, never reordered.

Knows nothing about what it carries. One class for both, so that the loop does not care which it has.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """A bounded hand-over from one thread to another.

    `lossless=False` with `size=1` is the one-slot mailbox of live video: a new item replaces the one not yet taken.
    `lossless=False` with more room drops the newest when full (a recording of something live: no holes in what
    is queued already). `lossless=True` makes `put` wait for room.
    """

    def __init__(self, size: int = 1, *, lossless: bool = False) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._lossless = lossless
        self._condition = threading.Condition()
        self._closed = False
        self._woken = False
        self.dropped = 0
        """Items that were never taken, counted."""

    def put(self, item: Item) -> bool:
        """Hand over an item. False when one was dropped for it, or when the mailbox is closed."""
        with self._condition:
            while self._lossless and len(self._items) >= self._size and not self._closed:
                self._condition.wait()
            if self._closed:
                return False
            full = len(self._items) >= self._size
            if full:
                self.dropped += 1
                if self._size > 1:
                    return False
                self._items.clear()
            self._items.append(item)
            self._condition.notify_all()
            return not full

    def take(self, timeout_s: float | None = None) -> Item | None:
        """The next item; None after `timeout_s`, after `wake`, or when closed and empty."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed or self._woken, timeout_s)
            self._woken = False
            if not self._items:
                return None
            item = self._items.popleft()
            self._condition.notify_all()
            return item

    def wake(self) -> None:
        """Let a waiting `take` return now, with None if there is nothing."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def close(self) -> None:
        """No more items are wanted; what is queued can still be taken. Waiting calls return."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def finished(self) -> bool:
        """Closed and empty."""
        with self._condition:
            return self._closed and not self._items
