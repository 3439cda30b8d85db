"""Keys that work while another program has the keyboard.

X11 and Windows give a program the keys that it binds, and no others, without any library; macOS needs pynput (the extra
`hotkeys`) and a permission. Wayland gives them to nobody: what is offered there is `live ctl` in the desktop's own
settings. Each kind is imported when it is named.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

log = logging.getLogger(__name__)

Press = Callable[[str], None]
"""Takes the key as it is written in the preset."""


class Hotkeys(Protocol):
    """Hotkeys that are listened for."""

    def close(self) -> None:
        """Give the keys back. May be called twice."""
        ...


def listen(bound: Mapping[str, str], press: Press) -> Hotkeys | None:
    """Listen for the bound keys, in the background; says in a line which cannot be had, and why.

    Args: bound: command lines by key, as bindings.anywhere gives them.
    Returns: None where there are none to be had.
    """
    if not bound:
        return None
    if sys.platform == "win32":
        from live.control.hotkeys.windows import WindowsHotkeys

        return WindowsHotkeys(bound, press)
    if sys.platform == "darwin":
        return _listen_macos(bound, press)
    if os.environ.get("WAYLAND_DISPLAY"):
        log.info(
            "hotkeys: Wayland gives programs no keys while others have the keyboard; in the desktop's settings bind "
            "keys to commands like `live ctl panic` and `live ctl next-face`"
        )
        return None
    if not os.environ.get("DISPLAY"):
        log.debug("hotkeys: no display")
        return None
    from live.control.hotkeys.x11 import X11Hotkeys

    return X11Hotkeys(bound, press)


def _listen_macos(bound: Mapping[str, str], press: Press) -> Hotkeys | None:
    if importlib.util.find_spec("pynput") is None:
        log.info('hotkeys need pynput on macOS: pip install "live-faceswap[hotkeys]"; or bind `live ctl` in Shortcuts')
        return None
    from live.control.hotkeys.macos import MacHotkeys

    return MacHotkeys(bound, press)
