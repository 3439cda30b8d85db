"""The reader of `live bench camera`, seen from the program that measures: starts it, tells it what to open, ends it.

`live.bench.camera_reader` is the other end. Knows processes, nothing about pictures.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import live
from live.errors import OutputError

log = logging.getLogger(__name__)

READER = "live.bench.camera_reader"
READY_S = 60.0
"""Longest that its imports may take (an emulated processor: 10 s)."""
OPEN_S = 10.0
"""Longest that the device may take to become a camera."""
REPORT_S = 30.0
LEAVE_S = 2.0


class Reader:
    """The reader's process."""

    def __init__(self) -> None:
        """Start it; it opens nothing yet. Raises: OutputError when it cannot be started."""
        home = str(Path(live.__file__).parent.parent)
        paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", READER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # FFmpeg chatters there.
                stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,
            )
        except OSError as error:
            raise OutputError(f"the reader cannot be started: {error.strerror or error}") from error
        self.pid = self._process.pid
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, name="reader", daemon=True)
        self._listener.start()

    def open(self, device: str, compare: list[Any] | None) -> dict[str, Any]:
        """Let it open a device. Returns what it got: width_px, height_px, format, fps. Raises: OutputError."""
        self._hear("ready", READY_S)
        assert self._process.stdin is not None
        with suppress(OSError):
            task = {"device": device, "open_s": OPEN_S, "compare": compare, "may_skip": True}
            self._process.stdin.write(json.dumps(task).encode() + b"\n")
            self._process.stdin.flush()
        opened: dict[str, Any] = self._hear("opened", 2 * OPEN_S)["opened"]
        return opened

    def finish(self) -> dict[str, Any]:
        """Let it end. Returns its report: ended (why it stopped before, or None) and rows. Raises: OutputError."""
        self._let_go()
        return self._hear("rows", REPORT_S)

    def close(self) -> None:
        """End it, whatever it does. May be called twice."""
        self._let_go()
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(1.0)

    def _let_go(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _hear(self, word: str, timeout_s: float) -> dict[str, Any]:
        """The next message, which has to hold a word. Raises: OutputError."""
        try:
            said = self._said.get(timeout=timeout_s)
        except queue.Empty:
            raise OutputError(f"the reader gave no answer within {timeout_s:.0f} s; is the device busy?") from None
        if word not in said:
            why = said.get("error") or said.get("ended") or "its process ended, --verbose shows why"
            raise OutputError(f"the reader got no picture: {why}")
        return said

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with suppress(ValueError):
                    self._said.put(json.loads(line))
        self._said.put({})
