"""The tracker's decisions, with a detector and a landmarker that see faces where the test puts them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from live.faces.landmarker import SIDE_PX
from live.faces.smoothing import OneEuro
from live.faces.tracker import Options, Tracker
from live.faces.tracks import Track, box_of, note_motion, without_doubles
from live.pixels import host
from live.values import Detection, Frame

FACE = np.random.default_rng(0).uniform(-50, 50, (478, 3)).astype(np.float32)
FACE[33, :2], FACE[263, :2] = (-30, -10), (30, -10)
FACE[0, :2], FACE[1, :2] = (-50, -50), (50, 50)


@dataclass
class World:
    """Where faces are, what the detector sees of them, how sure the landmarker is."""

    faces: list[tuple[float, float]]
    seen: list[tuple[float, float]] | None = None
    sure: float = 0.95
    picture: int = 100
    looks: list[int] = field(default_factory=list)

    def frame(self) -> Frame:
        return host.bgr_frame(np.full((360, 640, 3), self.picture, np.uint8), time_s=0.0, number=0)

    # the detector
    def thumbnail(self, frame: Frame) -> tuple[np.ndarray, float]:
        return frame.planes[0][::2, ::2], 0.5

    detected: float = 0.95

    def detect(self, thumbnail: np.ndarray, scale: float) -> list[Detection]:
        places = self.faces if self.seen is None else self.seen
        points = np.array([(-30, -10), (30, -10), (0, 10), (-20, 30), (20, 30)], np.float32)
        return [
            Detection((x - 50, y - 50, x + 50, y + 50), self.detected, points + np.array((x, y), np.float32))
            for x, y in places
        ]

    # the landmarker
    def look(self, frame: Frame, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.looks.append(len(matrices))
        landmarks, scores = [], []
        for matrix in matrices:
            centre = np.linalg.solve(matrix[:, :2], SIDE_PX / 2 - matrix[:, 2])
            near = [place for place in self.faces if np.hypot(*(centre - place)) < 40]
            place = near[0] if near else (0.0, 0.0)
            landmarks.append(FACE + np.array((*place, 0), np.float32))
            scores.append(self.sure if near else 0.05)
        return np.stack(landmarks), np.array(scores, np.float32)


def tracker(world: World, **options: object) -> Tracker:
    return Tracker(world, world, Options(**options))  # type: ignore[arg-type]


def test_a_face_keeps_its_track_while_it_moves() -> None:
    world = World([(200, 150)])
    follow = tracker(world)
    tracks = set()
    for i in range(20):
        world.faces = [(200 + 5 * i, 150)]
        faces, seen = follow.look(world.frame(), i / 30)
        tracks |= {face.track for face in faces}
        assert not seen.lost
        assert not seen.unmatched
    assert tracks == {0}


def test_a_newcomer_is_followed_in_his_first_frame() -> None:
    world = World([(150, 150)])
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.faces = [(150, 150), (450, 200)]
    faces, seen = follow.look(world.frame(), 1 / 30)
    assert [face.track for face in faces] == [0, 1]
    assert len(seen.found) == 2


def test_a_face_that_leaves_is_told_as_lost_once() -> None:
    world = World([(150, 150)])
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.faces = []
    first, second = follow.look(world.frame(), 1 / 30)[1], follow.look(world.frame(), 2 / 30)[1]
    assert len(first.lost) == 1
    assert not second.lost


def test_a_face_that_the_detector_misses_is_still_followed() -> None:
    world = World([(150, 150)])
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.seen = []
    for i in range(1, 30):
        faces, seen = follow.look(world.frame(), i / 30)
        assert len(faces) == 1
        assert not seen.lost


def test_a_doubtful_face_that_the_detector_never_confirms_is_given_up() -> None:
    world = World([(150, 150)], sure=0.7)
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.seen = []  # from now on the detector sees nobody
    lost = [bool(follow.look(world.frame(), i / 30)[1].lost) for i in range(1, 90)]
    assert sum(lost) == 1
    assert lost.index(True) / 30 > 1.5


def test_more_faces_than_allowed_are_told_as_unmatched() -> None:
    world = World([(100, 150), (300, 150), (500, 150)])
    faces, seen = tracker(world, most=2).look(world.frame(), 0.0)
    assert len(faces) == 2
    assert len(seen.unmatched) == 1


def test_a_detection_that_is_no_face_on_a_closer_look_is_forgotten() -> None:
    world = World([], seen=[(300, 150)], detected=0.6)
    faces, seen = tracker(world).look(world.frame(), 0.0)
    assert not faces
    assert not seen.unmatched
    assert not seen.doubtful


def test_a_sure_detection_that_cannot_be_followed_is_told() -> None:
    world = World([(300, 150)], sure=0.1)
    faces, seen = tracker(world).look(world.frame(), 0.0)
    assert not faces
    assert len(seen.unmatched) == 1


def test_a_weak_detection_that_might_be_a_face_is_told_as_doubtful() -> None:
    world = World([(300, 150)], sure=0.45, detected=0.6)
    faces, seen = tracker(world).look(world.frame(), 0.0)
    assert not faces
    assert len(seen.doubtful) == 1


def test_a_weak_track_is_a_face_only_after_a_while() -> None:
    world = World([(300, 150)], detected=0.6)
    follow = tracker(world)
    for i in range(20):
        faces, seen = follow.look(world.frame(), i / 30)
        assert len(faces) + len(seen.doubtful) == 1
        assert bool(faces) == (i / 30 >= 0.3)


def test_a_weak_track_that_ends_at_once_is_told_as_doubtful() -> None:
    world = World([(300, 150)], detected=0.6)
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.faces = []
    _, seen = follow.look(world.frame(), 1 / 30)
    assert len(seen.doubtful) == 1
    assert not seen.lost


def test_a_weak_track_that_lasted_is_told_as_lost() -> None:
    world = World([(300, 150)], detected=0.6)
    follow = tracker(world)
    for i in range(20):
        follow.look(world.frame(), i / 30)
    world.faces = []
    assert len(follow.look(world.frame(), 20 / 30)[1].lost) == 1


def test_a_scene_cut_starts_new_tracks() -> None:
    world = World([(150, 150)])
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.picture = 230
    faces, seen = follow.look(world.frame(), 1 / 30)
    assert seen.cut
    assert [face.track for face in faces] == [1]


def test_all_followed_faces_are_looked_at_in_one_run() -> None:
    world = World([(100, 150), (300, 150), (500, 150)])
    follow = tracker(world)
    follow.look(world.frame(), 0.0)
    world.looks.clear()
    follow.look(world.frame(), 1 / 30)
    assert world.looks == [3]


def test_a_shaken_camera_is_no_scene_cut() -> None:
    world = World([(150, 150)])
    follow = tracker(world)
    stripes = np.repeat(np.arange(16) % 2 * 180 + 30, 40).astype(np.uint8)
    for i in range(10):
        shaken = np.repeat(np.roll(stripes, 40 * (i % 2))[None, :, None], 360, axis=0).repeat(3, axis=2)
        faces, seen = follow.look(host.bgr_frame(np.ascontiguousarray(shaken), time_s=0.0, number=i), i / 30)
        assert not seen.cut
    assert [face.track for face in faces] == [0]


@pytest.mark.parametrize("every", [2, 5])
def test_the_detector_rests_between_its_turns(every: int) -> None:
    world = World([(150, 150)])
    follow = tracker(world, detector_every=every)
    follow.look(world.frame(), 0.0)
    world.faces.append((450, 200))
    found = [len(follow.look(world.frame(), i / 30)[0]) for i in range(1, 7)]
    assert found.index(2) == every - 1


def test_a_track_that_is_on_somebody_else_is_smoothed_anew() -> None:
    world = World([(150, 150), (450, 150)])
    follow = tracker(world, steadiness=1.0)
    numbers = [0, 1]
    follow._people.recognise = lambda faces, *rest, **keys: numbers  # type: ignore[method-assign,assignment]
    for i in range(10):
        follow.look(world.frame(), i / 30)
    world.faces = [(175, 150), (425, 150)]
    late = follow.look(world.frame(), 10 / 30)[0]
    assert abs(late[0].landmarks[:, 0].mean() - FACE[:, 0].mean() - 175) > 1
    world.faces, numbers[:] = [(150, 150), (450, 150)], [1, 0]
    jumped = follow.look(world.frame(), 11 / 30)[0]
    assert [face.person for face in jumped] == [1, 0]
    for face, x in zip(jumped, (150, 450), strict=True):
        assert np.allclose(face.landmarks[:, :2], FACE[:, :2] + np.array((x, 150)))


@pytest.mark.parametrize("in_front", [0, 1])
def test_of_two_tracks_on_one_face_the_one_that_got_there_as_expected_stays(in_front: int) -> None:
    def go(track: Track, x: float) -> None:
        raw = FACE + np.array((x, 150, 0), np.float32)
        note_motion(track, box_of(raw))
        track.raw, track.box = raw, box_of(raw)

    starts = (100, 300) if in_front == 0 else (300, 100)
    tracks = [
        Track(n, FACE + np.array((x, 150, 0), np.float32), 0.9, 0, 0, True, OneEuro(0)) for n, x in enumerate(starts)
    ]
    for front, behind in ((110, 290), (120, 280), (130, 270), (140, 140)):  # the last: the hidden one's hops
        go(tracks[in_front], front)
        go(tracks[1 - in_front], behind)
    assert [track.number for track in without_doubles(tracks, 1.0)] == [in_front]


def test_a_new_track_gives_way_to_one_that_was_there() -> None:
    raw = FACE + np.array((100, 150, 0), np.float32)
    old, new = (Track(number, raw, 0.9, 1.0, begun_s, True, OneEuro(0)) for number, begun_s in ((0, 0.5), (1, 1.0)))
    old.surprise = 0.5
    assert without_doubles([old, new], 1.0) == [old]
