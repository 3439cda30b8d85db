"""A child process that owns a device, seen from the output that feeds it.

Pictures go through a `Ring`; over the child's stdin go orders (`live.output.sounds`) and its end (this process is
gone); its stdout brings JSON lines: `{"open": {...}}` or `{"error": "..."}` first, later `{"key": "q"}`,
`{"note": "..."}` for the user and `{"gone": "..."}`. Knows nothing about the device. `live.output.parent` is the other
end.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import live
from live.errors import OutputError
from live.output.parent import SETTINGS
from live.output.ring import Ring
from live.output.sounds import LARGEST_BYTES, LEAVE, NEW_PICTURE, orders_of
from live.pixels.host import bgr_frame, convert, plane_shapes
from live.pixels.slate import draw_slate
from live.values import Frame, PixelFormat, Pixels

log = logging.getLogger(__name__)

OPEN_S = 30.0
"""Longest that a child may take to open its device (a cold start of Python and OpenCV on a busy machine: 5 s, on an
emulated one 15 s)."""
LEAVE_S = 1.5
"""Longest that a child may take to end when told to; then it is killed."""
KEYS = 64
"""Pressed keys that nobody fetched; more are dropped."""


class Child:
    """Starts the child, feeds it, ends it."""

    def __init__(
        self, module: str, what: str, format: PixelFormat, width_px: int, height_px: int, settings: dict[str, Any]
    ) -> None:
        """Start a child and wait until its device is open.

        Args: module its program; what the device's name in messages; format, width_px, height_px of every picture;
        settings anything JSON for the child.
        Raises: OutputError with the child's own words when it cannot open the device.
        """
        self.keys: queue.Queue[str] = queue.Queue(KEYS)
        self._what = what
        self._shape = (format, width_px, height_px)
        self._gone: str | None = None
        self._opened: dict[str, Any] | None = None
        self._answered = threading.Event()
        try:
            self._ring = Ring.create(sum(_sizes(*self._shape)))
        except OSError as error:
            raise OutputError(f"no shared memory for the {what}: {error.strerror or error}; free some") from error
        try:
            slate = bgr_frame(draw_slate(width_px, height_px), time_s=0.0, number=0)
            _pour(convert(slate, format), self._ring.slate)
            self._process = self._start(module, {**settings, "ring": self._ring.address})
        except OSError as error:
            self._ring.close()
            raise OutputError(f"the process of the {what} cannot be started: {error.strerror or error}") from error
        except BaseException:
            self._ring.close()
            raise
        self._listener = threading.Thread(target=self._listen, name=f"{what} child", daemon=True)
        self._listener.start()
        self.opened = self._wait_open()

    def send(self, frame: Frame) -> None:
        """Hand over one picture of the agreed size and format; never waits for the device."""
        self.check()
        assert (frame.format, frame.width_px, frame.height_px) == self._shape
        with self._ring.writing() as slot:
            _pour(frame, slot)
        self._ring.beat()
        self._order(NEW_PICTURE)

    def send_sound(self, at_s: float, packet: bytes) -> None:
        """Hand over one packet of sound that belongs at `at_s` of `time.monotonic()`; one that does not fit is lost."""
        for order in orders_of(at_s, packet[:LARGEST_BYTES]):
            if not self._order(order):
                return

    def check(self) -> None:
        """Raises: OutputError when the child or its device is gone."""
        if self._gone is not None:
            raise OutputError(self._gone)

    def close(self) -> None:
        """End the child, within 2 s whatever it does. May be called twice."""
        self._gone = self._gone or f"the {self._what} is closed already"
        self._order(LEAVE)
        with contextlib.suppress(OSError, ValueError):
            self._pipe.close()
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            log.debug("the %s child does not leave, killing it", self._what)
            self._process.kill()
            self._process.wait()
        self._listener.join(0.5)
        self._ring.close()

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._process.pid

    def _start(self, module: str, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own: Ctrl+C in the terminal is our business, not the child's."""
        home = str(Path(live.__file__).parent.parent)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH")))),
            # Everybody on this machine can read a command line; a stream's address holds its key.
            SETTINGS: json.dumps(settings),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Qt and drivers chatter there; the child tells what matters over stdout.
            stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            pass_fds=self._ring.inherited,
            start_new_session=os.name == "posix",
            creationflags=_windows_flags(),
        )
        assert process.stdin is not None
        self._pipe = process.stdin
        if os.name == "posix":
            os.set_blocking(self._pipe.fileno(), False)
        return process

    def _wait_open(self) -> dict[str, Any]:
        if not self._answered.wait(OPEN_S):
            self._gone = f"the {self._what} did not open within {OPEN_S:.0f} s; close other programs that use it"
        if self._opened is None:
            reason = self._gone or f"the {self._what} cannot be opened"
            self.close()
            raise OutputError(reason)
        return self._opened

    def _order(self, order: bytes) -> bool:
        # A child that hangs leaves the pipe full; the picture is in the ring all the same.
        with contextlib.suppress(OSError, ValueError):
            return self._pipe.write(order) is not None
        return False

    def _listen(self) -> None:
        """Take what the child says until it ends. Runs on a thread of its own."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._hear(line)
        self._gone = self._gone or f"the {self._what} is gone: its process ended"
        self._answered.set()

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            log.debug("the %s child said %r", self._what, line[:200])
            return
        if isinstance(said.get("open"), dict):
            self._opened = said["open"]
            self._answered.set()
        for word in ("error", "gone"):
            if word in said:
                self._gone = str(said[word])
                self._answered.set()
        if "note" in said:
            log.warning("%s", said["note"])
        if "key" in said:
            with contextlib.suppress(queue.Full):
                self.keys.put_nowait(str(said["key"]))


def _windows_flags() -> int:
    """No console window, and not in our Ctrl+C group."""
    return getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


def _sizes(format: PixelFormat, width_px: int, height_px: int) -> list[int]:
    """Bytes of each plane."""
    sizes = []
    for shape in plane_shapes(format, width_px, height_px):
        size = 1
        for side in shape:
            size *= side
        sizes.append(size)
    return sizes


def _pour(frame: Frame, slot: Pixels) -> None:
    """Copy the planes of a frame into a slot, one after the other."""
    at = 0
    for plane in frame.planes:
        slot[at : at + plane.size].reshape(plane.shape)[...] = plane
        at += plane.size
