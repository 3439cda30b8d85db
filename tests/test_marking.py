from __future__ import annotations

import numpy as np
import pytest

from live.marking import Badge, mark
from live.pixels import host
from live.values import PixelFormat


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("format", list(PixelFormat))
def test_the_badge_stands_in_its_corner_and_nowhere_else(corner: str, format: PixelFormat) -> None:
    grey = host.bgr_frame(np.full((360, 640, 3), 128, np.uint8), time_s=0, number=0)
    frame = host.convert(grey, format)
    before = host.to_bgr(host.duplicate(frame)).astype(int)
    mark(frame, Badge("face swapped", corner))
    rows, columns = np.nonzero(np.abs(host.to_bgr(frame) - before).max(axis=2) > 8)
    assert rows.size > 500
    assert (rows.max() < 60) if corner.startswith("top") else (rows.min() > 300)
    assert (columns.max() < 260) if corner.endswith("left") else (columns.min() > 380)


def test_a_tiny_frame_is_left_as_it_is() -> None:
    frame = host.bgr_frame(np.full((32, 32, 3), 128, np.uint8), time_s=0, number=0)
    mark(frame, Badge("face swapped"))
    assert np.ptp(frame.planes[0]) == 0
