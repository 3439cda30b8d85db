"""A child process that an output keeps: started again, with growing pauses, when it died. Knows no devices."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from live.errors import LiveError, OutputError
from live.output.child import Child
from live.pace import BackOff, EverySoOften
from live.values import Frame

log = logging.getLogger(__name__)


class Kept:
    """Feeds a child that may die and come back."""

    def __init__(self, start: Callable[[], Child], restart: Callable[[], Child] | None = None) -> None:
        """Start the child. Args: restart: how it is started when it died; None: in the same way.

        Raises: LiveError when the first start fails.
        """
        self._restart = restart or start
        self._back_off, self._trouble = BackOff(), EverySoOften()
        self.child: Child | None = start()
        """None while there is none."""
        self.name = ""
        """Of the output, for messages."""
        self._closed = False

    def send(self, make: Callable[[], Frame]) -> None:
        """Hand over a picture where there is a child. Args: make: called then only, for the child that is there.

        Raises: OutputError after `close`.
        """
        if self._closed:
            raise OutputError(f"{self.name} is closed already")
        now_s = time.monotonic()
        if self.child is None and now_s >= self._back_off.due_s:
            self._start_again(now_s)
        if self.child is None:
            return
        try:
            self.child.send(make())
        except OutputError as error:
            self.child.close()
            self.child = None
            self._failed(now_s, f"{self.name}: {error}; trying to get it back")

    def close(self) -> None:
        """End the child. May be called twice."""
        self._closed = True
        if self.child is not None:
            self.child.close()

    def _start_again(self, now_s: float) -> None:
        try:
            self.child = self._restart()
        except LiveError as error:
            self._failed(now_s, str(error))
            return
        self._back_off.worked()
        log.info("%s is back", self.name)

    def _failed(self, now_s: float, line: str) -> None:
        self._back_off.failed(now_s)
        if self._trouble.ready(now_s):
            log.warning("%s", line)
