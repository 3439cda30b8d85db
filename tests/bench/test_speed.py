"""`live bench speed` without a stopwatch: what it plays, what it refuses, and whether its report keeps its word."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from live.bench import process, reel, speed
from live.bench.reel import Reel
from live.bench.speed import Wish, measure, table
from live.capture.contract import Wanted
from live.cli import main
from live.config import load_preset
from live.errors import UsageError
from live.faces.detector import Detector
from live.resources import models_dir
from live.values import PixelFormat

SMALL = ["capture.width_px=320", "capture.height_px=240"]


def wanted(*, size=(320, 180), fps=30.0, format=PixelFormat.NV12, live=False) -> Wanted:
    return Wanted(*size, fps, format, live=live)


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(reel, "MOST_FRAMES", 6)


def test_the_pictures_run_to_and_fro_and_belong_to_the_reader():
    capture = Reel(wanted())
    frames = [capture.read() for _ in range(11)]
    assert [frame.number for frame in frames] == list(range(11))
    assert np.array_equal(frames[0].planes[0], frames[10].planes[0])
    assert np.array_equal(frames[4].planes[0], frames[6].planes[0])
    assert not np.array_equal(frames[5].planes[0], frames[0].planes[0])
    frames[10].planes[0][:] = 0
    assert capture.read().planes[0].any()
    assert frames[0].planes[0].any()


def test_no_more_is_kept_than_allowed(monkeypatch):
    monkeypatch.setattr(reel, "MOST_BYTES", 3 * 320 * 180 * 3 // 2)
    capture = Reel(wanted())
    frames = [capture.read() for _ in range(5)]
    assert np.array_equal(frames[0].planes[0], frames[4].planes[0])
    assert not np.array_equal(frames[0].planes[0], frames[2].planes[0])


def test_paced_pictures_are_due_on_a_grid_and_a_late_reader_loses_some():
    capture = Reel(wanted(fps=50.0, live=True))
    first = capture.read()
    second = capture.read()
    assert second.time_s - first.time_s == pytest.approx(0.02)
    assert time.monotonic() >= second.time_s
    while time.monotonic() < second.time_s + 0.09:
        time.sleep(0.01)
    late = capture.read()
    assert late.time_s - second.time_s >= 0.06
    assert (late.time_s - first.time_s) / 0.02 == pytest.approx(round((late.time_s - first.time_s) / 0.02))
    capture.close()
    assert capture.read() is None


@pytest.mark.parametrize("format", [PixelFormat.NV12, PixelFormat.BGR])
def test_several_people_stand_side_by_side_as_large_as_one(format):
    detector = Detector(models_dir() / "detector.onnx")
    found = {}
    for faces in (1, 3):
        frame = Reel(wanted(size=(1280, 720), format=format), faces=faces).read()
        assert (frame.width_px, frame.height_px, frame.format) == (1280, 720, format)
        found[faces] = detector.detect(*detector.thumbnail(frame))
    assert len(found[1]) == 1
    assert len(found[3]) == 3
    alone = found[1][0].box[2] - found[1][0].box[0]
    assert all(d.box[2] - d.box[0] == pytest.approx(alone, rel=0.15) for d in found[3])


def test_people_who_do_not_fit_are_refused_with_how_many_do():
    with pytest.raises(UsageError, match=r"at most 3 with --faces"):
        Reel(wanted(size=(320, 240)), faces=4)


def test_the_report_holds_every_key_it_promises(monkeypatch):
    monkeypatch.setattr(speed, "WARM_UP_S", 0.5)
    wish = Wish(seconds=0.5, faces=2)
    report = measure(load_preset("fast", [*SMALL, "capture.width_px=640", "capture.format=nv12"]), wish)
    columns = re.findall(r"^    (\S.*?)   ", speed.__doc__, re.MULTILINE)
    promised = {key for column in columns for key in column.split(", ")}
    assert "latency_ms" in promised
    assert set(report["modes"]) == set(report["alone"]) == {"paced", "saturated"}
    for numbers in report["modes"].values():
        assert set(numbers) == promised
        assert numbers["size"] == "640x240"
        assert numbers["format"] == "nv12"
        assert numbers["faces"] == 2
        assert numbers["fps_out"] > 0
        assert numbers["further_face_ms"] is not None
    assert report["alone"]["paced"]["further_face_ms"] is None
    assert report["modes"]["saturated"]["counts"].get("slate", 0) == 0
    text = table(report)
    assert "2 faces" in text
    assert "each further face" in text


@pytest.mark.skipif(process.memory_mb() is None, reason="no /proc")
def test_a_soak_tells_the_memory_of_every_minute(monkeypatch):
    monkeypatch.setattr(speed, "WARM_UP_S", 0.1)
    monkeypatch.setattr(speed, "MINUTE_S", 0.2)
    report = measure(load_preset("fast", SMALL), Wish(soak_minutes=3))
    assert set(report["modes"]) == {"soak"}
    assert len(report["modes"]["soak"]["memory_mb"]) == 4
    assert min(report["modes"]["soak"]["memory_mb"]) > 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--input", "clip.mp4", "--size", "640x360"], "--size is for --input demo"),
        (["--input", "clip.mp4", "--faces", "2"], "--faces 2 is for --input demo"),
        (["--size", "large"], "write it like 1280x720"),
        (["--faces", "6"], "faces.most=6"),
        (["--fps", "1000"], "fps"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(arguments, said, capsys):
    assert main(["bench", "speed", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


def test_a_clip_is_decoded_in_the_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(speed, "WARM_UP_S", 0.2)
    clip = tmp_path / "clip.mp4"
    made = ["--input", "demo", "--output", str(clip), "--pace", "max", "--duration", "1", "--set", "engine=none"]
    sized = [text for key in [*SMALL, "privacy.unproven=pass"] for text in ("--set", key)]
    assert main([*made, *sized]) == 0
    report = measure(load_preset("fast"), Wish(str(clip), seconds=1.5))
    assert report["modes"]["saturated"]["size"] == "320x240"
    assert report["modes"]["saturated"]["counts"]["in"] > 30  # longer than the clip: it starts over
