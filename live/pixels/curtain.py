"""What is shown instead of an unsafe frame: the slate, or the frame blurred beyond recognition."""

from __future__ import annotations

from functools import lru_cache

import cv2

from live.pixels import host
from live.pixels.slate import draw_slate
from live.values import Colour, Frame, PixelFormat, Pixels

BLUR_WIDTH_PX = 16
"""A blurred picture keeps so many columns: a face that fills a third of the frame is left with five."""


@lru_cache(maxsize=8)
def slate(width_px: int, height_px: int, format: PixelFormat, colour: Colour) -> Frame:
    """The slate in a size and format; times are 0. Shared: nobody writes into it."""
    picture = host.bgr_frame(draw_slate(width_px, height_px), time_s=0.0, number=0)
    return host.convert(Frame(picture.planes, PixelFormat.BGR, width_px, height_px, 0.0, 0, colour=colour), format)


def slate_like(frame: Frame) -> Frame:
    """The slate in the size and format of a frame."""
    return slate(frame.width_px, frame.height_px, frame.format, frame.colour)


def blurred(frame: Frame) -> Frame:
    """The frame as a smear of colours: nobody can be recognised in it, the light of the room can."""
    rows = max(2, round(BLUR_WIDTH_PX * frame.height_px / frame.width_px))
    small: Pixels = cv2.resize(host.to_bgr(frame), (BLUR_WIDTH_PX, rows), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (frame.width_px, frame.height_px), interpolation=cv2.INTER_CUBIC)
    picture = Frame(
        (large,),
        PixelFormat.BGR,
        frame.width_px,
        frame.height_px,
        frame.time_s,
        frame.number,
        frame.media_s,
        frame.colour,
    )
    return host.convert(picture, frame.format)
