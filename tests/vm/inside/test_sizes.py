"""Sizes that do not fit: a reader that holds the device at another one, odd ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from live.output.contract import Output
from live.values import PixelFormat

from .pictures import Pictures, showing
from .v4l2 import reader_of

FPS = 20.0


def test_a_reader_that_stays_keeps_its_size_and_sees_the_next_run_in_it(
    live_device: str, open_live: Callable[..., Output]
) -> None:
    before, after = Pictures(PixelFormat.NV12, 320, 240, 4), Pictures(PixelFormat.YUYV, 640, 360, 1)
    after.frames[0].planes[0][..., 0], after.frames[0].planes[0][..., 1] = 180, 128
    output = open_live(before, FPS)
    with showing(output, before, FPS):
        reader = reader_of(live_device)
        reader.until(before.packed[2])
    output.close()
    with reader, showing(open_live(after, FPS), after, FPS):
        seen = (np.frombuffer(reader.read(), np.uint8)[: 320 * 240].reshape(240, 320) for _ in range(100))
        assert any(is_grey_between_bars(luma) for luma in seen)


def is_grey_between_bars(luma: np.ndarray) -> bool:
    """A grey 16:9 picture with black bars above and below, in 4:3."""
    bars = np.concatenate([luma[:28], luma[-28:]])
    return bool(np.all(np.abs(luma[32:-32].astype(int) - 180) <= 2) and np.all(bars <= 18))


@pytest.mark.on("0.12")
def test_an_odd_picture_loses_its_last_column_and_row(live_device: str, open_live: Callable[..., Output]) -> None:
    pictures = Pictures(PixelFormat.I420, 641, 481, 4)
    with showing(open_live(pictures, FPS), pictures, FPS), reader_of(live_device) as reader:
        assert (reader.width_px, reader.height_px, reader.fourcc) == (640, 480, "YU12")
        y, u, v = pictures.frames[1].planes
        reader.until(y[:480, :640].tobytes() + u[:240, :320].tobytes() + v[:240, :320].tobytes())
