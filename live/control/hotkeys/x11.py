"""Hotkeys on X11: a child process that holds the grabs and tells each press on a line. The parent's side.

In a process of its own because Xlib ends the process that loses its X server, and that may not be the run.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

READY_S, END_S = 10.0, 1.0


class X11Hotkeys:
    """The keys of one X display."""

    def __init__(self, bound: Mapping[str, str], press: Callable[[str], None]) -> None:
        self._press, self._bound = press, dict(bound)
        self._closed = False
        self.ready = threading.Event()
        """Set when the keys are grabbed, or cannot be."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "live.control.hotkeys.x11_child", *bound],
            stdin=subprocess.PIPE,  # its end tells the child that the parent is gone
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, name="hotkeys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the keys back. May be called twice."""
        self._closed = True
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._thread.join(END_S)

    def _listen(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for line in lines:
                word, _, rest = line.rstrip("\n").partition(" ")
                if word == "pressed":
                    self._press(rest)
                elif word == "ready":
                    self.ready.set()
                elif word == "taken":
                    log.warning(
                        'hotkey %s (%s) belongs to another program; bind another key: --set keys.anywhere.KEY="%s"',
                        rest, self._bound.get(rest), self._bound.get(rest),
                    )  # fmt: skip
                elif word == "failed":
                    log.warning("hotkeys: %s; keys in the window and terminal, and `live ctl`, work", rest)
        self.ready.set()
        if not self._closed:
            log.warning("hotkeys have ended: the display is gone")
