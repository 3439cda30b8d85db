"""The virtual camera with a preloaded device of our own: the whole path but the kernel."""

import os
import select
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from live.errors import OutputError, UsageError
from live.output import loopback, open_output, virtualcam
from live.pixels.host import bgr_frame, convert, fit
from live.pixels.slate import draw_slate
from live.values import Colour, PixelFormat

from .frames import format_of, noise

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloading a device is Linux only")

DEVICE = "/dev/video99"
PICTURE, SIZE, STREAMON, RATE = 1, 2, 3, 4
WAIT_S = 10.0


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("fake") / "fake.so"
    source = Path(__file__).with_name("fake_v4l2loopback.c")
    try:
        built = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(path), str(source), "-ldl"], capture_output=True, text=True
        )
    except OSError:
        pytest.skip("no C compiler")
    if built.returncode:
        pytest.skip(f"the fake device does not compile here: {built.stderr[:300]}")
    return path


class Watcher:
    """Reads what the fake device is given."""

    def __init__(self, path):
        os.mkfifo(path)
        self._path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._bytes = b""
        self.ended = False

    def record(self):
        """The next record (kind, bytes); None when every writer left."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            if len(self._bytes) >= 8:
                kind, length = struct.unpack_from("=II", self._bytes)
                if len(self._bytes) >= 8 + length:
                    body, self._bytes = self._bytes[8 : 8 + length], self._bytes[8 + length :]
                    return kind, body
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, "the device was given nothing"
            if not select.select([self.descriptor], [], [], left_s)[0]:
                continue
            try:
                more = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                continue
            if not more:
                return None
            self._bytes += more

    @contextmanager
    def patient(self):
        """In this block the end of a writer is not the end of the records."""
        writer = os.open(self._path, os.O_WRONLY)
        try:
            yield
        finally:
            os.close(writer)

    def until(self, wanted, kind=PICTURE):
        """Read up to a record; returns how many others came before it."""
        for count in range(10_000):
            record = self.record()
            assert record is not None, "the device was closed"
            if record == (kind, wanted):
                return count
        raise AssertionError("it never came")

    def rest(self):
        """All pictures until the device is closed."""
        pictures = []
        while (record := self.record()) is not None:
            pictures.append(record[1])
        return pictures

    def close(self):
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1


@pytest.fixture
def watcher(tmp_path, library, monkeypatch):
    path = tmp_path / "camera"
    watcher = Watcher(path)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKE_CAMERA_DEVICE", DEVICE)
    monkeypatch.setenv("FAKE_CAMERA_PIPE", str(path))
    yield watcher
    watcher.close()


@pytest.fixture
def gone(tmp_path, monkeypatch):
    """The file that says that the device is gone."""
    path = tmp_path / "gone"
    monkeypatch.setenv("FAKE_CAMERA_GONE", str(path))
    return path


def packed(frame):
    return b"".join(plane.tobytes() for plane in frame.planes)


def slate_bytes(frame):
    device_format = virtualcam.KINDS[virtualcam.TAKEN_AS.get(frame.format, "i420")].pixels
    slate = bgr_frame(draw_slate(frame.width_px, frame.height_px), time_s=0, number=0)
    return packed(convert(slate, device_format))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def rings():
    return {path.name for folder in ("/dev/shm", "/tmp") for path in Path(folder).glob("live-ring-*")}


@pytest.mark.parametrize(
    ("format", "device_format", "fourcc"),
    [
        (PixelFormat.NV12, PixelFormat.NV12, b"NV12"),
        (PixelFormat.I420, PixelFormat.I420, b"YU12"),
        (PixelFormat.YUYV, PixelFormat.YUYV, b"YUYV"),
        (PixelFormat.I422, PixelFormat.YUYV, b"YUYV"),
        (PixelFormat.I444, PixelFormat.I420, b"YU12"),
        (PixelFormat.BGR, PixelFormat.I420, b"YU12"),
        (PixelFormat.GRAY, PixelFormat.I420, b"YU12"),
    ],
)
def test_pictures_arrive_bit_for_bit_and_in_order(watcher, format, device_format, fourcc):
    frames = [noise(number, format) for number in range(8)]
    output = open_output(f"virtualcam:{DEVICE}", format_of(frames[0], live=True))
    assert output.live
    assert DEVICE in output.name
    assert watcher.record() == (SIZE, struct.pack("=II", 64, 48) + fourcc)
    assert watcher.record() == (RATE, struct.pack("=II", 1, 25))
    assert watcher.record() == (STREAMON, struct.pack("=i", 2))
    assert watcher.record() == (PICTURE, slate_bytes(frames[0]))
    previous = slate_bytes(frames[0])
    for frame in frames:
        output.send(frame)
        expected = packed(convert(frame, device_format))
        while (record := watcher.record()) != (PICTURE, expected):
            assert record == (PICTURE, previous)
        previous = expected
    output.close()
    assert watcher.rest()[-1] == slate_bytes(frames[0])


def test_the_newest_picture_is_repeated_while_none_comes(watcher):
    frame = noise(1)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    output.send(frame)
    watcher.until(packed(frame))
    assert [watcher.record() for _ in range(3)] == [(PICTURE, packed(frame))] * 3
    output.close()


def test_full_range_becomes_video_range(watcher):
    frame = noise(0, PixelFormat.I422, colour=Colour(full_range=True))
    frame.planes[0][...], frame.planes[1][...], frame.planes[2][...] = 255, 128, 0
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    output.send(frame)
    expected = np.empty((48, 64, 2), np.uint8)
    expected[..., 0], expected[:, 0::2, 1], expected[:, 1::2, 1] = 235, 128, 16
    watcher.until(expected.tobytes())
    output.close()


@pytest.mark.parametrize("format", list(PixelFormat))
def test_an_odd_size_loses_its_last_column_and_row(watcher, format):
    frame = noise(0, format, 65, 49)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    assert watcher.record()[1][:8] == struct.pack("=II", 64, 48)
    output.send(frame)
    if format is PixelFormat.I420:
        wanted = [frame.planes[0][:48, :64], frame.planes[1][:24, :32], frame.planes[2][:24, :32]]
        watcher.until(b"".join(plane.tobytes() for plane in wanted))
    else:
        slate = slate_bytes(replace(frame, width_px=64, height_px=48))
        while (record := watcher.record()) in [
            (RATE, struct.pack("=II", 1, 25)),
            (STREAMON, struct.pack("=i", 2)),
            (PICTURE, slate),
        ]:
            pass
        assert record[0] == PICTURE
        assert len(record[1]) == len(slate)
    output.close()


PARENT = """
import sys, threading
sys.path[:0] = [{tests!r}]
from output.frames import format_of, noise
from live.output import open_output
frame = noise(7)
output = open_output({address!r}, format_of(frame, live=True))
output.send(frame)
print(output.pid, flush=True)
while True:
    output.send(frame)
    threading.Event().wait(0.05)
"""


@pytest.fixture
def parent(watcher):
    """A program that shows picture 7 all the time; it and the child's process number."""
    source = PARENT.format(tests=str(Path(__file__).parent.parent), address=f"virtualcam:{DEVICE}")
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    yield process, child
    if process.poll() is None:
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
    process.wait()
    process.stdout.close()


def test_a_killed_parent_is_covered_by_the_slate_and_the_child_leaves(watcher, parent):
    process, child = parent
    frame = noise(7)
    watcher.until(packed(frame))
    process.kill()
    process.wait()
    watcher.until(slate_bytes(frame))
    began_s = time.monotonic()
    pictures = watcher.rest()
    assert set(pictures) == {slate_bytes(frame)}
    assert 1.0 < time.monotonic() - began_s < 4.0
    assert len(pictures) > 10
    wait_gone(child)
    assert not rings()


def test_a_child_whose_device_hangs_leaves_no_orphan_when_the_parent_is_killed(watcher, gone, parent):
    process, child = parent
    watcher.until(packed(noise(7)))
    gone.touch()
    while watcher.record() is not None:
        pass
    watcher.close()
    gone.unlink()  # without a reader, opening the pipe hangs
    process.kill()
    wait_gone(child)


def test_a_hanging_parent_is_covered_by_the_slate_until_it_goes_on(watcher, parent):
    process, _ = parent
    frame = noise(7)
    watcher.until(packed(frame))
    os.kill(process.pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    watcher.until(slate_bytes(frame))
    assert time.monotonic() - stopped_s < 1.5
    assert {watcher.record()[1] for _ in range(10)} == {slate_bytes(frame)}
    os.kill(process.pid, signal.SIGCONT)
    watcher.until(packed(frame))


def wait_gone(pid):
    deadline_s = time.monotonic() + WAIT_S
    while is_running(pid) and time.monotonic() < deadline_s:
        os.sched_yield()
    assert not is_running(pid)


def keep_sending(output, frame, watcher, wanted):
    """Send until the device is given a picture."""
    deadline_s = time.monotonic() + WAIT_S
    with watcher.patient():
        while time.monotonic() < deadline_s:
            output.send(frame)
            if select.select([watcher.descriptor], [], [], 0.05)[0] and watcher.record() == (PICTURE, wanted):
                return
    raise AssertionError("the picture never came")


def test_a_device_that_was_lost_is_opened_again_when_it_is_back(watcher, gone, caplog):
    frame = noise(0)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    output.send(frame)
    watcher.until(packed(frame))
    child = output.pid
    gone.touch()
    while watcher.record() is not None:
        output.send(frame)
    gone.unlink()
    began_s = time.monotonic()
    with watcher.patient():
        watcher.until(packed(frame))
    assert time.monotonic() - began_s < 2.0
    assert output.pid == child
    assert any("is lost (No such device)" in line for line in caplog.messages)
    output.close()


def test_a_killed_child_is_started_again_and_told_once(watcher, caplog):
    frame = noise(0)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    watcher.until(slate_bytes(frame))
    child = output.pid
    os.kill(child, signal.SIGKILL)
    keep_sending(output, frame, watcher, packed(frame))
    assert output.pid != child
    assert len([line for line in caplog.messages if "process ended" in line]) == 1
    output.close()


def test_a_child_killed_while_the_device_is_gone_comes_back_with_the_device(watcher, gone, caplog):
    frame = noise(0)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    watcher.until(slate_bytes(frame))
    gone.touch()
    os.kill(output.pid, signal.SIGKILL)
    wait_gone(output.pid)
    while "there is no virtual camera" not in caplog.text:
        output.send(frame)
    gone.unlink()
    keep_sending(output, frame, watcher, packed(frame))
    assert len(caplog.messages) < 10
    output.close()


def test_close_leaves_no_process_and_no_file_even_if_the_child_hangs(watcher):
    output = open_output(f"virtualcam:{DEVICE}", format_of(noise(0), live=True))
    os.kill(output.pid, signal.SIGSTOP)
    began_s = time.monotonic()
    output.close()
    output.close()
    assert time.monotonic() - began_s < 2.0
    assert not is_running(output.pid)
    assert not rings()
    with pytest.raises(OutputError, match="closed"):
        output.send(noise(0))


def test_sending_never_waits_for_a_device_that_hangs(watcher):
    output = open_output(f"virtualcam:{DEVICE}", format_of(noise(0), live=True))
    os.kill(output.pid, signal.SIGSTOP)
    began_s = time.monotonic()
    for number in range(200):
        output.send(noise(number))
    assert time.monotonic() - began_s < 2.0
    os.kill(output.pid, signal.SIGCONT)
    watcher.until(packed(noise(199)))
    output.close()


def test_a_reader_that_holds_the_device_at_another_size_is_followed(watcher, monkeypatch):
    monkeypatch.setenv("FAKE_CAMERA_HELD", "128x48")
    frame = noise(0)
    output = open_output(f"virtualcam:{DEVICE}", format_of(frame, live=True))
    output.send(frame)
    framed = fit(frame, 128, 48)
    watcher.until(packed(framed))
    output.close()


def test_a_slow_device_costs_pictures_but_never_the_sender_s_time(watcher, monkeypatch):
    monkeypatch.setenv("FAKE_CAMERA_WRITE_MS", "30")
    output = open_output(f"virtualcam:{DEVICE}", format_of(noise(0), live=True))
    began_s = time.monotonic()
    for number in range(100):
        output.send(noise(number))
    assert time.monotonic() - began_s < 1.0
    watcher.until(packed(noise(99)))
    output.close()


@pytest.mark.parametrize(("name", "fourcc"), [("rgb", b"RGB3"), ("bgr", b"BGR3")])
def test_colours_go_as_they_are_when_asked_for(watcher, name, fourcc):
    frame = noise(3, PixelFormat.BGR)
    output = open_output(f"virtualcam:{DEVICE}?format={name}", format_of(frame, live=True))
    watcher.until(struct.pack("=II", 64, 48) + fourcc, SIZE)
    output.send(frame)
    watcher.until(frame.planes[0][..., :: -1 if name == "rgb" else 1].tobytes())
    output.close()


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(UsageError, match="auto, nv12, i420, yuyv, bgr, rgb"):
        open_output(f"virtualcam:{DEVICE}?format=h264", format_of(noise(0), live=True))
    with pytest.raises(UsageError, match=r"allowed: \?format= and one of"):
        open_output("virtualcam?size=2", format_of(noise(0), live=True))


def test_no_device_says_how_to_get_one(watcher):
    with pytest.raises(OutputError, match="modprobe v4l2loopback video_nr=10 card_label=live exclusive_caps=1"):
        open_output("virtualcam:/dev/video98", format_of(noise(0), live=True))


def test_an_unknown_label_names_the_known_ones(tmp_path, monkeypatch):
    (tmp_path / "video10").mkdir()
    (tmp_path / "video10" / "name").write_text("OBS\n")
    monkeypatch.setattr(loopback, "DEVICES", tmp_path)
    with pytest.raises(UsageError, match=r'"OBS" \(/dev/video10\)'):
        open_output("virtualcam:studio", format_of(noise(0), live=True))


def test_our_own_label_is_preferred_and_labels_find_their_device():
    labels = {"/dev/video3": "OBS", "/dev/video9": "live"}
    assert virtualcam._device("", labels) == "/dev/video9"
    assert virtualcam._device("OBS", labels) == "/dev/video3"
    assert virtualcam._device("", {"/dev/video3": "OBS"}) is None


@pytest.mark.parametrize(
    ("said", "platform", "cure"),
    [
        ("Could not access /dev/video3 due to missing permissions.", "linux", "usermod -a -G video"),
        ("Device /dev/video3 is not a video output device.", "linux", "modprobe -r v4l2loopback"),
        ("'obs' backend: virtual camera output could not be started", "win32", "install OBS"),
        ("'obs' backend: no such thing", "darwin", "install OBS"),
    ],
)
def test_every_failure_has_a_cure(said, platform, cure):
    assert cure in str(virtualcam.explained(OutputError(said), "/dev/video3", platform))


def test_a_size_no_camera_has_is_refused():
    with pytest.raises(UsageError, match="8x8"):
        open_output("virtualcam", format_of(noise(0, PixelFormat.I420, 8, 8), live=True))
