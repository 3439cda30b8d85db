"""What every output promises, over every kind there is."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import live.output
from live.errors import LiveError
from live.output import KINDS, open_output
from live.output.web import free_port
from live.values import PixelFormat, Sound

from .frames import format_of, noise
from .test_virtualcam import DEVICE, library, watcher  # noqa: F401


@pytest.fixture(params=[*KINDS, "file mkv"])
def address(request, tmp_path):
    kind = request.param
    if kind == "virtualcam":
        if sys.platform != "linux":
            pytest.skip("preloading a device is Linux only")
        request.getfixturevalue("watcher")
        return f"virtualcam:{DEVICE}"
    if kind == "window":
        request.getfixturevalue("screen")
        return "window"
    if kind == "stream":
        return f"udp://127.0.0.1:{free_port(20_000, 1000)}"
    files = {"file": "out.mp4", "file mkv": "out.mkv"}
    if kind in files:
        return str(tmp_path / files[kind])
    return f"web:{free_port(20_000, 1000)}" if kind == "web" else kind


@pytest.fixture
def output(address):
    output = open_output(address, format_of(noise(0), live=True))
    yield output
    output.close()


def test_it_takes_every_size_and_format_and_leaves_the_frame_alone(output):
    number = 0
    for format in PixelFormat:
        for width_px, height_px in ((64, 48), (65, 47), (320, 90), (16, 16)):
            frame = noise(number, format, width_px, height_px, media_s=number / 25)
            before = [plane.copy() for plane in frame.planes]
            output.send(frame)
            for one, other in zip(before, frame.planes):
                np.testing.assert_array_equal(one, other)
            number += 1


def test_it_says_what_it_is(output):
    assert output.name
    assert output.live in (True, False)
    assert output.keys is None or output.keys.empty()


def test_frames_that_may_not_be_written_are_fine(output):
    frame = noise(0, media_s=0.0)
    for plane in frame.planes:
        plane.setflags(write=False)
    output.send(frame)


def test_sound_nobody_announced_is_ignored(output):
    output.sound(Sound(None, 0.0))
    output.send(noise(0, media_s=0.0))
    output.sound(Sound(None, 0.1))


def test_it_may_be_closed_twice_and_takes_nothing_then(output):
    output.send(noise(0, media_s=0.0))
    output.close()
    output.close()
    with pytest.raises(LiveError) as error:
        output.send(noise(1, media_s=0.1))
    assert "\n" not in str(error.value)


def test_it_may_be_closed_unused(output):
    output.close()


@pytest.mark.parametrize("kind", [*KINDS])
def test_a_senseless_address_is_the_users_mistake(kind):
    with pytest.raises(LiveError) as error:
        open_output(f"{kind}:no/such thing", format_of(noise(0), live=True))
    assert "\n" not in str(error.value)


def test_every_kind_is_in_the_table():
    folder = Path(live.output.__file__).parent
    openers = {
        f"live.output.{path.stem}"
        for path in folder.glob("*.py")
        if hasattr(importlib.import_module(f"live.output.{path.stem}"), "open") and path.stem != "__init__"
    }
    assert openers == set(KINDS.values())
