"""The process that grabs keys on X11 and writes a line for each press: `pressed ctrl+alt+n`.

Also `ready`, `taken KEY` for a key that belongs to another program or is not on this keyboard, `failed WHY`. Ends when
its standard input does. Uses libX11 as every X desktop has it; only grabbed keys ever arrive here.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
from collections.abc import Sequence
from ctypes import CDLL, POINTER, Structure, Union, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

MODIFIERS = {"shift": 1 << 0, "ctrl": 1 << 2, "alt": 1 << 3, "super": 1 << 6}
LOCKS = (0, 1 << 1, 1 << 4, 1 << 1 | 1 << 4)
"""Caps Lock and Num Lock count as modifiers in a grab: each key is grabbed with and without."""
GRAB_ASYNC, KEY_PRESS, KEY_RELEASE, MAPPING_NOTIFY = 1, 2, 3, 34
NAMES = {"enter": "Return", "escape": "Escape", "pageup": "Prior", "pagedown": "Next", "backspace": "BackSpace"}
NAMES |= {name: name.capitalize() for name in ("tab", "left", "right", "up", "down", "home", "end", "insert", "delete")}
NAMES |= {"pause": "Pause", "print": "Print", **{f"f{number}": f"F{number}" for number in range(1, 25)}}


class KeyEvent(Structure):
    """XKeyEvent of X11/Xlib.h."""

    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("window", c_ulong),
        ("root", c_ulong), ("subwindow", c_ulong), ("time", c_ulong), ("x", c_int), ("y", c_int), ("x_root", c_int),
        ("y_root", c_int), ("state", c_uint), ("keycode", c_uint), ("same_screen", c_int),
    )  # fmt: skip


class Event(Union):
    """XEvent of X11/Xlib.h."""

    _fields_ = (("type", c_int), ("key", KeyEvent), ("pad", c_long * 24))


ErrorHandler = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)


def load() -> CDLL:
    """Load libX11 with the signatures that are used. Raises: OSError where it is missing."""
    library = ctypes.CDLL("libX11.so.6")
    library.XOpenDisplay.restype, library.XOpenDisplay.argtypes = c_void_p, [c_char_p]
    library.XDefaultRootWindow.restype, library.XDefaultRootWindow.argtypes = c_ulong, [c_void_p]
    library.XStringToKeysym.restype, library.XStringToKeysym.argtypes = c_ulong, [c_char_p]
    library.XKeysymToKeycode.restype, library.XKeysymToKeycode.argtypes = ctypes.c_ubyte, [c_void_p, c_ulong]
    library.XGrabKey.argtypes = [c_void_p, c_int, c_uint, c_ulong, c_int, c_int, c_int]
    library.XUngrabKey.argtypes = [c_void_p, c_int, c_uint, c_ulong]
    library.XSync.argtypes = [c_void_p, c_int]
    library.XPending.argtypes = [c_void_p]
    library.XNextEvent.argtypes = [c_void_p, POINTER(Event)]
    library.XConnectionNumber.argtypes = [c_void_p]
    library.XkbSetDetectableAutoRepeat.argtypes = [c_void_p, c_int, c_void_p]
    library.XRefreshKeyboardMapping.argtypes = [POINTER(Event)]
    library.XCloseDisplay.argtypes = [c_void_p]
    library.XSetErrorHandler.argtypes, library.XSetErrorHandler.restype = [ErrorHandler], c_void_p
    return library


class Grabs:
    """The grabbed keys of one display."""

    def __init__(self, library: CDLL, display: int) -> None:
        self._x, self._display, self._root = library, display, library.XDefaultRootWindow(display)
        self._refused = False
        self._handler = ErrorHandler(self._refuse)  # kept: the library calls it later
        library.XSetErrorHandler(self._handler)
        self._keys: dict[tuple[int, int], str] = {}
        self._down: set[int] = set()
        library.XkbSetDetectableAutoRepeat(display, 1, None)

    def grab(self, key: str) -> bool:
        """Grab a key as presets write it, whatever the locks. False when it cannot be had."""
        *modifiers, name = key.split("+") if key != "+" else ["+"]
        mask = sum(MODIFIERS[modifier] for modifier in modifiers)
        code = self._code(name)
        self._refused = not code
        if code:
            for lock in LOCKS:
                self._x.XGrabKey(self._display, code, mask | lock, self._root, 0, GRAB_ASYNC, GRAB_ASYNC)
            self._x.XSync(self._display, 0)
        if self._refused:
            for lock in LOCKS if code else ():
                self._x.XUngrabKey(self._display, code, mask | lock, self._root)
            return False
        self._keys[code, mask] = key
        return True

    def pressed(self) -> list[str]:
        """The keys that were pressed since the last call; one that is held down counts once."""
        found, event = [], Event()
        while self._x.XPending(self._display):
            self._x.XNextEvent(self._display, byref(event))
            if event.type == KEY_RELEASE:
                self._down.discard(event.key.keycode)
            elif event.type == KEY_PRESS and event.key.keycode not in self._down:
                self._down.add(event.key.keycode)
                mask = event.key.state & sum(MODIFIERS.values())
                found.append(self._keys.get((event.key.keycode, mask), ""))
            elif event.type == MAPPING_NOTIFY:
                self._x.XRefreshKeyboardMapping(byref(event))
        return [key for key in found if key]

    def _code(self, name: str) -> int:
        symbol = self._x.XStringToKeysym(NAMES.get(name, name).encode())
        if not symbol and len(name) == 1:
            symbol = ord(name) if ord(name) < 0x100 else 0x0100_0000 + ord(name)  # Latin-1 and Unicode keysyms
        return int(self._x.XKeysymToKeycode(self._display, symbol)) if symbol else 0

    def _refuse(self, display: int, event: int) -> int:
        """Note an error instead of ending the process: another program has the key."""
        self._refused = True
        return 0


def main(keys: Sequence[str]) -> int:
    """Grab the keys and tell of them until the standard input ends."""
    try:
        library = load()
    except OSError:
        _tell("failed libX11 is not here (Debian: apt install libx11-6)")
        return 1
    display = library.XOpenDisplay(None)
    if not display:
        _tell(f"failed the display {os.environ.get('DISPLAY', '')} cannot be opened")
        return 1
    grabs = Grabs(library, display)
    for key in keys:
        if not grabs.grab(key):
            _tell(f"taken {key}")
    _tell("ready")
    connection = library.XConnectionNumber(display)
    while True:
        for key in grabs.pressed():
            _tell(f"pressed {key}")
        ready, _, _ = select.select([connection, sys.stdin], [], [])
        if sys.stdin in ready:
            library.XCloseDisplay(display)
            return 0


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
