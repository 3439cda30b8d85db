"""Devices that go away and come back while the program runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from live.config import load_preset
from live.output.contract import Output
from live.session import Session
from live.values import PixelFormat

from . import machine
from .pictures import Pictures, showing, slate_of, webcam
from .processes import kill_child, own_child
from .v4l2 import Reader, device_of, reader_of, until

FPS = 20.0
SIZE = (320, 240)
BACK_S = 20.0
"""A new child starts in 0.1 s where Python is not emulated, in 5 s here, and in more on a busy host."""


def check_it_is_back(device: str, pictures: Pictures, record: Callable[[str, object], None]) -> None:
    with reader_of(device, BACK_S) as reader:
        record("slate_or_old", len(reader.until(pictures.packed[1], BACK_S)))
        pictures.check_order(pictures.numbers_of([reader.read() for _ in range(6)]))


@pytest.mark.on("0.12")
def test_the_driver_is_reloaded_after_the_child_was_killed(
    live_device: str, open_live: Callable[..., Output], record_property: Callable[[str, object], None]
) -> None:
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    with showing(open_live(pictures, FPS), pictures, FPS) as show:
        reader_of(live_device).close()
        with pytest.raises(OSError, match=r"temporarily unavailable|busy") as refused:
            machine.unload_loopbacks()
        assert machine.in_use(refused.value)

        kill_child()
        machine.unload_as_soon_as_possible(BACK_S)
        sent = show.sent
        until(lambda: show.sent > sent, "sending goes on without a device", BACK_S)

        machine.load_loopbacks()
        check_it_is_back(live_device, pictures, record_property)


@pytest.mark.on("0.15")
def test_a_device_that_was_deleted_and_came_back_under_another_number_is_found_by_its_label(
    live_device: str, open_live: Callable[..., Output], record_property: Callable[[str, object], None]
) -> None:
    number, other = int(live_device.removeprefix("/dev/video")), 7
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    output = open_live(pictures, FPS)
    with pytest.raises(OSError, match="busy") as refused:
        machine.remove_device(number)
    assert machine.in_use(refused.value)

    with showing(output, pictures, FPS):
        kill_child()
        move_device(number, other)
        check_it_is_back(f"/dev/video{other}", pictures, record_property)
    output.close()
    move_device(other, number)


def move_device(before: int, after: int) -> None:
    """Delete the virtual camera labelled `live` as soon as nobody has it open, and add it under another number."""

    def is_removed() -> bool:
        with contextlib.suppress(OSError):
            machine.remove_device(before)
            return True
        return False

    until(is_removed, "the device can be removed")
    machine.add_device(after, "live")


@pytest.mark.on("0.15")
def test_a_device_that_refuses_pictures_is_opened_again_by_the_same_child(
    live_device: str, open_live: Callable[..., Output], record_property: Callable[[str, object], None]
) -> None:
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    with showing(open_live(pictures, FPS), pictures, FPS):
        reader_of(live_device).close()
        child = own_child()
        machine.take_the_buffers_from(child, live_device)
        check_it_is_back(live_device, pictures, record_property)
        assert own_child() == child


@contextlib.contextmanager
def running(address: str, size: tuple[int, int]) -> Iterator[Session]:
    """The whole program from an input to the virtual camera, with an engine that changes nothing."""
    from live.studio import Ask, build

    width_px, height_px = size
    sized = [f"capture.width_px={width_px}", f"capture.height_px={height_px}", "capture.format=yuyv"]
    preset = load_preset("default", ["engine=none", "privacy.unproven=pass", *sized])
    session, _ = build(preset, Ask(input=address, outputs=("virtualcam:live",)))
    session.start()
    try:
        yield session
    finally:
        session.stop()
        assert session.wait(5.0), "the run does not end"


def check_hold_then_slate(reader: Reader, slate: bytes, shown: Callable[[bytes], bool]) -> None:
    """Until the slate comes nothing is seen but what was seen before; the slate stays."""
    before = reader.until(slate, 6.0)
    assert all(shown(picture) for picture in before)
    assert {reader.read() for _ in range(10)} == {slate}


@pytest.mark.on("0.12")
def test_a_webcam_is_unplugged_and_plugged_in_again(live_device: str) -> None:
    size = (640, 480)
    with running("camera:vivid", size) as session, reader_of(live_device) as reader:
        assert (reader.width_px, reader.height_px, reader.fourcc) == (*size, "YUYV")
        slate = slate_of(PixelFormat.YUYV, *size)
        until(lambda: reader.read() != slate, "the camera is shown")
        assert len({reader.read() for _ in range(10)}) > 3

        machine.unplug_webcam()
        try:
            check_hold_then_slate(reader, slate, lambda picture: True)
        finally:
            machine.plug_webcam_in()
        until(lambda: reader.read() != slate, "the camera is shown again")
        assert len({reader.read() for _ in range(10)}) > 3
        assert session.error is None


@pytest.mark.on("0.15")
def test_a_webcam_stops_sending_and_goes_on(live_device: str) -> None:
    device, pictures = device_of("webcam"), Pictures(PixelFormat.YUYV, *SIZE)
    slate = slate_of(PixelFormat.YUYV, *SIZE)
    with contextlib.ExitStack() as stack:
        with webcam(device, "YUYV", SIZE, pictures.packed, FPS):
            session = stack.enter_context(running("camera:webcam", SIZE))
            reader = stack.enter_context(reader_of(live_device))
            reader.until(pictures.packed[3])
            pictures.check_order(pictures.numbers_of([reader.read() for _ in range(12)]))
        check_hold_then_slate(reader, slate, lambda picture: pictures.numbers_of([picture]) != [])
        with webcam(device, "YUYV", SIZE, pictures.packed, FPS):
            reader.until(pictures.packed[3])
            pictures.check_order(pictures.numbers_of([reader.read() for _ in range(12)]))
        assert session.error is None
