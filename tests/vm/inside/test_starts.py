"""Start after start on the same device, whatever happened to the one before."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from live.capture.devices import list_cameras
from live.errors import OutputError
from live.output.contract import Output
from live.values import PixelFormat

from . import machine
from .pictures import Pictures, Show, Writer, showing, slate_of
from .processes import Program, children, kill_child
from .v4l2 import CAPTURE, OUTPUT, capabilities, device_of, reader_of, until

FED, IDLE = {CAPTURE}, {OUTPUT}
"""With exclusive_caps=1."""
FPS = 20.0
SIZE = (320, 240)


def check_it_shows(device: str, output: Output, pictures: Pictures) -> None:
    """Pictures that the output is given come out of the device; it is a camera then."""
    with showing(output, pictures, FPS), reader_of(device) as reader:
        reader.until(pictures.packed[5])
        pictures.check_order(pictures.numbers_of([reader.read() for _ in range(8)]))
        assert capabilities(device) == FED


@pytest.mark.on("0.12-open")
def test_without_exclusive_caps_a_device_is_always_both() -> None:
    spare = device_of("spare")
    assert capabilities(spare) == {CAPTURE, OUTPUT}
    writer = Writer(spare, *SIZE, "YUYV")
    writer.send(bytes(320 * 240 * 2))
    assert capabilities(spare) == {CAPTURE, OUTPUT}
    writer.close()
    assert capabilities(spare) == {CAPTURE, OUTPUT}


@pytest.mark.on("0.12")
def test_every_start_works_and_the_device_is_a_camera_only_while_it_is_fed(
    live_device: str, open_live: Callable[..., Output]
) -> None:
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    assert capabilities(live_device) == IDLE

    first = open_live(pictures, FPS)
    check_it_shows(live_device, first, pictures)
    first.close()
    assert capabilities(live_device) == IDLE

    second = open_live(pictures, FPS)
    check_it_shows(live_device, second, pictures)
    kill_child()
    second.close()
    assert capabilities(live_device) == IDLE

    check_it_shows(live_device, open_live(pictures, FPS), pictures)


@pytest.mark.on("0.12")
def test_the_driver_serves_one_session_only_when_nobody_says_streamon() -> None:
    """The fault our output works around is there: without this the case above would prove nothing."""
    spare, picture = device_of("spare"), bytes(320 * 240 * 2)
    writer = Writer(spare, *SIZE, "YUYV", streamon=False)
    writer.send(picture)
    writer.close()
    assert OUTPUT not in capabilities(spare)
    machine.make_usable(spare)
    assert OUTPUT in capabilities(spare)
    writer = Writer(spare, *SIZE, "YUYV")
    writer.send(picture)
    writer.close()
    assert OUTPUT in capabilities(spare)


@pytest.mark.on("0.12")
def test_a_device_left_unusable_by_another_program_is_usable_for_us(
    live_device: str, open_live: Callable[..., Output]
) -> None:
    """What any pyvirtualcam program without STREAMON leaves behind on 0.12."""
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    writer = Writer(live_device, *SIZE, "YUYV", streamon=False)
    writer.send(bytes(320 * 240 * 2))
    writer.close()
    try:
        assert OUTPUT not in capabilities(live_device)
        check_it_shows(live_device, open_live(pictures, FPS), pictures)
    finally:
        if OUTPUT not in capabilities(live_device):
            machine.make_usable(live_device)


@pytest.mark.on("0.15")
def test_a_device_that_another_program_feeds_is_refused_in_one_line(
    live_device: str, open_live: Callable[..., Output]
) -> None:
    other, picture = Writer(live_device, *SIZE, "YUYV"), bytes(320 * 240 * 2)
    other.send(picture)
    with Show(lambda number: other.send(picture), FPS), reader_of(live_device) as reader:
        with pytest.raises(OutputError, match=f"{live_device} is not a free virtual camera") as refused:
            open_live(Pictures(PixelFormat.NV12, *SIZE, count=1), FPS)
        assert "\n" not in str(refused.value)
        assert {reader.read() for _ in range(20)} == {picture}
        assert capabilities(live_device) == FED
    other.close()
    assert capabilities(live_device) == IDLE


@pytest.mark.on("0.12", "0.15")
def test_a_virtual_camera_of_another_program_is_listed_only_while_it_is_fed() -> None:
    spare = device_of("spare")
    assert spare not in [camera.path for camera in list_cameras()]
    writer = Writer(spare, *SIZE, "YUYV")
    writer.send(bytes(320 * 240 * 2))
    (listed,) = [camera for camera in list_cameras() if camera.path == spare]
    assert (listed.name, listed.own) == ("spare", False)
    assert [(mode.format, mode.width_px, mode.height_px) for mode in listed.modes] == [("YUYV", *SIZE)]
    writer.close()
    assert spare not in [camera.path for camera in list_cameras()]


@pytest.mark.on("0.12")
def test_a_hanging_program_is_covered_by_the_slate_and_a_killed_one_frees_the_device(live_device: str) -> None:
    pictures = Pictures(PixelFormat.NV12, *SIZE, count=4)
    slate = slate_of(PixelFormat.NV12, *SIZE)
    program = Program("nv12", *SIZE, pictures.count, FPS)
    try:
        (child,) = children()
        with reader_of(live_device) as reader:
            reader.until(pictures.packed[2])
            program.signal(signal.SIGSTOP)
            pictures.numbers_of([picture for picture in reader.until(slate, 3.0) if picture != slate])
            assert {reader.read() for _ in range(10)} == {slate}

            program.signal(signal.SIGCONT)
            reader.until(pictures.packed[2], 3.0)

            program.close()
            pictures.numbers_of([picture for picture in reader.until(slate, 3.0) if picture != slate])
            assert {reader.read() for _ in range(10)} == {slate}
            until(lambda: child not in children(), "the child leaves", 4.0)
    finally:
        program.close()
    assert capabilities(live_device) == IDLE
    os.close(os.open(live_device, os.O_RDWR))
