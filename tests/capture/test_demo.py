"""The demo person: a face that moves like somebody at a webcam, the same at every run, and says where it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from live.capture import open_capture
from live.capture.contract import Wanted
from live.capture.demo import DemoCapture
from live.capture.gestures import gesture_at
from live.errors import UsageError
from live.pixels.host import to_bgr
from live.pixels.people import people_names, read_person
from live.values import Frame, PixelFormat

UNPACED = Wanted(live=False)
EYES = ((159, 145), (386, 374))
FPS = 30


def frame_of(capture: object) -> Frame:
    frame = capture.read()  # type: ignore[attr-defined]
    assert isinstance(frame, Frame)
    return frame


def first_number(wish: str, least: float) -> int:
    return next(n for n in range(3000) if getattr(gesture_at(n / FPS), wish) >= least)


def frame_number(capture: DemoCapture, number: int) -> Frame:
    capture._number = number  # frames depend on their number only; a test need not draw those before
    return frame_of(capture)


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoCapture]:
    capture = open_capture("demo", UNPACED)
    assert isinstance(capture, DemoCapture)
    yield capture
    capture.close()


def test_by_default_it_is_a_720p_webcam_at_30_fps(demo: DemoCapture) -> None:
    frame = frame_of(demo)
    assert (demo.info.width_px, demo.info.height_px, demo.info.fps) == (1280, 720, 30)
    assert (frame.width_px, frame.height_px) == (1280, 720)
    assert frame.format == demo.info.format == PixelFormat.I420


def test_frame_n_is_the_same_in_every_run() -> None:
    wanted = Wanted(live=False, width_px=320, height_px=180)
    one, other = open_capture("demo", wanted), open_capture("demo", wanted)
    for _ in range(4):
        frame_of(one)
    late, early = frame_of(one), frame_number(other, 4)  # type: ignore[arg-type]
    assert late.number == early.number == 4
    for plane, again in zip(late.planes, early.planes):
        np.testing.assert_array_equal(plane, again)


def test_consecutive_frames_differ_and_their_planes_are_the_readers_own(demo: DemoCapture) -> None:
    first = frame_number(demo, 40)
    kept = first.planes[0].copy()
    second = frame_of(demo)
    assert (first.planes[0] != second.planes[0]).any()
    first.planes[0][:] = 0
    again = frame_number(demo, 40)
    np.testing.assert_array_equal(again.planes[0], kept)


@pytest.mark.parametrize("name", people_names())
def test_everybody_can_be_the_demo_person(name: str) -> None:
    capture = open_capture(f"demo:{name}", Wanted(live=False, width_px=320, height_px=180))
    assert name in capture.info.name
    assert frame_of(capture).planes[0].std() > 20


def test_it_blinks_and_the_lids_really_close(demo: DemoCapture) -> None:
    shut, open_ = first_number("blink", 1.0), next(n for n in range(300) if gesture_at(n / FPS).blink == 0)
    for upper, lower in EYES:
        gaps = [np.linalg.norm(np.diff(demo.landmarks(n)[[upper, lower], :2], axis=0)) for n in (shut, open_)]
        assert gaps[0] < 1.0 < 5.0 < gaps[1]
    assert pupils(demo, shut) > pupils(demo, open_) + 40


def pupils(capture: DemoCapture, number: int) -> float:
    """Luma 0..255 where the pupils are: dark, or the lid's skin before them."""
    luma, points = frame_number(capture, number).planes[0], capture.landmarks(number)
    return float(np.mean([cv2.getRectSubPix(luma, (5, 3), tuple(map(float, points[eye, :2]))) for eye in (468, 473)]))


def test_the_mouth_opens_dark_where_the_landmarks_say(demo: DemoCapture) -> None:
    number = first_number("jaw", 0.75)
    points = demo.landmarks(number)
    inner = points[[13, 14], :2]
    assert inner[1, 1] - inner[0, 1] > 10
    luma = frame_number(demo, number).planes[0].astype(int)
    x, y = np.rint(inner[0] * 0.3 + inner[1] * 0.7).astype(int)
    lip_x, lip_y = np.rint((inner[1] + points[17, :2]) / 2).astype(int)
    assert luma[y - 1 : y + 2, x - 3 : x + 4].mean() < luma[lip_y - 1 : lip_y + 2, lip_x - 3 : lip_x + 4].mean() - 35


def test_the_landmarks_are_where_the_picture_shows_them(demo: DemoCapture) -> None:
    """Patches of the rest picture around firm landmarks are found again within two pixels of where they should be."""
    firm = [33, 133, 362, 263, 4, 48, 278, 70, 300]
    rest = min(range(0, 900), key=lambda n: movement(demo, n))
    before, at = frame_number(demo, rest).planes[0], demo.landmarks(rest)
    for number in sorted(range(0, 900, 10), key=lambda n: -movement(demo, n))[:4]:
        if gesture_at(number / FPS).blink > 0:
            continue
        now, there = frame_number(demo, number).planes[0], demo.landmarks(number)
        errors = [found_px(before, at[point, :2], now, there[point, :2]) for point in firm]
        assert np.median(errors) < 1.5, (number, errors)
        assert movement(demo, number) > 8


def movement(capture: DemoCapture, number: int) -> float:
    rest = capture._puppet._rest[:, :2]
    blink = 100 * (gesture_at(number / FPS).blink > 0)
    return float(np.abs(capture.landmarks(number)[:, :2] - rest).mean()) + blink * (number % 10 != 0)


def found_px(before: np.ndarray, at: np.ndarray, now: np.ndarray, there: np.ndarray) -> float:
    patch = cv2.getRectSubPix(before, (25, 25), tuple(map(float, at)))
    window = cv2.getRectSubPix(now, (49, 49), tuple(map(float, there)))
    score = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(score.argmax(), score.shape)
    return float(np.hypot(x - 12, y - 12))


def test_the_head_turns_in_depth(demo: DemoCapture) -> None:
    """Turning moves the nose against the outline, as flat pictures cannot."""

    def nose(number: int) -> float:
        points = demo.landmarks(number)
        return float((points[4, 0] - points[234, 0]) / (points[454, 0] - points[234, 0]))

    turned = [nose(number) for number in range(0, 1800, 10)]
    yaws = [gesture_at(number / FPS).yaw_deg for number in range(0, 1800, 10)]
    assert max(turned) - min(turned) > 0.08
    assert np.corrcoef(turned, yaws)[0, 1] > 0.95


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1920, 1080), (640, 360), (480, 640), (160, 160)])
def test_the_face_fits_any_size(width: int, height: int) -> None:
    capture = open_capture("demo:ada", Wanted(live=False, width_px=width, height_px=height))
    frame = frame_of(capture)
    assert (frame.width_px, frame.height_px) == (width, height)
    points = capture.landmarks(0)  # type: ignore[attr-defined]
    assert points[:, 0].min() > 0.1 * width
    assert points[:, 0].max() < 0.9 * width
    assert points[:, 1].min() > 0
    assert points[:, 1].max() < 0.8 * height


def test_it_comes_in_the_format_that_is_wanted() -> None:
    frame = frame_of(open_capture("demo", Wanted(live=False, width_px=320, height_px=180, format=PixelFormat.BGR)))
    assert frame.format is PixelFormat.BGR
    assert frame.planes[0].shape == (180, 320, 3)


@pytest.mark.parametrize(
    ("address", "wanted", "said"),
    [
        ("demo:nobody", UNPACED, "ada, "),
        ("demo", Wanted(width_px=64, height_px=36), "160 to 3840"),
        ("demo", Wanted(width_px=100_000, height_px=100_000), "160 to 3840"),
        ("demo", Wanted(fps=-1), "fps"),
        ("demo", Wanted(fps=float("nan")), "fps"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(address: str, wanted: Wanted, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        open_capture(address, wanted)
    assert "\n" not in str(refused.value)


def test_live_it_keeps_time_and_counts_from_the_schedule() -> None:
    capture = open_capture("demo", Wanted(width_px=160, height_px=160, fps=100))
    times = [frame_of(capture).time_s for _ in range(30)]
    assert abs(time.monotonic() - times[-1]) < 0.5
    steps = np.diff(times)
    assert steps.min() > 0.0099  # never ahead; a machine that is too busy may be late
    assert np.median(steps) == pytest.approx(0.01, abs=1e-4)
    capture.close()


def test_unpaced_it_does_not_wait_and_gives_media_time() -> None:
    capture = open_capture("demo", Wanted(width_px=160, height_px=160, fps=0.5, live=False))
    began_s = time.monotonic()
    frames = [frame_of(capture) for _ in range(4)]
    assert time.monotonic() - began_s < 4
    assert [frame.media_s for frame in frames] == [0, 2, 4, 6]


def test_closing_wakes_a_reader_that_waits() -> None:
    capture = open_capture("demo", Wanted(width_px=160, height_px=160, fps=0.01))
    frame_of(capture)
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.append(capture.read()))
    reader.start()
    capture.close()
    capture.close()
    reader.join(2)
    assert got == [None]
    assert capture.read() is None


def test_another_detector_finds_the_one_face_at_its_place(data: Path, demo: DemoCapture) -> None:
    detector = cv2.FaceDetectorYN_create(str(data / "judges" / "yunet.onnx"), "", (640, 360), 0.7)
    for number in range(0, 20 * FPS, 40):
        picture = cv2.resize(to_bgr(frame_number(demo, number)), (640, 360), interpolation=cv2.INTER_AREA)
        _, faces = detector.detect(picture)
        assert faces is not None, number
        assert len(faces) == 1
        points = demo.landmarks(number)[:, :2] / 2
        eyes = np.stack([points[[33, 133]].mean(axis=0), points[[362, 263]].mean(axis=0)])
        assert np.abs(faces[0, 4:8].reshape(2, 2) - eyes).max() < 0.12 * np.linalg.norm(points[33] - points[263])


def test_bundled_people_have_landmarks_on_their_features() -> None:
    for name in people_names():
        person = read_person(name)
        assert person.image.shape == (512, 512, 3)
        assert person.landmarks.shape == (478, 3)
        luma = cv2.GaussianBlur(cv2.cvtColor(person.image, cv2.COLOR_BGR2GRAY), (5, 5), 0).astype(int)

        def at(point: int, luma: np.ndarray = luma, points: np.ndarray = person.landmarks) -> int:
            x, y = np.rint(points[point, :2]).astype(int)
            return int(luma[y, x])

        assert max(at(468), at(473)) < min(at(50), at(280)) - 40, f"{name}: pupils are darker than cheeks"
        assert person.matte[5, 5] == 0
        assert person.matte[int(person.landmarks[4, 1]), int(person.landmarks[4, 0])] == 255
