import cv2
import numpy as np
import pytest

from live.bench.quality import (
    Judge,
    Labelled,
    measure_flicker,
    measure_likeness,
    measure_speed,
    read_clip,
    read_source,
    wear,
)
from live.swap.contract import Worn
from live.swap.mesh import MeshEngine
from live.values import Settings


class Stamp:
    """An engine that paints every face in one colour, or shows it as it is."""

    name, proves = "stamp", True

    def __init__(self, *levels, alpha=255):
        self.levels, self.alpha, self.calls = levels, alpha, 0

    def region(self, landmarks, width_px, height_px):
        low, high = landmarks[:468, :2].min(0).astype(int), landmarks[:468, :2].max(0).astype(int)
        return (
            int(max(low[0], 0)) & ~1,
            int(max(low[1], 0)) & ~1,
            int(min(high[0], width_px)),
            int(min(high[1], height_px)),
        )

    def prepare(self, source):
        pass

    def swap(self, jobs, settings):
        level = self.levels[self.calls % len(self.levels)]
        self.calls += 1
        return [
            Worn(np.full_like(job.region, level), np.full(job.region.shape[:2], self.alpha, np.uint8)) for job in jobs
        ]

    def forget(self, track):
        pass


@pytest.fixture(scope="module")
def face(data):
    return read_source(data / "faces" / "portraits", "00006.webp")


@pytest.fixture(scope="module")
def judge(data):
    return Judge(data / "judges" / "recogniser.onnx")


def frames_of(source, count=4):
    return [Labelled(source.image, source.landmarks) for _ in range(count)]


def test_the_judge_knows_a_person_again_and_tells_strangers_apart(data, judge, face):
    mine = judge.embed(face.image, face.landmarks)
    smaller = cv2.resize(face.image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    brighter = cv2.convertScaleAbs(smaller, alpha=1.15, beta=5)
    again = judge.embed(brighter, (face.landmarks + 0.5) * 0.6 - 0.5)
    stranger = read_source(data / "faces" / "portraits", "00043.webp")
    assert np.linalg.norm(mine) == pytest.approx(1, abs=1e-4)
    assert mine @ again > 0.8
    assert mine @ judge.embed(stranger.image, stranger.landmarks) < 0.4


def test_bare_faces_look_like_the_target_only(data, judge, face):
    target = read_source(data / "faces" / "portraits", "00043.webp")
    found = measure_likeness(Stamp(0, alpha=0), judge, frames_of(target), face, Settings())
    assert found.frames == 4
    assert found.nearer == 0
    assert found.to_target > 0.99


def test_the_embedded_engine_makes_a_stranger_look_like_the_source(data, judge, face):
    target = read_source(data / "faces" / "portraits", "00036.webp")
    engine = MeshEngine()
    found = {
        shape: measure_likeness(engine, judge, frames_of(target, 2), face, Settings(shape=shape)) for shape in (0, 1)
    }
    assert found[0].nearer == 1
    assert found[0].to_source > 0.3
    assert found[1].to_source > found[0].to_source


def test_flicker_counts_changes_inside_the_opacity(face):
    steady, bare = measure_flicker(Stamp(100), frames_of(face), face, Settings())
    assert steady == pytest.approx(0, abs=0.01)
    assert bare == pytest.approx(0, abs=0.01)
    flickering, _ = measure_flicker(Stamp(100, 110), frames_of(face), face, Settings())
    assert flickering == pytest.approx(10, abs=0.5)


def test_wearing_follows_the_opacity(face):
    picture, opacity = wear(Stamp(255, alpha=51), frames_of(face)[0], face, Settings())
    inside = opacity > 0
    expected = face.image[inside] * 0.8 + 51
    assert np.abs(picture[inside] - expected).max() <= 1
    assert np.array_equal(picture[~inside], face.image[~inside])


def test_speed_is_a_time(face):
    assert 0 < measure_speed(Stamp(1), frames_of(face), face, Settings()) < 1000


def test_clips_come_with_their_labels(data, tmp_path):
    points = np.random.default_rng(0).uniform(100, 200, (3, 478, 3)).astype(np.float32)
    name = "grid_bbaf2n.mpg"
    labels = tmp_path / "labels.npz"
    np.savez(labels, name=np.array([name] * 3), frame=[0, 2, 4], count=[1, 0, 2], landmarks=points)
    found = read_clip(data / "clips", labels, name, limit=9)
    assert [frame.image.ndim for frame in found] == [3, 3]
    assert np.array_equal(found[0].landmarks, points[0])
    assert np.array_equal(found[1].landmarks, points[1])
    assert len(read_clip(data / "clips", labels, name, limit=1)) == 1
