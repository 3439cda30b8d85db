"""Hotkeys on Windows: RegisterHotKey and a message loop on a thread of its own. Untested on a real Windows so far.

Source: Microsoft, RegisterHotKey (winuser.h). Only registered keys ever arrive here.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

MODIFIERS = {"alt": 0x1, "ctrl": 0x2, "shift": 0x4, "super": 0x8}
NO_REPEAT, HOTKEY, QUIT = 0x4000, 0x0312, 0x0012
NAMED = {"space": 0x20, "enter": 0x0D, "tab": 0x09, "escape": 0x1B, "left": 0x25, "up": 0x26, "right": 0x27}
NAMED |= {"down": 0x28, "home": 0x24, "end": 0x23, "pageup": 0x21, "pagedown": 0x22, "insert": 0x2D, "delete": 0x2E}
NAMED |= {"backspace": 0x08, "pause": 0x13, "print": 0x2C, **{f"f{number}": 0x6F + number for number in range(1, 25)}}
END_S = 1.0


def code_of(key: str) -> tuple[int, int] | None:
    """Modifiers and virtual key of a key as presets write it; None for one that Windows numbers by layout only."""
    *modifiers, name = key.split("+") if key != "+" else ["+"]
    mask = sum(MODIFIERS[modifier] for modifier in modifiers)
    if name in NAMED:
        return mask, NAMED[name]
    if len(name) == 1 and name.isascii() and name.isalnum():
        return mask, ord(name.upper())
    return None


class WindowsHotkeys:
    """The keys of one desktop."""

    def __init__(self, bound: Mapping[str, str], press: Callable[[str], None]) -> None:
        self._bound, self._press = dict(bound), press
        self._id = 0
        self._thread = threading.Thread(target=self._listen, name="hotkeys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the keys back. May be called twice."""
        if self._id:
            _user32().PostThreadMessageW(self._id, QUIT, 0, 0)
        self._thread.join(END_S)

    def _listen(self) -> None:
        """Register on this thread, which then gets the messages."""
        user32, keys = _user32(), list(self._bound)
        for number, key in enumerate(keys, 1):
            code = code_of(key)
            if code is None or not user32.RegisterHotKey(None, number, code[0] | NO_REPEAT, code[1]):
                log.warning("hotkey %s (%s) cannot be had; bind another key: keys.anywhere", key, self._bound[key])
        self._id = threading.get_native_id()
        from ctypes import wintypes

        message = wintypes.MSG()
        while user32.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
            if message.message == HOTKEY and 1 <= message.wParam <= len(keys):
                self._press(keys[message.wParam - 1])
        for number in range(1, len(keys) + 1):
            user32.UnregisterHotKey(None, number)


def _user32() -> Any:
    return ctypes.windll.user32  # type: ignore[attr-defined]
