"""The whole program, from a camera that is lost and comes back to the virtual camera."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from live.config import load_preset
from live.session import Session
from live.values import PixelFormat

from . import machine
from .pictures import Pictures, slate_of, webcam
from .v4l2 import Reader, device_of, reader_of, until

FPS = 20.0
SIZE = (320, 240)


@contextlib.contextmanager
def running(address: str, size: tuple[int, int]) -> Iterator[Session]:
    """The whole program from an input to the virtual camera, with an engine that changes nothing."""
    from live.ends import Ask
    from live.studio import build

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


def until_the_slate_stays(reader: Reader, slate: bytes) -> list[bytes]:
    """Read until only the slate comes; returns what else came before."""
    seen: list[bytes] = []

    def it_stays() -> bool:
        seen.append(reader.read())
        return len(seen) >= 10 and set(seen[-10:]) == {slate}

    until(it_stays, "the slate is shown and stays", 8.0)
    return [picture for picture in seen if picture != slate]


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
            until_the_slate_stays(reader, slate)
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
        pictures.check_order(pictures.numbers_of(until_the_slate_stays(reader, slate)))
        with webcam(device, "YUYV", SIZE, pictures.packed, FPS):
            reader.until(pictures.packed[3])
            pictures.check_order(pictures.numbers_of([reader.read() for _ in range(12)]))
        assert session.error is None
