"""The child process that owns the preview window: `python -m live.output.window_child`.

Shows the newest picture, tells the parent which keys are pressed, shows the slate while the parent hangs and leaves
when it dies. Knows no meaning of a key.
"""

from __future__ import annotations

import sys
import time

import cv2

from live.output.parent import Parent
from live.values import Pixels

ROOM_PX = (1280, 720)
"""A window opens no larger than this; people can resize it."""
TURN_S = 0.01
"""How often keys and the window's own events are looked at."""

NAMES = {8: "backspace", 9: "tab", 10: "enter", 13: "enter", 27: "escape", 32: "space", 127: "delete"}
WIDE_NAMES = {
    "linux": {65361: "left", 65362: "up", 65363: "right", 65364: "down", 65365: "page up", 65366: "page down",
              65288: "backspace", 65289: "tab", 65293: "enter", 65307: "escape", 65535: "delete",
              **{65469 + number: f"f{number}" for number in range(1, 13)}},
    "win32": {0x250000: "left", 0x260000: "up", 0x270000: "right", 0x280000: "down", 0x210000: "page up",
              0x220000: "page down", 0x2E0000: "delete", **{(0x6F + n) << 16: f"f{n}" for n in range(1, 13)}},
    "darwin": {63232: "up", 63233: "down", 63234: "left", 63235: "right", 63276: "page up", 63277: "page down",
               **{63235 + number: f"f{number}" for number in range(1, 13)}},
}  # fmt: skip
"""waitKeyEx's codes: X keysyms, Windows virtual keys, macOS function-key characters."""


def key_name(code: int, platform: str = sys.platform) -> str | None:
    """The name of a pressed key: a lower-case letter, digit or sign, or a word; None for keys without a name."""
    wide = WIDE_NAMES.get(platform, {}).get(code & 0xFFFFFF if platform == "win32" else code & 0xFFFF)
    if wide is not None:
        return wide
    if code & 0xFF00 and platform != "win32":
        return None
    plain = code & 0xFF
    return NAMES.get(plain) or (chr(plain).lower() if 32 < plain < 127 else None)


def run(parent: Parent) -> int:
    """Show pictures until the parent leaves or the window is closed. Returns the exit code."""
    title = parent.settings["title"]
    shape = (parent.settings["height_px"], parent.settings["width_px"], 3)
    shown: Pixels | None = None
    on_slate = True
    cv2.imshow(title, parent.ring.slate.reshape(shape))
    while not parent.dismissed and parent.ended_s is None:
        fresh = parent.ring.take()
        shown = shown if fresh is None else fresh
        safe = shown is not None and parent.healthy(time.monotonic())
        if (fresh is not None and safe) or on_slate == safe:
            picture = shown if safe and shown is not None else parent.ring.slate
            cv2.imshow(title, picture.reshape(shape))
            on_slate = not safe
        pressed = cv2.waitKeyEx(1)
        name = key_name(pressed) if pressed >= 0 else None
        if name is not None:
            parent.tell(key=name)
        if _is_closed(title):
            parent.tell(key="q")
            parent.tell(gone="the window was closed")
            return 0
        parent.wake.wait(TURN_S)
        parent.wake.clear()
    cv2.destroyAllWindows()
    return 0


def _is_closed(title: str) -> bool:
    """True when people closed the window. Qt raises then, the other toolkits answer 0."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:
        return True


def main() -> int:
    """Open the window, tell the parent, show pictures."""
    parent = Parent()
    try:
        width_px, height_px, title = (parent.settings[key] for key in ("width_px", "height_px", "title"))
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        scale = min(1.0, ROOM_PX[0] / width_px, ROOM_PX[1] / height_px)
        cv2.resizeWindow(title, max(160, round(width_px * scale)), max(120, round(height_px * scale)))
    except Exception as error:
        parent.tell(error="the window cannot be opened: " + " ".join(str(error).split()))
        parent.ring.close()
        return 1
    parent.tell(open={})
    try:
        return run(parent)
    except Exception as error:
        parent.tell(gone="the window is gone: " + " ".join(str(error).split()))
        return 1
    finally:
        parent.ring.close()


if __name__ == "__main__":
    sys.exit(main())
