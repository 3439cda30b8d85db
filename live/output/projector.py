"""How a child process shows pictures on a device that may go and come back.

The newest picture is sent as it comes and repeated at the nominal rate while none comes, so that nobody sees a frozen
device. A device that is lost is opened again as soon as it is back. A parent that hangs or died is covered by the
slate; two seconds after its death the child leaves. Knows neither devices nor faces: the parent released the pictures.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from typing import Protocol

from live.output.parent import Parent
from live.pace import BackOff
from live.values import Pixels

LINGER_S = 2.0
"""How long the slate is shown after the parent's death."""
PATIENCE = 1.5
"""Periods until a picture is repeated: a camera's jitter is not a missing picture."""
RETRY_S = 0.5
"""A lost device is tried again at least this often."""
HANG_S = 5.0
"""A device that takes longer for one call hangs; a new child may have more luck, and no orphan stays."""


class ParentsTurnError(Exception):
    """The device came back otherwise than it was, and the parent has to decide."""


class Device(Protocol):
    """What shows pictures."""

    name: str

    def send(self, picture: Pixels) -> None:
        """Show one picture (bytes,). Raises: OSError when the device is gone."""

    def close(self) -> None:
        """Give the device back."""


class Projector:
    """Shows pictures on a device that may go and come back."""

    def __init__(
        self, parent: Parent, what: str, device: Device, reopen: Callable[[], Device], retry_s: float = RETRY_S
    ) -> None:
        """Args: what: the device, for messages; retry_s: a lost one is tried again at least this often."""
        self.what = what
        """For messages."""
        self._parent, self._reopen = parent, reopen
        self._device: Device | None = device
        self._back_off = BackOff(most_s=retry_s)

    def show(self, picture: Pixels) -> None:
        """Give the device a picture, if it is there or is back. Raises: ParentsTurnError."""
        if self._device is None and not self._returned():
            return
        assert self._device is not None
        try:
            self._device.send(picture)
        except OSError as error:
            self._parent.tell(note=f"{self.what} is lost ({said(error)}), trying to get it back")
            self.close()

    def close(self) -> None:
        """Give the device back."""
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(Exception):  # what is gone cannot be closed in order
                device.close()

    def _returned(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._back_off.due_s:
            return False
        try:
            self._device = self._reopen()
        except ParentsTurnError:
            raise
        except Exception:  # pyvirtualcam's backends raise what they like
            self._back_off.failed(now_s)
            return False
        self._back_off.worked()
        self._parent.tell(note=f"{self.what} is back ({self._device.name})")
        return True


def run(parent: Parent, projector: Projector) -> None:
    """Show pictures until the parent leaves. Raises: ParentsTurnError."""
    period_s = 1.0 / parent.settings["fps"]
    shown: Pixels | None = None
    due_s = 0.0
    silent_s: float | None = None
    while not parent.dismissed:
        _stay_alive()
        now_s = time.monotonic()
        fresh = parent.ring.take()
        shown = shown if fresh is None else fresh
        healthy = parent.healthy(now_s)
        if healthy and silent_s is not None:
            given = "was given nothing and showed the slate for"
            parent.tell(note=f"{projector.what} {given} {now_s - silent_s:.1f} s")
        silent_s = None if healthy or shown is None else silent_s or now_s
        if (fresh is not None and healthy) or now_s >= due_s:
            projector.show(shown if healthy and shown is not None else parent.ring.slate)
            due_s = now_s + period_s * (1.0 if fresh is None else PATIENCE)
        if parent.ended_s is not None and now_s - parent.ended_s > LINGER_S:
            break
        parent.wake.wait(max(0.0, due_s - time.monotonic()))
        parent.wake.clear()
    projector.show(parent.ring.slate)


def said(error: Exception) -> str:
    """An error's words in one line."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())


def _stay_alive() -> None:
    """Let the kernel end this process if it is not called again in time.

    A device's call may hold the interpreter's lock (pyvirtualcam opening one, FFmpeg connecting), so no thread of ours
    could.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
