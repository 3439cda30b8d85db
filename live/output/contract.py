"""What every output promises. Knows nothing about privacy or marking: pictures that arrive here are ready to be shown.

One file per kind of output; `live.output.open_output` finds the file for an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from live.values import Colour, Frame, PixelFormat, Sound

COLOUR_TAGS = {"bt601": (6, 6, 6), "bt709": (1, 1, 1)}
"""Matrix -> H.273 code points of matrix, primaries and transfer (6: SMPTE 170M). Untagged, programs guess."""
SMALLEST_PX, LARGEST_PX = 16, 8192
"""Sides of pictures that cameras and streams have."""
FPS = 30.0
"""Rate at which a live picture is repeated when the input names none."""


@dataclass(frozen=True, slots=True)
class Format:
    """What the pictures will be like. Later frames may differ in size or format: the output fits them, letterboxed."""

    width_px: int
    height_px: int
    fps: float
    """Nominal rate; 0 when the input has none (then timing follows the frames' own times)."""
    pixels: PixelFormat
    colour: Colour
    live: bool
    """True: frames come in real time and late ones were dropped. False: every frame of a file, in order."""
    sound: Any = None
    """`av.AudioStream` to use as template for sound, or None."""
    media: dict[str, str] = field(default_factory=dict)

    @property
    def even_px(self) -> tuple[int, int]:
        """Width and height without an odd last column or row, which cameras and 4:2:0 do not have."""
        return self.width_px - self.width_px % 2, self.height_px - self.height_px % 2

    @property
    def repeat_fps(self) -> float:
        """The rate at which the last picture is repeated while none comes."""
        return self.fps if 1 <= self.fps <= 240 else FPS


class Output(Protocol):
    """Where pictures go. Opened by its module's `open(rest, format)`, which undoes itself on failure."""

    name: str
    """For people: `virtual camera "live" (/dev/video10)`, `file out.mp4`."""
    live: bool
    """True: somebody watches now, a late picture is worthless and the last one is repeated when none comes.
    False: a recording; exactly one picture per frame, times from the frames."""
    keys: Any = None
    """`queue.Queue[str]` of keys pressed in the output's own window, or None."""

    def send(self, frame: Frame) -> None:
        """Give one picture; blocks while the device takes it. Called from one thread; planes are read, never written.

        Raises: OutputError, one line, when the device is gone or full; `close` is called next.
        """
        ...

    def sound(self, sound: Sound) -> None:
        """Give one packet of the input's sound. Outputs without sound ignore it. Same thread as `send`."""
        ...

    def close(self) -> None:
        """Finish (files become playable) and free everything. May be called twice.

        Raises: OutputError when finishing fails; everything is freed all the same.
        """
        ...
