"""Virtual cameras that go away and come back while one output shows pictures through all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from live.output import open_output
from live.values import PixelFormat

from . import machine
from .pictures import Pictures, Show, showing
from .processes import kill_child, own_child
from .v4l2 import device_of, reader_of, until

FPS = 20.0
SIZE = (320, 240)
REOPENED_S = 5.0
RESTARTED_S = 30.0
"""A new child begins in 0.2 s where Python is not emulated, in 5 s here, and in more on a busy host."""

Shown = tuple[Pictures, Show]


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """The virtual camera while it shows numbered pictures."""
    pictures = Pictures(PixelFormat.NV12, *SIZE)
    output = open_output("virtualcam:live", pictures.format_at(FPS))
    with showing(output, pictures, FPS) as show:
        yield pictures, show
    output.close()


def check_it_shows(device: str, pictures: Pictures, within_s: float) -> None:
    with reader_of(device, within_s) as reader:
        reader.until(pictures.packed[1], within_s)
        pictures.check_order(pictures.numbers_of([reader.read() for _ in range(6)]))


@pytest.mark.on("0.15")
def test_a_device_that_refuses_pictures_is_opened_again_by_the_same_child(shown: Shown, live_device: str) -> None:
    pictures, _ = shown
    check_it_shows(live_device, pictures, REOPENED_S)
    child = own_child()
    machine.take_the_buffers_from(child, live_device)
    check_it_shows(live_device, pictures, REOPENED_S)
    assert own_child() == child


@pytest.mark.on("0.12")
def test_the_child_is_killed_and_the_driver_reloaded(shown: Shown, live_device: str) -> None:
    pictures, show = shown
    check_it_shows(live_device, pictures, REOPENED_S)
    with pytest.raises(OSError, match=r"temporarily unavailable|busy") as refused:
        machine.unload_loopbacks()
    assert machine.in_use(refused.value)

    kill_child()
    machine.unload_as_soon_as_possible(RESTARTED_S)
    sent = show.sent
    until(lambda: show.sent > sent, "sending goes on without a device", RESTARTED_S)

    machine.load_loopbacks()
    check_it_shows(live_device, pictures, RESTARTED_S)


@pytest.mark.on("0.15")
def test_the_child_is_killed_and_the_device_comes_back_under_another_number(shown: Shown, live_device: str) -> None:
    pictures, _ = shown
    number, other = int(live_device.removeprefix("/dev/video")), 7
    with pytest.raises(OSError, match="busy") as refused:
        machine.remove_device(number)
    assert machine.in_use(refused.value)

    def is_removed() -> bool:
        with contextlib.suppress(OSError):
            machine.remove_device(number)
            return True
        return False

    kill_child()
    until(is_removed, "the device can be removed")
    machine.add_device(other, "live")
    assert device_of("live") == f"/dev/video{other}"
    check_it_shows(f"/dev/video{other}", pictures, RESTARTED_S)
