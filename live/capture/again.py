"""A camera, screen or stream that comes back: when it is lost it is opened again, with back-off, until it is there.

Wraps any capture whose `info.again` names what to open. While nothing comes, `read` waits; what is shown meanwhile is
each output's decision. Knows nothing about devices.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from live.errors import CaptureError, LiveError
from live.latest import Mailbox
from live.pace import BackOff
from live.values import Frame, Sound

from .contract import Capture

log = logging.getLogger(__name__)

RETRY_S = 0.5
"""A lost device is tried again at least this often."""
REMIND_S = 10.0
"""A device that stays away is told again so often."""


class Again:
    """Reads a capture, and its successors."""

    def __init__(self, capture: Capture, reopen: Callable[[], Capture], *, endless: bool) -> None:
        """Args: reopen opens the same device once more or raises a LiveError, and may take long; endless True when
        the sender's orderly end is a loss too (somebody watches), False when it ends the run (a recording).
        """
        self.info = capture.info
        self._capture = capture
        self._reopen = reopen
        self._number = 0
        self._endless = endless
        self._closed = threading.Event()
        self._same_sound = True

    def read(self) -> Frame | Sound | None:
        """The next frame or packet of sound, numbered on; None only after `close` or at a true end."""
        while not self._closed.is_set():
            try:
                item = self._capture.read()
            except CaptureError as error:
                self._wait_for_return(str(error))
                continue
            if item is None and not self._endless:
                return None
            if item is None:
                self._wait_for_return(f"{self.info.name} ended")
            elif isinstance(item, Frame):
                number, self._number = self._number, self._number + 1
                return replace(item, number=number)
            elif self._same_sound:
                return item
        return None

    def close(self) -> None:
        """Free everything; `read` ends at once. May be called twice."""
        self._closed.set()
        self._capture.close()

    def _wait_for_return(self, why: str) -> None:
        """Open until it works or `close` is called."""
        if self._closed.is_set():
            return
        log.warning("%s; waiting for it to come back", why)
        self._capture.close()
        began_s = told_s = time.monotonic()
        back_off = BackOff(most_s=RETRY_S)
        while not self._closed.wait(max(0.0, back_off.due_s - time.monotonic())):
            capture = self._tried()
            now_s = time.monotonic()
            if capture is not None:
                self._adopt(capture)
                log.info("%s is back after %.1f s", capture.info.name, now_s - began_s)
                return
            back_off.failed(now_s)
            if now_s - told_s >= REMIND_S:
                told_s = now_s
                log.warning("%s is still away, for %.0f s now", self.info.name, now_s - began_s)

    def _tried(self) -> Capture | None:
        """One try, given up as soon as `close` is called: a driver or server may take long to answer."""
        opened: Mailbox[Capture] = Mailbox(1)
        threading.Thread(target=self._open_into, args=(opened,), name="reopening", daemon=True).start()
        while not self._closed.is_set() and not opened.finished:
            capture = opened.take(0.1)
            if capture is not None:
                return capture
        return None

    def _open_into(self, opened: Mailbox[Capture]) -> None:
        try:
            capture = self._reopen()
        except LiveError as error:
            log.debug("%s", error)
        else:
            if self._closed.is_set():
                capture.close()
            else:
                opened.put(capture)
        finally:
            opened.close()

    def _adopt(self, capture: Capture) -> None:
        self._capture = capture
        if self._closed.is_set():
            capture.close()
        before, now = self.info, capture.info
        if (before.width_px, before.height_px) != (now.width_px, now.height_px):
            log.info(
                "it now sends %dx%d instead of %dx%d", now.width_px, now.height_px, before.width_px, before.height_px
            )
        # A recording's soundtrack was made for the first stream's codec.
        self._same_sound = _sound_key(before.sound) == _sound_key(now.sound)


def _sound_key(sound: object) -> object:
    codec = getattr(sound, "codec_context", None)
    return codec and (codec.name, codec.sample_rate, bytes(codec.extradata or b""))
