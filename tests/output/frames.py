"""Frames for the output tests: noise, so that no two samples or pictures are alike."""

from __future__ import annotations

import numpy as np

from live.output.contract import Format
from live.pixels.host import plane_shapes
from live.values import Colour, Frame, PixelFormat


def noise(
    number: int,
    format: PixelFormat = PixelFormat.I420,
    width_px: int = 64,
    height_px: int = 48,
    media_s: float | None = None,
    colour: Colour | None = None,
) -> Frame:
    generator = np.random.default_rng(number)
    shapes = plane_shapes(format, width_px, height_px)
    planes = tuple(generator.integers(0, 256, shape, np.uint8) for shape in shapes)
    return Frame(planes, format, width_px, height_px, number / 25, number, media_s, colour or Colour())


def format_of(frame: Frame, *, live: bool = False, **more: object) -> Format:
    return Format(frame.width_px, frame.height_px, 25.0, frame.format, frame.colour, live, **more)  # type: ignore[arg-type]
