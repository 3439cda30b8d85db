"""Hotkeys on macOS by pynput, which asks the system for the permission to see keys. Untested on a real Mac so far."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

NAMES = {"super": "cmd", "enter": "enter", "escape": "esc", "pageup": "page_up", "pagedown": "page_down"}


def written(key: str) -> str:
    """A key as pynput writes it: `<ctrl>+<alt>+n`."""
    parts = key.split("+") if key != "+" else ["+"]
    return "+".join(part if len(part) == 1 else f"<{NAMES.get(part, part)}>" for part in parts)


class MacHotkeys:
    """The keys of one desktop."""

    def __init__(self, bound: Mapping[str, str], press: Callable[[str], None]) -> None:
        keyboard: Any = importlib.import_module("pynput.keyboard")
        self._listener = keyboard.GlobalHotKeys({written(key): partial(press, key) for key in bound})
        self._listener.start()

    def close(self) -> None:
        """Stop listening. May be called twice."""
        self._listener.stop()
