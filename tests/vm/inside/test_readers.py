"""Programs that look: they come and go, two at once, slowly."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest

from live.output import open_output
from live.values import PixelFormat

from .pictures import Pictures, Show, showing
from .programs import OpenCV, PyAV, some_of
from .v4l2 import Reader, device_of, reader_of, until

FPS = 15.0
SIZE = (320, 240)

Shown = tuple[str, Pictures, Show]


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """The virtual camera while it shows numbered pictures of an odd size, which lose their last column and row."""
    device, pictures = device_of("live"), Pictures(PixelFormat.I420, SIZE[0] + 1, SIZE[1] + 1)
    output = open_output("virtualcam:live", pictures.format_at(FPS))
    with showing(output, pictures, FPS) as show:
        until(lambda: show.sent > 3, "pictures flow")
        yield device, pictures, show
    output.close()


def test_readers_leave_and_return(shown: Shown) -> None:
    device, pictures, _ = shown
    for program in (PyAV, OpenCV, PyAV, OpenCV):
        reader = program(device)
        assert (reader.width_px, reader.height_px, reader.fourcc) == (*SIZE, "YU12")
        pictures.check_order(pictures.numbers_of(some_of(reader, 4)))
        reader.close()


@pytest.mark.on("0.12", "0.12-open")
def test_two_readers_at_once_both_see_everything(shown: Shown) -> None:
    device, pictures, _ = shown
    meeting = PyAV(device)
    with reader_of(device) as recorder:
        some_of(meeting, 0)
        seen = [(meeting.read(), recorder.read()) for _ in range(8)]
    meeting.close()
    for numbers in (pictures.numbers_of(side) for side in zip(*seen, strict=True)):
        pictures.check_order(numbers)
        assert len(set(numbers)) > 3


@pytest.mark.on("0.15")
def test_the_driver_refuses_a_second_reader_and_the_first_one_notices_nothing(shown: Shown) -> None:
    device, pictures, _ = shown
    with reader_of(device) as first:
        numbers = pictures.numbers_of([first.read() for _ in range(4)])
        with pytest.raises(OSError, match="busy") as refused:
            Reader(device)
        assert refused.value.errno == errno.EBUSY
        numbers += pictures.numbers_of([first.read() for _ in range(4)])
    pictures.check_order(numbers)


@pytest.mark.on("0.12", "0.15")
def test_a_slow_reader_holds_nobody_up_and_sees_the_newest_pictures(shown: Shown) -> None:
    device, pictures, show = shown
    numbers = []
    with reader_of(device) as reader:
        for _ in range(4):
            enough = show.sent + round(FPS)
            until(partial(show.has_sent, enough), "a second's pictures are sent while nobody reads")
            number = pictures.numbers_of([reader.read() for _ in range(2)])[0]
            assert (show.sent - number) % pictures.count < 8, "an old picture"
            numbers.append(number)
    steps = [(after - before) % pictures.count for before, after in pairwise(numbers)]
    assert all(abs(step - FPS) < 10 for step in steps), numbers
