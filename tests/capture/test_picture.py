from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from live.capture import picture
from live.capture.contract import Wanted
from live.errors import UsageError
from live.values import Frame, PixelFormat


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_picture_is_given_once_when_not_live(photo: Path) -> None:
    capture = picture.open(str(photo), Wanted(live=False))
    frame = capture.read()
    assert isinstance(frame, Frame)
    assert np.array_equal(frame.planes[0][:, :, ::-1], np.asarray(Image.open(photo)))
    assert capture.read() is None
    assert capture.info.frames == 1


def test_live_frames_come_at_the_wanted_rate_each_with_its_own_planes(photo: Path) -> None:
    capture = picture.open(str(photo), Wanted(fps=100))
    first = capture.read()
    assert isinstance(first, Frame)
    first.planes[0][:] = 0
    frames = [capture.read() for _ in range(5)]
    assert [frame.time_s - first.time_s for frame in frames if frame] == pytest.approx(np.arange(1, 6) / 100)
    assert time.monotonic() >= first.time_s + 0.05
    assert all(frame is not None and frame.planes[0].any() for frame in frames)


def test_wanted_size_and_format_are_honoured(photo: Path) -> None:
    capture = picture.open(str(photo), Wanted(width_px=128, height_px=72, format=PixelFormat.NV12))
    frame = capture.read()
    assert isinstance(frame, Frame)
    assert (frame.width_px, frame.height_px, frame.format) == (128, 72, PixelFormat.NV12)
    assert capture.info.notes == ("fitted from 64x48 into 128x72",)


def test_close_ends_a_waiting_read(photo: Path) -> None:
    capture = picture.open(str(photo), Wanted(fps=0.01))
    capture.read()
    ended: list[object] = []
    reader = threading.Thread(target=lambda: ended.append(capture.read()))
    reader.start()
    capture.close()
    reader.join(2.0)
    assert ended == [None]


def test_a_missing_picture_names_similar_ones(photo: Path) -> None:
    with pytest.raises(UsageError, match=r"in that folder is photo\.png"):
        picture.open(str(photo.with_suffix(".jpg")), Wanted())
