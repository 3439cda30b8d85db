from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest

from live.capture import pattern
from live.capture.contract import Wanted
from live.capture.pattern import CYCLE, LEVELS, Card, planes_of
from live.capture.pattern import open as open_pattern
from live.errors import UsageError
from live.pixels.host import plane_shapes, to_bgr
from live.values import Frame, PixelFormat, Pixels

YUV = [format for format in PixelFormat if format not in (PixelFormat.BGR, PixelFormat.GRAY)]


def frames(count: int, **wanted: object) -> list[Frame]:
    capture = open_pattern("", Wanted(fps=240, **wanted))  # type: ignore[arg-type]
    found = [capture.read() for _ in range(count)]
    capture.close()
    assert capture.read() is None
    return [frame for frame in found if frame is not None]


@pytest.mark.parametrize("size", [(16, 16), (65, 49), (128, 48), (641, 360)], ids=str)
@pytest.mark.parametrize("format", list(PixelFormat))
def test_every_format_and_size_comes_as_it_was_asked_for(format: PixelFormat, size: tuple[int, int]) -> None:
    capture = open_pattern("", Wanted(*size, fps=240, format=format))
    width_px, height_px = size if format is not PixelFormat.YUYV else (size[0] // 2 * 2, size[1])
    info = capture.info
    assert (info.width_px, info.height_px, info.format, info.fps) == (width_px, height_px, format, 240)
    assert bool(info.notes) == ((width_px, height_px) != size)
    for number in range(CYCLE + 2):
        frame = capture.read()
        assert frame is not None
        assert [plane.shape for plane in frame.planes] == plane_shapes(format, width_px, height_px)
        assert same(frame.planes, planes_of(number, format, width_px, height_px))
    capture.close()


def same(planes: tuple[Pixels, ...], others: tuple[Pixels, ...]) -> bool:
    return all(np.array_equal(plane, other) for plane, other in zip(planes, others, strict=True))


def test_plain_it_is_nv12_of_1280x720_at_30() -> None:
    info = open_pattern("", Wanted()).info
    assert (info.width_px, info.height_px, info.fps, info.format) == (1280, 720, 30, PixelFormat.NV12)
    assert info.live
    assert not info.notes
    assert open_pattern("", Wanted(height_px=360)).info.width_px == 640
    assert open_pattern("", Wanted(width_px=640, live=False)).info.live


@pytest.mark.parametrize("format", list(PixelFormat))
def test_every_row_changes_from_picture_to_picture(format: PixelFormat) -> None:
    for number in range(2 * CYCLE):
        luma, next_luma = planes_of(number, format, 128, 72)[0], planes_of(number + 1, format, 128, 72)[0]
        assert (luma != next_luma).reshape(72, -1).any(axis=1).all()
    assert not same(planes_of(0, format, 128, 72), planes_of(CYCLE // 2, format, 128, 72))
    assert same(planes_of(3, format, 128, 72), planes_of(3 + 5 * CYCLE, format, 128, 72))


def test_the_ramp_runs_without_a_jump() -> None:
    size = (640, 360)
    strips = [planes_of(number, PixelFormat.GRAY, *size)[0][270].astype(int) for number in range(CYCLE + 1)]
    steps = [np.abs(after - before) for before, after in pairwise(strips)]
    step = 255 / (LEVELS - 1) * (4 * LEVELS / CYCLE / 2)
    assert all((np.sort(change)[: -4 * size[0] // 20] <= step + 1).all() for change in steps)  # but for the lines
    assert same(planes_of(0, PixelFormat.GRAY, *size), planes_of(CYCLE, PixelFormat.GRAY, *size))


@pytest.mark.parametrize("format", YUV)
def test_yuv_stays_within_video_range_and_shows_the_same_colours_as_bgr(format: PixelFormat) -> None:
    size = (640, 360)
    planes = planes_of(5, format, *size)
    luma = planes[0][..., 0] if format is PixelFormat.YUYV else planes[0]
    assert luma.min() == 16
    assert luma.max() == 235
    chroma = [planes[0][..., 1]] if format is PixelFormat.YUYV else planes[1:]
    assert all(plane.min() >= 16 and plane.max() <= 240 for plane in chroma)
    shown = to_bgr(Frame(planes, format, *size, 0.0, 5)).astype(int)
    (wanted,) = planes_of(5, PixelFormat.BGR, *size)
    # Scaled chroma smears the edges of the bars; everything else agrees to rounding.
    assert np.percentile(np.abs(shown - wanted).max(axis=2), 90) <= 4


def test_it_has_colours_and_greys() -> None:
    (picture,) = planes_of(0, PixelFormat.BGR, 1280, 720)
    colours = {tuple(colour) for colour in picture[100].tolist()}
    assert {(191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0), (191, 0, 191), (0, 0, 191)} <= colours
    assert {(0, 0, 0), (255, 255, 255)} <= {tuple(colour) for colour in picture[700].tolist()}


def test_frames_belong_to_the_reader() -> None:
    for frame in (first := frames(CYCLE + 1, width_px=64, height_px=48)):
        for plane in frame.planes:
            plane[...] = 7
    assert len(first) == CYCLE + 1
    assert same(frames(1, width_px=64, height_px=48)[0].planes, planes_of(0, PixelFormat.NV12, 64, 48))


def test_large_pictures_are_not_kept_and_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Card(PixelFormat.NV12, 640, 360)
    monkeypatch.setattr(pattern, "KEPT_BYTES", 1000)
    drawn = Card(PixelFormat.NV12, 640, 360)
    for number in range(CYCLE + 1):
        planes = drawn.planes(number)
        assert same(planes, kept.planes(number))
        planes[0][...] = 7


class Clock:
    """Time that passes only when somebody waits or says so."""

    def __init__(self, capture: pattern.PatternCapture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(pattern.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(capture._stop, "wait", self.wait)

    def wait(self, timeout_s: float) -> bool:
        self.now_s += timeout_s
        return False


def test_pictures_come_on_an_absolute_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = open_pattern("", Wanted(64, 48, fps=30))
    clock = Clock(capture, monkeypatch)
    for number in range(3000):
        frame = capture.read()
        assert frame is not None
        assert (frame.number, frame.time_s) == (number, pytest.approx(1000 + number / 30, abs=1e-9))
        assert clock.now_s >= frame.time_s - 1e-9
        clock.now_s += 0.001 * (number % 30)  # a reader that is busy, but in time


def test_a_late_reader_gets_the_next_picture_at_once_and_the_schedule_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = open_pattern("", Wanted(64, 48, fps=10))
    clock = Clock(capture, monkeypatch)
    assert capture.read() is not None
    clock.now_s += 0.537
    got = [capture.read() for _ in range(3)]
    assert [(frame.number, round(frame.time_s, 6)) for frame in got if frame] == [(1, 1000.5), (2, 1000.6), (3, 1000.7)]
    assert clock.now_s == pytest.approx(1000.7)


def test_close_ends_a_waiting_read() -> None:
    capture = open_pattern("", Wanted(64, 48, fps=0.01))
    assert capture.read() is not None
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.append(capture.read()))
    reader.start()
    capture.close()
    reader.join(2.0)
    assert got == [None]


@pytest.mark.parametrize(
    ("rest", "wanted", "words"),
    [
        ("bars", Wanted(), "takes nothing after the colon, got 'bars'"),
        ("", Wanted(8, 8), "8x8; ask for 16 to 8192"),
        ("", Wanted(9000, 720), "9000x720"),
        ("", Wanted(fps=500), "500 fps; more than 0 and up to 240"),
        ("", Wanted(fps=-1), "-1 fps"),
    ],
)
def test_what_cannot_be_is_one_line(rest: str, wanted: Wanted, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_pattern(rest, wanted)
