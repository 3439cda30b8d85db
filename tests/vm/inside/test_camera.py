"""Real video devices as input: what a webcam sends is what the program gets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from live.capture import open_capture
from live.capture.contract import Capture, Wanted
from live.values import Frame, PixelFormat

from .pictures import FOURCC, Pictures, packed, webcam
from .v4l2 import NODES, device_of

FPS = 20.0


def read(capture: Capture, count: int) -> list[Frame]:
    """So many frames; the capture is closed then."""
    items = [capture.read() for _ in range(count)]
    capture.close()
    frames = [item for item in items if isinstance(item, Frame)]
    assert len(frames) == count
    return frames


@pytest.mark.on("0.12", "0.15")
@pytest.mark.parametrize(
    ("format", "size"),
    [(PixelFormat.YUYV, (320, 240)), (PixelFormat.NV12, (320, 240)), (PixelFormat.BGR, (641, 481))],
)
def test_every_bit_of_a_webcam_arrives_in_order(format: PixelFormat, size: tuple[int, int]) -> None:
    device, pictures = device_of("webcam"), Pictures(format, *size)
    with webcam(device, FOURCC[format], size, pictures.packed, FPS):
        capture = open_capture("camera:webcam", Wanted(fps=FPS))
        frames = read(capture, 10)
    info = capture.info
    assert (info.width_px, info.height_px, info.fps, info.format) == (*size, FPS, format)
    assert info.live
    assert [frame.number for frame in frames] == list(range(10))
    numbers = pictures.numbers_of([packed(frame) for frame in frames])
    pictures.check_order(numbers)
    assert len(set(numbers)) == len(numbers), "a camera's picture came twice"
    times_s = [frame.time_s for frame in frames]
    assert times_s == sorted(times_s)


@pytest.mark.on("0.12")
def test_a_webcam_that_sends_jpegs_is_taken_in_its_own_colours() -> None:
    greys = [40, 90, 140, 190]
    jpegs = [cv2.imencode(".jpg", np.full((240, 320, 3), grey, np.uint8))[1].tobytes() for grey in greys]
    with webcam(device_of("webcam"), "MJPG", (320, 240), jpegs, FPS):
        capture = open_capture("camera:webcam", Wanted())
        frames = read(capture, 8)
    assert capture.info.format in (PixelFormat.I420, PixelFormat.I422)
    assert capture.info.colour.full_range
    seen = [int(np.median(frame.planes[0])) for frame in frames]
    assert set(seen) <= set(greys)
    assert len(set(seen)) > 1


@pytest.mark.on("0.12", "0.15")
def test_a_camera_that_has_not_the_size_asked_for_gives_what_it_has_and_says_so() -> None:
    capture = open_capture("camera:vivid", Wanted(1234, 567))
    (frame,) = read(capture, 1)
    info = capture.info
    assert (frame.width_px, frame.height_px) == (info.width_px, info.height_px) != (1234, 567)
    assert any("asked for 1234x567" in note and f"got {info.width_px}x{info.height_px}" in note for note in info.notes)


@pytest.mark.on("0.12")
def test_a_virtual_camera_as_input_keeps_both_its_buffers() -> None:
    """A reader that takes one away while a picture is written into it stops the kernel: its list is broken then."""
    device, pictures = device_of("webcam"), Pictures(PixelFormat.YUYV, 320, 240, 4)
    with webcam(device, "YUYV", (320, 240), pictures.packed, FPS):
        assert buffers_of(device) == 2
        read(open_capture("camera:webcam", Wanted()), 2)
        assert buffers_of(device) == 2


def buffers_of(device: str) -> int:
    """How many buffers the driver uses for a device."""
    return int((NODES / device.removeprefix("/dev/") / "buffers").read_text())
