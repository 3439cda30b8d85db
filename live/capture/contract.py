"""What every capture promises. Knows nothing about who reads it.

One file per kind of capture; `live.capture.open_capture` finds the file for an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from live.values import Colour, Frame, PixelFormat, Sound


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked of a capture; 0 or None means: whatever it gives."""

    width_px: int = 0
    height_px: int = 0
    fps: float = 0.0
    format: PixelFormat | None = None
    live: bool = True
    """Files: True plays at the file's own rate and newest wins (`--pace real`), False gives every frame as fast as it
    is taken (`--pace max`). Cameras, screens, streams and the demo are always live."""
    loop: bool = False
    """Files and the demo: start over at the end."""


@dataclass(frozen=True, slots=True)
class CaptureInfo:
    """What was really obtained, checked by reading back or by the first frame."""

    name: str
    """For people: `camera "Logitech C920" (/dev/video0)`, `clip.mp4`."""
    width_px: int
    height_px: int
    fps: float
    """Nominal; measured where the device lies. 0 when it has none (a variable-rate stream)."""
    format: PixelFormat
    colour: Colour
    live: bool
    """True: newest wins, frames may be dropped. False: every frame counts, in order."""
    frames: int | None = None
    """How many frames there will be, where the container says so."""
    notes: tuple[str, ...] = ()
    """Lines the user should see: `asked for 1280x720 at 60, got 1280x720 at 30`."""
    sound: Any = None
    """`av.AudioStream` whose packets come as `Sound`, as template for a recording; None without sound."""
    again: str | None = None
    """Address under which the same device or sender can be opened again when it was lost; None: its end is the end."""
    media: dict[str, str] = field(default_factory=dict)
    """Container metadata worth keeping in a recording (title, ...)."""


class Capture(Protocol):
    """Where frames come from. Opened by its module's `open(rest, wanted)`, which undoes itself on failure."""

    info: CaptureInfo

    def read(self) -> Frame | Sound | None:
        """Block until the next frame (or packet of sound) is there; None at the end, and after `close`.

        Called from one thread. The frame's planes belong to the caller from then on. A capture that can wait long
        (camera, stream) returns or raises within 2 s of silence.

        Raises: CaptureError, one line, when the device or file fails; the capture may be closed then.
        """
        ...

    def close(self) -> None:
        """Free everything. May be called twice and from another thread; `read` then ends within 2 s."""
        ...
