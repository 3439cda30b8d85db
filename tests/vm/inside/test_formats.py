"""Size, format, rate and every bit of the pictures, as PyAV, OpenCV and ffmpeg see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest

from live.output import open_output
from live.values import PixelFormat

from . import machine
from .pictures import Pictures, showing
from .programs import Ffmpeg, OpenCV, Program, PyAV, some_of
from .v4l2 import device_of, reader_of, until

FPS = 15.0
SIZE = (320, 240)
SOME = 12
NATIVE = {"nv12": PixelFormat.NV12, "yuyv": PixelFormat.YUYV}
ASKED = {"rgb": "RGB3", "bgr": "BGR3"}
"""What the address asks for -> what the device shall say."""
FORMATS = {"0.12": ["nv12", "yuyv", "bgr"], "0.15": ["nv12", "rgb"]}
"""`test_readers.py` does the same with I420 on all machines, `test_session.py` with YUYV on 0.15."""

pytestmark = pytest.mark.on(*FORMATS)


@dataclass(frozen=True)
class Shown:
    """The virtual camera while it shows numbered pictures of a format."""

    device: str
    pictures: Pictures
    fps: float
    """As the device said before anybody but us touched it: OpenCV sets every camera to 30."""


@pytest.fixture(scope="module", params=FORMATS.get(machine.NAME, []))
def shown(request: pytest.FixtureRequest) -> Iterator[Shown]:
    name = request.param
    pictures = Pictures(NATIVE.get(name, PixelFormat.BGR), *SIZE, fourcc=ASKED.get(name, ""))
    address = f"virtualcam:live?format={name}" if name in ASKED else "virtualcam:live"
    output = open_output(address, pictures.format_at(FPS))
    with showing(output, pictures, FPS) as show:
        until(lambda: show.sent > 3, "pictures flow")
        with reader_of(device_of("live")) as reader:
            fps = reader.fps
        yield Shown(device_of("live"), pictures, fps)
    output.close()


def check(shown: Shown, program: type[Program]) -> Program:
    """Read pictures by a program: size, format, order and every bit of them are right."""
    reader = program(shown.device)
    try:
        numbers = shown.pictures.numbers_of(some_of(reader, SOME))
    finally:
        reader.close()
    assert (reader.width_px, reader.height_px) == SIZE
    assert reader.fourcc == shown.pictures.fourcc
    shown.pictures.check_order(numbers)
    assert len(set(numbers)) > SOME // 3, f"the same pictures again and again: {numbers}"
    return reader


def test_the_device_tells_the_rate_of_the_input(shown: Shown) -> None:
    assert shown.fps == FPS


def test_every_bit_arrives_in_order_in_pyav(shown: Shown) -> None:
    reader = check(shown, PyAV)
    assert isinstance(reader, PyAV)
    assert all(after > before for before, after in pairwise(reader.times_s))


def test_every_bit_arrives_in_order_in_opencv(shown: Shown) -> None:
    check(shown, OpenCV)


@pytest.mark.on("0.12")
@pytest.mark.parametrize("shown", ["nv12"], indirect=True)
def test_every_bit_arrives_in_order_in_ffmpeg(shown: Shown) -> None:
    check(shown, Ffmpeg)


@pytest.mark.parametrize("shown", ["nv12"], indirect=True)
def test_numbers_and_times_of_the_driver_rise_at_the_rate_of_the_input(shown: Shown) -> None:
    with reader_of(shown.device) as reader:
        taken = [taken for _ in range(2 * SOME) if (taken := reader.take())]
    shown.pictures.check_order(shown.pictures.numbers_of([picture.bytes for picture in taken]))
    assert all(after.sequence > before.sequence for before, after in pairwise(taken))
    intervals_s = [after.time_s - before.time_s for before, after in pairwise(taken)]
    assert min(intervals_s) > 0
    assert 0.7 / FPS < median(intervals_s) < 1.5 / FPS
