"""The parent of a child process that owns a device, seen from the child.

Knows the other end of `live.output.child`: the ring of pictures, the orders on stdin, the lines on stdout. Imports
neither OpenCV nor a network, so that a child starts at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from typing import Any

from live.output import sounds
from live.output.ring import Ring

SETTINGS = "LIVE_CHILD_SETTINGS"
"""The environment's variable in which a child finds them, as JSON."""
SILENCE_S = 0.5
"""A parent that did not beat for so long hangs: its last picture may no longer be the truth."""


class Parent:
    """Orders and pictures from the parent, messages to it."""

    def __init__(self) -> None:
        """Read the settings from the environment, map the ring and begin to listen.

        Raises: OSError, KeyError, ValueError when this was not started by `live.output.child`.
        """
        self.settings: dict[str, Any] = json.loads(os.environ[SETTINGS])
        self.ring = Ring.attach(self.settings["ring"])
        self.wake = threading.Event()
        """Set when there may be a new picture or the parent left."""
        self.dismissed = False
        """True: the parent closes the output in order."""
        self.ended_s: float | None = None
        """`time.monotonic()` when the parent died; None while it lives."""
        self.sounds: deque[tuple[float, bytes]] = deque(maxlen=sounds.WAITING)
        """Packets of sound, oldest first: `time.monotonic()` at which each belongs, and its bytes."""
        self._orders = sounds.Orders()
        self._beats = self.ring.beats
        self._beat_s = time.monotonic()
        # Whatever else prints to stdout goes to stderr; the lines for the parent have a descriptor of their own.
        self._lines = os.dup(1)
        os.dup2(2, 1)
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def healthy(self, now_s: float) -> bool:
        """True while the parent lives and beats."""
        beats = self.ring.beats
        if beats != self._beats:
            self._beats, self._beat_s = beats, now_s
        return self.ended_s is None and now_s - self._beat_s < SILENCE_S

    def tell(self, **message: Any) -> None:
        """Send one line to the parent; a dead one is not told."""
        with contextlib.suppress(OSError):
            os.write(self._lines, json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        while True:
            try:
                orders = os.read(0, 4096)
            except OSError:
                orders = b""
            self.sounds.extend(self._orders.read(orders))
            self.dismissed = self.dismissed or self._orders.dismissed
            if not orders:
                self.ended_s = time.monotonic()
            self.wake.set()
            if not orders:
                return
