"""A slot with the newest picture, which the one HTTP server (in `live.control`) reads and shows as a web page.

Knows the port people asked for, nothing about HTTP; pictures are encoded by the server, and only while somebody looks.
"""

from __future__ import annotations

import errno
import queue
import socket
import time

from live.errors import OutputError, UsageError
from live.output.contract import Format
from live.values import Frame, Sound

PORT = 8910
TRIES = 20
"""Ports tried after the default one."""


def open(rest: str, format: Format) -> WebOutput:
    """Choose a port and make a slot.

    Args: rest a port number, or empty: 8910, or the next free one.
    Raises: UsageError for what is no port; OutputError when the port asked for is taken.
    """
    if not rest:
        return WebOutput(free_port(PORT, TRIES))
    if not (rest.isascii() and rest.isdigit() and 1 <= int(rest) <= 65535):
        raise UsageError(f"output web:{rest[:40]}: no port; allowed: 1 to 65535, for example web:{PORT}")
    return WebOutput(free_port(int(rest), 1))


class Slot:
    """The newest picture. `put` and `newest` may be called from different threads."""

    def __init__(self) -> None:
        self._newest: tuple[int, float, Frame | None] = (0, 0.0, None)

    def put(self, frame: Frame) -> None:
        """Replace the picture."""
        self._newest = (self._newest[0] + 1, time.monotonic(), frame)

    def clear(self) -> None:
        """Show nothing any more."""
        self._newest = (self._newest[0] + 1, 0.0, None)

    def newest(self) -> tuple[int, float, Frame | None]:
        """How many pictures came, when the newest came (`time.monotonic()`), and it; None before the first."""
        return self._newest


class WebOutput:
    """The output's side of the slot."""

    live = True
    keys: queue.Queue[str] | None = None

    def __init__(self, port: int) -> None:
        self.port = port
        """Where the server shall listen; it was free a moment ago."""
        self.slot = Slot()
        """What the server shall show."""
        self.name = f"web page http://127.0.0.1:{port}/"
        self._closed = False

    def send(self, frame: Frame) -> None:
        """Put one picture into the slot; never waits."""
        if self._closed:
            raise OutputError(f"{self.name} is closed already")
        self.slot.put(frame)

    def sound(self, sound: Sound) -> None:
        """The page has no sound."""

    def close(self) -> None:
        """Empty the slot. May be called twice."""
        self._closed = True
        self.slot.clear()


def free_port(first: int, tries: int) -> int:
    """The first port from `first` on that nobody listens on, on 127.0.0.1.

    Raises: OutputError when there is none.
    """
    for port in range(first, min(first + tries, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM) and tries == 1:
                    raise OutputError(f"port {port} is not allowed for this user; choose one above 1023") from error
                continue
            return port
    last = first + tries - 1
    which = f"port {first} is taken" if tries == 1 else f"ports {first} to {last} are taken"
    raise OutputError(f"{which}; stop the program that listens there or choose another, for example web:{last + 1000}")
