"""Keys from the terminal, and from the windows of outputs, to the desk. Knows key names, not what they do."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

log = logging.getLogger(__name__)

NAMES = {" ": "space", "\x1b": "escape", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace"}
NAMES |= {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1b[3~": "delete",
    "\x1b[2~": "insert",
}
NAMES |= {"\x1b[H": "home", "\x1b[F": "end", "\x1b[5~": "pageup", "\x1b[6~": "pagedown"}
NAMES |= {f"\x1bO{letter}": f"f{number}" for number, letter in enumerate("PQRS", 1)}
NAMES |= {f"\x1b[{code}~": f"f{number}" for number, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24))}
NAMES |= {"\xe0H": "up", "\xe0P": "down", "\xe0M": "right", "\xe0K": "left"}  # Windows
"""Names of the keys that a terminal tells as several letters, or as none that can be written."""
POLL_S = 0.2


class Keys:
    """Reads keys on threads of its own until closed."""

    def __init__(self, press: Callable[[str], None], queues: list[queue.Queue[str]]) -> None:
        """Args: press is called with each key's name; queues give the keys of windows."""
        self._press = press
        self._stop = threading.Event()
        readers: list[Callable[[], None]] = [partial(self._read_queue, source) for source in queues]
        if sys.stdin is not None and sys.stdin.isatty():
            readers.append(self._read_terminal)
        self._threads = [threading.Thread(target=reader, name="keys", daemon=True) for reader in readers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop reading and give the terminal back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(1.0)

    def _read_queue(self, source: queue.Queue[str]) -> None:
        while not self._stop.is_set():
            try:
                self._press(source.get(timeout=POLL_S))
            except queue.Empty:
                continue

    def _read_terminal(self) -> None:
        try:
            with _single_keys() as read:
                while not self._stop.is_set():
                    text = read()
                    if text:
                        self._press(NAMES.get(text, text.lower()))
        except OSError as error:
            log.warning("keys in this terminal cannot be read: %s", error)


@contextmanager
def _single_keys() -> Iterator[Callable[[], str]]:
    """A function that waits up to POLL_S for a key; the terminal is put back afterwards."""
    if sys.platform == "win32":
        yield _read_windows
        return
    import os
    import select
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read() -> str:
        ready, _, _ = select.select([descriptor], [], [], POLL_S)
        return os.read(descriptor, 8).decode("utf-8", "ignore") if ready else ""

    try:
        tty.setcbreak(descriptor)  # Ctrl-C still interrupts
        yield read
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _read_windows() -> str:
    import msvcrt
    import time

    if not msvcrt.kbhit():  # type: ignore[attr-defined]
        time.sleep(POLL_S / 4)
        return ""
    key: str = msvcrt.getwch()  # type: ignore[attr-defined]
    return key + msvcrt.getwch() if key in "\xe0\x00" else key  # type: ignore[attr-defined]
