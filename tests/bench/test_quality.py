from __future__ import annotations

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from live import cli
from live.bench import faces_data
from live.bench.quality import Wish, measure, table
from live.bench.quality_material import read_source
from live.bench.report import write_json
from live.config import load_preset
from live.errors import LiveError, OutputError, UsageError
from live.swap.contract import Worn

CLIP = "us_house_AOC_512.mp4"  # she blinks at frame 10
SMALL = "grid_bbaf2n.mpg"
SOURCES = ("00006.webp", "00013.webp", "00046.webp")


class Faithful:
    """An engine that shows every face as it is, under a soft mask."""

    name, proves = "faithful", True
    softness = 0.08

    def region(self, landmarks, width_px, height_px):
        low, high = landmarks[:468, :2].min(0), landmarks[:468, :2].max(0)
        margin = 0.1 * (high - low)
        x1, y1 = np.clip(low - margin, 0, (width_px, height_px)).astype(int) & ~1
        x2, y2 = np.clip(high + margin, 0, (width_px, height_px)).astype(int) & ~1
        return int(x1), int(y1), int(x2), int(y2)

    def prepare(self, source):
        self.frames = 0

    def forget(self, track):
        pass

    def close(self):
        pass

    def swap(self, jobs, settings):
        self.frames += 1
        return [Worn(self.paint(job), self.mask(job)) for job in jobs]

    def paint(self, job):
        return job.region

    def mask(self, job):
        solid = np.zeros(job.region.shape[:2], np.uint8)
        low, high = job.landmarks[:468, :2].min(0), job.landmarks[:468, :2].max(0)
        cv2.ellipse(
            solid,
            ((low + high) / 2).astype(int).tolist(),
            ((high - low) * 0.42).astype(int).tolist(),
            0,
            0,
            360,
            255,
            -1,
        )
        blur = self.softness * float(high[0] - low[0])
        return cv2.GaussianBlur(solid, (0, 0), blur) if blur else solid


class Frozen(Faithful):
    """The first face it saw, for ever."""

    kept = None

    def paint(self, job):
        if self.kept is None:
            self.kept = job.region.copy(), job.landmarks.copy()
        picture, landmarks = self.kept
        points = [np.ascontiguousarray(points[:, :2]) for points in (landmarks, job.landmarks)]
        matrix, _ = cv2.estimateAffinePartial2D(*points, method=cv2.LMEDS)
        size = job.region.shape[1::-1]
        return cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)


class Flickering(Faithful):
    """Every other frame is brighter."""

    def paint(self, job):
        return cv2.convertScaleAbs(job.region, alpha=1, beta=20 * (self.frames % 2))


class HardEdged(Faithful):
    """A brighter face with a hard edge."""

    softness = 0.0

    def paint(self, job):
        return cv2.convertScaleAbs(job.region, alpha=1, beta=40)


class Spilling(Faithful):
    """Blue up to the odd edge of its region, where two pixels share one colour."""

    def region(self, landmarks, width_px, height_px):
        x1, y1, x2, y2 = super().region(landmarks, width_px, height_px)
        return x1, y1, x2 - 1, y2 - 1

    def paint(self, job):
        return np.full_like(job.region, (255, 0, 0))

    def mask(self, job):
        return np.full(job.region.shape[:2], 255, np.uint8)


class Fading(Faithful):
    """Takes itself back in every other frame."""

    def swap(self, jobs, settings):
        return [replace(worn, opacity=self.frames % 2) for worn in super().swap(jobs, settings)]


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A small folder of the bench's own layout."""
    place = tmp_path_factory.mktemp("quality")
    portraits = place / "faces" / "portraits"
    portraits.mkdir(parents=True)
    (place / "judges").mkdir()
    (place / "clips").mkdir()
    (place / "judges" / "recogniser.onnx").symlink_to(data / "judges" / "recogniser.onnx")
    for name in (CLIP, SMALL):
        (place / "clips" / name).symlink_to(data / "clips" / name)
    stored = faces_data.read_set(data / "faces" / "portraits" / "labels.npz")
    for name in SOURCES:
        shutil.copy(data / "faces" / "portraits" / name, portraits / name)
    rows = [stored.names.index(name) for name in SOURCES]
    np.savez(portraits / "labels.npz", name=np.array(SOURCES), landmarks=stored.landmarks[rows])
    return place


def judged(folder, engine, frames, clip=SMALL):
    wish = Wish(folder, clips=(clip,), sources=SOURCES[:1], limit=frames, shapes=(0.0,))
    preset = load_preset("fast", ["engine=mesh", "faces.masks=false"])
    return measure(preset, wish, engines=lambda _: engine)["total"]["0"]


def test_a_face_shown_as_it_is_keeps_everything_and_looks_like_nobody_else(folder):
    found = judged(folder, Faithful(), 20, CLIP)
    assert found["frames"] == 20
    assert found["judged"] == 7
    assert found["nearer_percent"] == 0
    assert found["to_target"] > 0.98
    assert found["displacement_percent"] < 0.1
    assert found["pose_deg"] < 0.3
    assert found["closed_frames"] >= 2
    assert found["blink_agreement_percent"] == 100
    assert found["mouth_frames"] >= 5
    assert found["mouth_agreement_percent"] == 100
    assert found["lids_correlation"] > 0.98
    assert found["flicker_ratio"] == pytest.approx(1, abs=0.05)
    assert found["seam_ratio"] == pytest.approx(1, abs=0.05)
    assert found["outline_seam_ratio"] == pytest.approx(1, abs=0.05)
    assert found["inner_seam_ratio"] == pytest.approx(1, abs=0.05)
    assert found["outside_pixels"] == found["face_lost_frames"] == found["refused"] == 0


def test_a_frozen_expression_is_found_out(folder):
    found = judged(folder, Frozen(), 20, CLIP)
    assert found["blink_agreement_percent"] < 95
    assert found["mouth_agreement_percent"] < 95
    assert found["mouth_correlation"] < 0.6
    assert found["lids_correlation"] < 0.6
    assert found["displacement_percent"] > 0.3


def test_flicker_and_hard_edges_and_faded_faces_are_found_out(folder):
    steady = judged(folder, Faithful(), 8)
    assert judged(folder, Flickering(), 8)["flicker_ratio"] > 2 * steady["flicker_ratio"]
    assert judged(folder, HardEdged(), 8)["seam_ratio"] > 1.3 * steady["seam_ratio"]
    fading = judged(folder, Fading(), 8)
    assert fading["shown_percent"] == 50
    assert fading["judged"] < steady["judged"]


def test_pixels_changed_outside_the_declared_region_are_counted(folder):
    assert judged(folder, Spilling(), 6)["outside_pixels"] > 100


def test_the_whole_report_with_labels_and_a_sheet(folder, tmp_path):
    preset = load_preset("fast", ["engine=mesh"])
    size = next(faces_data.clip_frames(folder / "clips" / SMALL, 1))[1].shape[1::-1]
    landmarks = np.stack([read_source(folder / "faces" / "portraits", SOURCES[0]).landmarks] * 2)
    landmarks[:, :, :2] += np.array(size) / 2 - landmarks[:, :, :2].mean(axis=1, keepdims=True)
    np.savez(tmp_path / "c.npz", name=np.array([SMALL] * 2), frame=[0, 4], count=[1, 1], landmarks=landmarks)
    sheet, file = tmp_path / "s.png", tmp_path / "r.json"
    wish = Wish(folder, tmp_path / "c.npz", (SMALL,), SOURCES[:2], 6, (0.0, 1.0), sheet, file)
    threads = cv2.getNumThreads()
    report = measure(preset, wish)
    assert cv2.getNumThreads() == threads
    write_json(report, file)
    assert json.loads(file.read_text()) == report
    assert list(report["total"]) == ["0", "1"]
    assert list(report["clips"]) == [SMALL]
    assert list(report["sources"]) == list(SOURCES[:2])
    assert report["people"] == 4
    assert report["total"]["0"]["identified_percent"] is None  # of four people
    assert report["total"]["0"]["judged"] == 4  # two labelled frames, two source faces
    assert report["total"]["0"]["swap_ms"] > 0
    assert cv2.imread(str(sheet)).shape[1] == 7 * 224
    text = table(report)
    assert text.count(SMALL) == 2
    assert "evidence: 4 frames judged for likeness" in text


def test_without_labels_faces_of_portraits_are_found(folder, tmp_path):
    shutil.copy(folder / "faces" / "portraits" / SOURCES[0], tmp_path / SOURCES[0])
    with pytest.raises(UsageError, match="no label of a face"):
        read_source(tmp_path, SOURCES[0])
    from live.studio import look_at_photos

    found = read_source(tmp_path, SOURCES[0], look_at_photos())
    assert found.landmarks.shape == (478, 3)
    assert found.landmarks[:, :2].min() > 0
    assert (found.landmarks[:, :2].max(axis=0) < found.image.shape[1::-1]).all()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("", "there is no folder"),
        ("faces", "faces/portraits; put pictures"),
        ("faces/portraits/00006.webp", "no picture 00006.webp"),
        ("judges/recogniser.onnx", "there is no judge"),
        ("clips", "holds no clips"),
    ],
)
def test_what_is_missing_is_said_in_one_line(folder, tmp_path, capsys, broken, words):
    place = tmp_path / "data"
    shutil.copytree(folder, place, symlinks=True)
    gone = place / broken
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert cli.main(["bench", "quality", "--data", str(place), "--sources", SOURCES[0]]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert words in said[0]


def test_clips_without_one_clear_face_are_left_out_or_refused(folder, tmp_path):
    place = tmp_path / "data"
    shutil.copytree(folder, place, symlinks=True)
    writer = cv2.VideoWriter(str(place / "clips" / "grey.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for _ in range(6):
        writer.write(np.full((240, 320, 3), 127, np.uint8))
    writer.release()
    preset = load_preset("fast", ["engine=mesh", "faces.masks=false"])
    wish = Wish(place, clips=("grey.avi", SMALL), sources=SOURCES[:1], limit=6, shapes=(0.0,))
    report = measure(preset, wish, engines=lambda _: Faithful())
    assert list(report["clips"]) == [SMALL]
    assert "0 of 6 frames" in report["left_out"]["grey.avi"]
    assert "left out: grey.avi" in table(report)
    with pytest.raises(UsageError, match="no clip can be used"):
        measure(preset, replace(wish, clips=("grey.avi",)), engines=lambda _: Faithful())
    with pytest.raises(UsageError, match=r"did you mean grey\.avi"):
        measure(preset, replace(wish, clips=("gray.avi",)))


def test_places_and_judges_are_looked_at_before_the_long_work(folder, tmp_path):
    with pytest.raises(OutputError, match="--json"):
        measure(load_preset(), Wish(folder, json=tmp_path / "none" / "r.json"))
    place = tmp_path / "data"
    shutil.copytree(folder, place, symlinks=True)
    (place / "judges" / "recogniser.onnx").unlink()
    (place / "judges" / "recogniser.onnx").write_bytes(b"no network")
    with pytest.raises(LiveError, match="cannot serve as a judge"):
        measure(load_preset(), Wish(place))


def test_the_embedded_engine_makes_a_stranger_look_like_the_source(folder):
    report = measure(
        load_preset("fast", ["engine=mesh"]), Wish(folder, clips=(SMALL,), sources=SOURCES[:1], limit=6, shapes=(0.0,))
    )
    found = report["total"]["0"]
    assert found["nearer_percent"] == 100
    assert found["to_source"] > 0.3
    assert found["outside_pixels"] == 0
