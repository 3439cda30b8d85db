"""Cameras are stood for by the real `cv2.VideoCapture` on a file that starts over, plus one fault each."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from live.capture import camera
from live.capture.camera import CameraCapture, choose, open_first, request_for
from live.capture.contract import Wanted
from live.capture.devices import CameraDevice
from live.capture.grabber import Layout
from live.errors import CaptureError, UsageError
from live.pixels.host import to_bgr
from live.values import Colour, Frame, PixelFormat

from .media import write_h264

ANY = Wanted()


def read_to_the_end(capture: CameraCapture) -> None:
    while capture.read() is not None:
        pass


class Looping:
    """A `cv2.VideoCapture` on a video that starts over, as a camera that never ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = cv2.VideoCapture(str(path))
        self.released = threading.Event()
        self.asked: dict[int, float] = {}

    def isOpened(self) -> bool:
        return bool(self._real.isOpened())

    def set(self, key: int, value: float) -> bool:
        self.asked[key] = value
        return False

    def get(self, key: int) -> float:
        return float(self._real.get(key))

    def grab(self) -> bool:
        if not self._real.grab():
            self._real.open(str(self._path))
            return bool(self._real.grab())
        return True

    def retrieve(self) -> tuple[bool, Any]:
        ok, pixels = self._real.retrieve()
        return bool(ok), pixels

    def read(self) -> tuple[bool, Any]:
        return self.retrieve() if self.grab() else (False, None)

    def release(self) -> None:
        self._real.release()
        self.released.set()


class Busy(Looping):
    def isOpened(self) -> bool:
        return False


class Vanishing(Looping):
    pictures = 3

    def grab(self) -> bool:
        self.pictures -= 1
        return self.pictures >= 0 and super().grab()


class Hanging(Looping):
    """The driver's call does not come back until the camera is pulled out."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.pulled = threading.Event()
        self.pictures = 2

    def grab(self) -> bool:
        self.pictures -= 1
        if self.pictures < 0:
            self.pulled.wait(20.0)
            return False
        return super().grab()


class Silent(Hanging):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.pictures = 0


class Raw(Looping):
    """Hands raw pictures over as V4L2 does when conversion is switched off."""

    fourcc = "YUYV"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._converting = True

    def set(self, key: int, value: float) -> bool:
        if key == cv2.CAP_PROP_CONVERT_RGB:
            self._converting = bool(value)
            return True
        return super().set(key, value)

    def get(self, key: int) -> float:
        return cv2.VideoWriter.fourcc(*self.fourcc) if key == cv2.CAP_PROP_FOURCC else super().get(key)

    def retrieve(self) -> tuple[bool, Any]:
        ok, bgr = super().retrieve()
        return ok, bgr if self._converting or not ok else self.pack(bgr)

    def pack(self, bgr: Any) -> Any:
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_YUY2)


class RawNv12(Raw):
    fourcc = "NV12"

    def pack(self, bgr: Any) -> Any:
        planar = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
        height = bgr.shape[0]
        chroma = planar[height:].reshape(2, -1).T
        return np.vstack([planar[:height], np.ascontiguousarray(chroma).reshape(height // 2, -1)])


class RawJpeg(Raw):
    fourcc = "MJPG"

    def pack(self, bgr: Any) -> Any:
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].reshape(1, -1)


class Mislabelled(Raw):
    """Says NV12 and sends something else, as drivers do."""

    fourcc = "NV12"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_h264(tmp_path / "clip.mp4", 25)


@pytest.fixture
def device(tmp_path: Path) -> CameraDevice:
    (tmp_path / "video0").touch()
    return CameraDevice(0, str(tmp_path / "video0"), "HD Webcam")


def opened(device: CameraDevice, clip: Path, kind: type[Looping], wanted: Wanted = ANY) -> tuple[CameraCapture, Any]:
    made: list[Looping] = []

    def make(target: object, api: int) -> Looping:
        made.append(kind(clip))
        return made[-1]

    return open_first([device], wanted, make), made[-1]


def test_frames_come_numbered_with_the_time_of_dequeue(device: CameraDevice, clip: Path) -> None:
    capture, source = opened(device, clip, Looping)
    frames = [capture.read() for _ in range(5)]
    now_s = time.monotonic()
    assert [frame.number for frame in frames if frame] == [0, 1, 2, 3, 4]
    assert all(frame is not None and now_s - 5 < frame.time_s <= now_s for frame in frames)
    assert frames[0] is not None
    assert (frames[0].format, capture.info.width_px, capture.info.height_px) == (PixelFormat.BGR, 64, 48)
    assert capture.info.live
    capture.close()
    capture.close()
    assert source.released.wait(2.0)
    assert capture.read() is None


def test_the_newest_picture_wins(device: CameraDevice, clip: Path) -> None:
    class Counted(Looping):
        retrieved = 0
        enough = threading.Event()

        def retrieve(self) -> tuple[bool, Any]:
            Counted.retrieved += 1
            if Counted.retrieved == 30:
                Counted.enough.set()
            return super().retrieve()

    capture, _ = opened(device, clip, Counted)
    assert capture.read() is not None
    assert Counted.enough.wait(5.0)
    waited_until_s = time.monotonic()
    capture._grabber._mailbox.take(2.0)  # whatever lay there
    frame = capture.read()
    assert frame is not None
    assert frame.time_s >= waited_until_s - 0.05
    assert frame.number == 1
    capture.close()


@pytest.mark.parametrize(
    ("kind", "format", "colour"),
    [
        (Raw, PixelFormat.YUYV, Colour("bt601", full_range=False)),
        (RawNv12, PixelFormat.NV12, Colour("bt601", full_range=False)),
        (RawJpeg, PixelFormat.I420, Colour("bt601", full_range=True)),
    ],
)
def test_raw_pictures_keep_the_cameras_format(
    device: CameraDevice, clip: Path, kind: type[Raw], format: PixelFormat, colour: Colour
) -> None:
    capture, _ = opened(device, clip, kind)
    frame = capture.read()
    capture.close()
    assert frame is not None
    assert (frame.format, frame.colour) == (format, colour)
    assert capture.info.format is format
    assert all(plane.flags.c_contiguous and plane.flags.writeable for plane in frame.planes)
    _, bgr = Looping(clip).read()
    level = float(to_bgr(frame).mean())
    assert 20 < level < 240
    assert np.ptp(to_bgr(frame)) < 30  # the clip's pictures are flat and grey
    assert bgr.shape == (48, 64, 3)


def test_a_driver_that_mislabels_its_pictures_is_read_as_bgr(device: CameraDevice, clip: Path) -> None:
    capture, _ = opened(device, clip, Mislabelled)
    frame = capture.read()
    capture.close()
    assert frame is not None
    assert frame.format is PixelFormat.BGR


def test_a_damaged_jpeg_is_skipped() -> None:
    layout = Layout("MJPG", 64, 48)
    with pytest.raises(CaptureError):
        layout.picture(np.zeros((1, 500), np.uint8))
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].reshape(1, -1)
    assert layout.picture(jpeg).width_px == 64


def test_what_was_asked_and_what_came_is_told(device: CameraDevice, clip: Path) -> None:
    wanted = Wanted(width_px=1280, height_px=720, fps=60)
    capture, source = opened(device, clip, Looping, wanted)
    capture.close()
    assert capture.info.notes[0] == "asked for 1280x720 at 60, got 64x48 at 25"
    assert source.asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert cv2.CAP_PROP_BUFFERSIZE not in source.asked


def test_a_black_picture_is_allowed_and_told(device: CameraDevice, clip: Path) -> None:
    class Black(Looping):
        def retrieve(self) -> tuple[bool, Any]:
            return True, np.zeros((48, 64, 3), np.uint8)

    capture, _ = opened(device, clip, Black)
    capture.close()
    assert any("black" in note for note in capture.info.notes)


def test_a_busy_camera_says_who_uses_it(
    device: CameraDevice, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc/77/fd").mkdir(parents=True)
    (tmp_path / "proc/77/comm").write_text("zoom\n")
    (tmp_path / "proc/77/fd/5").symlink_to(device.path)
    assert camera.programs_using(device.path, tmp_path / "proc") == ["zoom (process 77)"]
    monkeypatch.setattr(camera, "programs_using", lambda path: ["zoom (process 77)"])
    with pytest.raises(
        CaptureError, match=r"cannot be opened; it is used by zoom \(process 77\): close that.*live devices"
    ):
        opened(device, clip, Busy)


def test_a_camera_that_may_not_be_opened_names_the_group(
    device: CameraDevice, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CaptureError, match="usermod -aG video"):
        opened(device, clip, Looping)


def test_the_first_working_camera_is_taken(device: CameraDevice, clip: Path) -> None:
    gone = CameraDevice(3, device.path + "gone", "Unplugged")
    with pytest.raises(CaptureError, match=r"Unplugged.*is not there"):
        open_first([gone], Wanted(), lambda target, api: Looping(clip))
    capture = open_first([gone, device], Wanted(), lambda target, api: Looping(clip))
    assert "HD Webcam" in capture.info.name
    capture.close()


def test_a_camera_that_vanishes_ends_with_one_line(device: CameraDevice, clip: Path) -> None:
    capture, source = opened(device, clip, Vanishing)
    began_s = time.monotonic()
    with pytest.raises(CaptureError, match="stopped sending pictures; plug it in again"):
        read_to_the_end(capture)
    assert time.monotonic() - began_s < 2.2
    assert source.released.wait(2.0)
    capture.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "SILENCE_S", 0.2)


@pytest.mark.usefixtures("short")
def test_a_driver_that_hangs_is_noticed_and_does_not_hold_close(device: CameraDevice, clip: Path) -> None:
    capture, source = opened(device, clip, Hanging)
    with pytest.raises(CaptureError, match="has sent no picture for"):
        read_to_the_end(capture)
    began_s = time.monotonic()
    source.pulled.set()
    capture.close()
    assert time.monotonic() - began_s < 2.0
    assert source.released.wait(2.0)


@pytest.mark.usefixtures("short")
def test_a_silent_camera_is_refused_and_released(device: CameraDevice, clip: Path) -> None:
    made: list[Silent] = []

    def make(target: object, api: int) -> Silent:
        made.append(Silent(clip))
        threading.Timer(0.5, made[-1].pulled.set).start()
        return made[-1]

    with pytest.raises(CaptureError, match="opened but sent no picture within"):
        open_first([device], Wanted(), make)
    assert made[0].released.wait(2.0)


CAMERAS = [
    CameraDevice(0, "/dev/video0", "Integrated Camera"),
    CameraDevice(2, "/dev/video2", "Logitech C920"),
    CameraDevice(9, "/dev/video9", "live", own=True),
]


@pytest.mark.parametrize(("rest", "index"), [("", 0), ("2", 2), ("/dev/video2", 2), ("logi", 2), ("camera", 0)])
def test_cameras_are_chosen_by_number_path_or_name(rest: str, index: int) -> None:
    assert choose(rest, CAMERAS)[0].index == index


@pytest.mark.parametrize("rest", ["9", "/dev/video9", "live"])
def test_our_own_camera_is_refused(rest: str) -> None:
    with pytest.raises(UsageError, match="own virtual camera"):
        choose(rest, CAMERAS)


def test_an_unknown_camera_names_those_that_are_there() -> None:
    with pytest.raises(UsageError, match='there is no camera 7; there are: 0 "Integrated Camera", 2 "Logitech C920"'):
        choose("7", CAMERAS)
    with pytest.raises(CaptureError, match="no camera found"):
        choose("", CAMERAS[2:])


@pytest.mark.parametrize(
    ("wanted", "fourcc", "raw"),
    [
        (Wanted(), "", True),
        (Wanted(width_px=1280, height_px=720), "MJPG", True),
        (Wanted(width_px=1280, height_px=720, format=PixelFormat.YUYV), "YUYV", True),
        (Wanted(width_px=640, height_px=480, format=PixelFormat.BGR), "", False),
    ],
)
def test_what_is_asked_of_a_camera(wanted: Wanted, fourcc: str, raw: bool) -> None:
    request = request_for(wanted, "linux")
    assert (request.fourcc, request.raw) == (fourcc, raw)
    assert not request_for(wanted, "win32").raw


def test_opening_names_what_is_there_on_a_machine_without_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    lister: Callable[[], list[CameraDevice]] = list
    monkeypatch.setattr(camera, "list_cameras", lister)
    with pytest.raises(CaptureError, match="no camera found; plug one in"):
        camera.open("", Wanted())


def test_frames_are_frames(device: CameraDevice, clip: Path) -> None:
    capture, _ = opened(device, clip, Looping)
    assert isinstance(capture.read(), Frame)
    capture.close()
