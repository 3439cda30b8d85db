import numpy as np
import pytest

from live.pixels.host import bgr_frame, convert, to_bgr
from live.pixels.mirror import mirrored
from live.values import PixelFormat


@pytest.mark.parametrize("format", list(PixelFormat))
def test_left_and_right_change_places_in_every_format(format):
    rng = np.random.default_rng(0)
    blocks = rng.integers(40, 210, (6, 8, 3), np.uint8)
    bgr = np.repeat(np.repeat(blocks, 8, 0), 8, 1)
    frame = convert(bgr_frame(bgr, time_s=1.0, number=3), format)
    before = [plane.copy() for plane in frame.planes]
    turned = mirrored(frame)
    assert (turned.format, turned.number, turned.time_s) == (format, 3, 1.0)
    assert np.abs(to_bgr(turned).astype(int) - to_bgr(frame)[:, ::-1]).max() <= 1
    for plane, old in zip(frame.planes, before, strict=True):
        assert np.array_equal(plane, old)
        assert not any(np.shares_memory(plane, new) for new in turned.planes)
    for plane, old in zip(mirrored(turned).planes, before, strict=True):
        assert np.array_equal(plane, old)
