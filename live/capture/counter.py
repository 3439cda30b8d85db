"""Number and capture time burnt into the picture, for measuring: what left the capture is told by the picture itself.

Sixteen by six blocks of black and white at the top left: number (32 bits), monotonic microseconds (48 bits), a check
sum (16 bits). Blocks of 8 px fill the blocks that JPEG and H.264 transform, and stay even after chroma was halved.
Knows pixel formats; knows nothing about who decodes. Imports neither OpenCV nor PyAV.
"""

from __future__ import annotations

import binascii
import logging

import numpy as np

from live.errors import UsageError
from live.values import Frame, PixelFormat, Pixels, Sound

from .contract import Capture

log = logging.getLogger(__name__)

COLUMNS, ROWS, BLOCK_PX = 16, 6, 8
WIDTH_PX, HEIGHT_PX = COLUMNS * BLOCK_PX, ROWS * BLOCK_PX  # 128, 48
"""What the counter covers, and the smallest picture that can carry it."""
BLACK, WHITE, NEUTRAL = 16, 235, 128
MIDDLE, DOUBTFUL = 125.5, 30.0
"""A block whose mean is so near to the middle is neither black nor white. Full range and back moves one by 17."""
NUMBERS, MICROSECONDS = 2**32, 2**48
CRC_START = 0xFFFF
"""Not 0: all blocks black or all white must not be a number."""


class Counted:
    """A capture whose frames carry their number and time. The promises of `live.capture.contract` stay as they are."""

    def __init__(self, capture: Capture) -> None:
        """Take over a capture. Raises: UsageError when its pictures are too small; the capture is then closed."""
        info = capture.info
        if info.width_px < WIDTH_PX or info.height_px < HEIGHT_PX:
            capture.close()
            raise UsageError(
                f"the counter needs pictures of at least {WIDTH_PX}x{HEIGHT_PX}, {info.name} gives "
                f"{info.width_px}x{info.height_px}; ask for larger ones or turn it off with --set capture.counter=false"
            )
        self._capture = capture
        self.info = info
        log.info("a counter is burnt into the top left corner of every picture (capture.counter)")

    def read(self) -> Frame | Sound | None:
        """The capture's next frame with the counter in it, or whatever else it gives."""
        item = self._capture.read()
        if isinstance(item, Frame) and item.width_px >= WIDTH_PX and item.height_px >= HEIGHT_PX:
            burn(item)
        return item

    def close(self) -> None:
        """Close the capture."""
        self._capture.close()


def burn(frame: Frame) -> None:
    """Write a frame's number and time into its picture, in place.

    Args: frame of at least WIDTH_PX x HEIGHT_PX, any format; what wraps around is the number at 2**32 and the time at
    nine years.
    """
    first, area = frame.planes[0], np.s_[:HEIGHT_PX, :WIDTH_PX]
    blocks = _blocks(frame.number, frame.time_s)
    if frame.format is PixelFormat.BGR:
        first[area] = blocks[..., None]
        return
    if frame.format is PixelFormat.YUYV:
        first[area][..., 0] = blocks
        first[area][..., 1] = NEUTRAL
        return
    first[area] = blocks
    for chroma in frame.planes[1:]:
        down, across = (2 if small < large else 1 for small, large in zip(chroma.shape, first.shape))
        chroma[: HEIGHT_PX // down, : WIDTH_PX // across] = NEUTRAL


def decode(luma: Pixels) -> tuple[int, float] | None:
    """Read a counter.

    Args: luma (H, W) of the whole picture or of its top left corner, video or full range; of RGB the green plane.
    Returns: the frame's number and time_s (monotonic); None when the picture carries no counter or a damaged one.
    """
    if luma.shape[0] < HEIGHT_PX or luma.shape[1] < WIDTH_PX:
        return None
    blocks = luma[:HEIGHT_PX, :WIDTH_PX].reshape(ROWS, BLOCK_PX, COLUMNS, BLOCK_PX)
    # The middle of each block: lossy codecs and scaled chroma smear its edges.
    means = blocks[:, 2:6, :, 2:6].mean(axis=(1, 3)) - MIDDLE  # (ROWS, COLUMNS)
    if np.abs(means).min() < DOUBTFUL:
        return None
    content = np.packbits(means > 0).tobytes()
    body, check = content[:-2], content[-2:]
    if binascii.crc_hqx(body, CRC_START) != int.from_bytes(check, "big"):
        return None
    return int.from_bytes(body[:4], "big"), int.from_bytes(body[4:], "big") / 1e6


def _blocks(number: int, time_s: float) -> Pixels:
    """(HEIGHT_PX, WIDTH_PX) of BLACK and WHITE."""
    microseconds = round(time_s * 1e6) % MICROSECONDS
    body = (number % NUMBERS).to_bytes(4, "big") + microseconds.to_bytes(6, "big")
    content = body + binascii.crc_hqx(body, CRC_START).to_bytes(2, "big")
    bits = np.unpackbits(np.frombuffer(content, np.uint8)).reshape(ROWS, COLUMNS)
    levels = bits * np.uint8(WHITE - BLACK) + np.uint8(BLACK)
    return levels.repeat(BLOCK_PX, axis=0).repeat(BLOCK_PX, axis=1)
