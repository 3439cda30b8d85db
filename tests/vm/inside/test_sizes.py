"""A program that reads the device already when we begin holds it at its size and format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from live.output.contract import Output
from live.values import PixelFormat

from .pictures import Pictures, Writer, showing
from .v4l2 import reader_of

FPS = 20.0
WIDTH_PX, HEIGHT_PX = 320, 240


def test_a_reader_that_stays_keeps_its_size_and_sees_our_pictures_in_it(
    live_device: str, open_live: Callable[..., Output]
) -> None:
    ours = Pictures(PixelFormat.YUYV, 640, 360, 1)
    ours.frames[0].planes[0][..., 0], ours.frames[0].planes[0][..., 1] = 180, 128
    before = Writer(live_device, WIDTH_PX, HEIGHT_PX, "NV12")
    before.send(bytes(WIDTH_PX * HEIGHT_PX * 3 // 2))
    reader = reader_of(live_device)
    before.close()
    with reader, showing(open_live(ours, FPS), ours, FPS):
        seen = (np.frombuffer(reader.read(), np.uint8) for _ in range(100))
        assert any(
            is_grey_between_bars(picture[: WIDTH_PX * HEIGHT_PX].reshape(HEIGHT_PX, WIDTH_PX)) for picture in seen
        )


def is_grey_between_bars(luma: np.ndarray) -> bool:
    """A grey 16:9 picture with black bars above and below, in 4:3."""
    bars = np.concatenate([luma[:28], luma[-28:]])
    return bool(np.all(np.abs(luma[32:-32].astype(int) - 180) <= 2) and np.all(bars <= 18))
