"""Who is who: with faces put where the test wants them, in a drawn scene, and on clips of several people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from live.capture import open_capture
from live.capture.contract import Wanted
from live.config import load_preset
from live.faces.people import DOUBT_S, FORGET_S, YOUNG_S, People
from live.pixels.people import read_person
from live.studio import build_tracker
from live.values import Face, Frame
from tests.faces.walkers import crossing

FRAME_S = 1 / 30
FACE = read_person("ada").landmarks
FACE = (FACE - FACE[:468].mean(axis=0)) * np.float32(60 / np.ptp(FACE[:468, 1]))
RED, BLUE, GREEN, GREY = (60, 60, 170), (150, 90, 60), (70, 150, 70), (100, 110, 120)

SHADE = (0.8, 0.87, 0.97)


class Stage:
    """Painted people: each a block of hair and sides of one colour around skin of another."""

    def __init__(self) -> None:
        self.people = People()
        self.now_s = 0.0

    def show(self, *there: tuple[int, float, tuple[int, int, int]], cut: bool = False, passed_s: float = FRAME_S):
        """One frame. Args: there: (track, x px of the middle, colour) per face.  Returns: numbers by track."""
        self.now_s += passed_s
        picture = np.full((180, 640, 3), 128, np.uint8)
        faces = []
        for track, x, colour in there:
            left = int(x)
            picture[20:140, max(left - 36, 0) : left + 36] = [part // 2 for part in colour]
            picture[62:130, max(left - 22, 0) : left + 22] = colour
            landmarks = FACE + np.array((x, 95, 0), np.float32)
            box = (*landmarks[:468, :2].min(axis=0).tolist(), *landmarks[:468, :2].max(axis=0).tolist())
            faces.append(Face(landmarks, box, 0.9, track))
        numbers = self.people.recognise(faces, picture, 1.0, self.now_s, cut=cut)
        return dict(zip((face.track for face in faces), numbers, strict=True))

    def go_on(self, *there: tuple[int, float, tuple[int, int, int]], seconds: float = 1.0):
        for _ in range(round(seconds / FRAME_S)):
            numbers = self.show(*there)
        return numbers


def test_people_are_numbered_as_they_come_and_several_at_once_from_the_left() -> None:
    stage = Stage()
    assert stage.show((7, 500, RED), (8, 100, BLUE)) == {7: 1, 8: 0}
    assert stage.show((7, 500, RED), (8, 100, BLUE), (9, 300, GREEN)) == {7: 1, 8: 0, 9: 2}


def test_who_is_lost_and_found_has_the_number_again_wherever_the_face_is() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    stage.go_on((0, 100, RED), seconds=5)
    assert stage.show((0, 100, RED), (2, 300, BLUE)) == {0: 0, 2: 1}


def test_who_looks_like_nobody_known_is_a_new_person() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    stage.go_on((0, 100, RED), seconds=5)
    assert stage.show((0, 100, RED), (2, 500, GREEN)) == {0: 0, 2: 2}


def test_at_the_place_where_somebody_was_lost_a_moment_ago_half_a_likeness_is_enough() -> None:
    shaded = tuple(int(part * weight) for part, weight in zip(RED, SHADE))
    near, far = Stage(), Stage()
    for stage in (near, far):
        stage.go_on((0, 100, RED))
        stage.show()
    assert near.show((1, 105, shaded)) == {1: 0}
    assert far.show((1, 500, shaded)) == {1: 1}


def test_after_a_cut_the_place_says_nothing() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED))
    assert stage.show((1, 105, tuple(int(part * weight) for part, weight in zip(RED, SHADE))), cut=True) == {1: 1}


def test_after_a_cut_everybody_is_known_by_looks_alone() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    assert stage.show((2, 100, BLUE), (3, 500, RED), cut=True) == {2: 1, 3: 0}
    assert stage.show((4, 100, GREEN), cut=True) == {4: 2}
    assert stage.show((5, 300, RED), cut=True) == {5: 0}


def test_tracks_whose_people_changed_places_are_put_right_in_the_same_frame() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    assert stage.show((0, 100, BLUE), (1, 500, RED)) == {0: 1, 1: 0}


def test_a_track_that_hops_onto_the_face_in_front_takes_its_person_along() -> None:
    stage = Stage()
    stage.go_on((0, 250, RED), (1, 390, BLUE))
    for step in range(10):
        stage.show((0, 250 + 5 * step, RED), (1, 390 - 5 * step, BLUE))
    assert stage.show((1, 310, RED)) == {1: 0}  # its own face is hidden, the other track ended
    assert stage.show((1, 330, RED), (2, 280, BLUE)) == {1: 0, 2: 1}


def test_one_face_under_a_new_lamp_stays_the_same_person() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    assert stage.go_on((0, 100, GREEN), (1, 500, BLUE), seconds=2 * DOUBT_S) == {0: 0, 1: 1}


def test_whoever_comes_half_hidden_is_known_when_seen_whole() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    stage.go_on((0, 100, RED), seconds=10)
    half, nearly = (141, 87, 71), (147, 89, 63)
    assert stage.show((0, 100, RED), (2, 300, half)) == {0: 0, 2: 2}
    assert stage.show((0, 100, RED), (2, 303, nearly), passed_s=YOUNG_S / 2) == {0: 0, 2: 1}
    assert len(stage.people._known) == 2  # the one there seemed to be is forgotten


def test_two_who_were_seen_together_never_become_one() -> None:
    stage = Stage()
    stage.show((0, 100, RED), (1, 160, RED))
    stage.show((0, 110, RED), (1, 150, RED))
    assert stage.show((0, 120, RED)) == {0: 0}
    assert stage.show((0, 130, RED), (2, 90, RED)) == {0: 0, 2: 1}


def test_who_left_long_ago_is_forgotten_and_the_number_given_again() -> None:
    stage = Stage()
    stage.go_on((0, 100, RED), (1, 500, BLUE))
    stage.go_on((0, 100, RED))
    assert stage.show((0, 100, RED), (2, 500, GREEN), passed_s=FORGET_S + 1) == {0: 0, 2: 1}


def test_more_people_than_can_be_remembered_are_no_trouble() -> None:
    stage = Stage()
    for number in range(60):
        colour = (40 + 37 * number % 180, 40 + 53 * number % 180, 40 + 71 * number % 180)
        assert len(stage.show((number, 100 + 7 * number, colour), cut=True)) == 1
    assert len(stage.people._known) <= 17


def wrong_numbers(scene: Iterator[tuple[Frame, float, float]]) -> tuple[list[int], set[int]]:
    """Follow a crossing. Returns: the frames in which somebody's number was wrong, and all numbers there were."""
    tracker, home, wrong, numbers = build_tracker(load_preset("balanced")), {}, [], set()
    for number, (frame, front, behind) in enumerate(scene):
        faces, _ = tracker.look(frame, number * FRAME_S)
        if abs(front - behind) < 40:
            continue  # one hides the other
        for face in faces:
            middle = (face.box[0] + face.box[2]) / 2
            who = "front" if abs(middle - front) < abs(middle - behind) else "behind"
            numbers.add(face.person)
            if home.setdefault(who, face.person) != face.person:
                wrong.append(number)
    assert len(home) == 2
    return wrong, numbers


@pytest.mark.parametrize(
    ("front", "behind", "frames"),
    [("jonas", "luis", 30), ("ada", "bruno", 45), ("goran", "amara", 45)],
)
def test_people_who_walk_past_each_other_keep_their_numbers(front: str, behind: str, frames: int) -> None:
    assert wrong_numbers(crossing(front, behind, frames)) == ([], {0, 1})


def people_in(path: Path) -> list[list[tuple[tuple[float, ...], int]]]:
    """Box and number of everybody in every frame of a clip."""
    tracker = build_tracker(load_preset("balanced"))
    capture = open_capture(str(path), Wanted(0, 0, 0, None, live=False))
    seen = []
    while (frame := capture.read()) is not None:
        if isinstance(frame, Frame):
            faces, _ = tracker.look(frame, len(seen) / 25)
            seen.append([(face.box, face.person) for face in faces])
    capture.close()
    return seen


def by_side(seen: Sequence[list[tuple[tuple[float, ...], int]]], middle_px: float) -> tuple[set[int], set[int]]:
    left, right = set(), set()
    for frame in seen:
        for box, number in frame:
            (left if box[0] + box[2] < 2 * middle_px else right).add(number)
    return left, right


def test_people_who_change_places_in_a_clip_keep_their_numbers(data: Path) -> None:
    seen = people_in(data / "clips/derived/two_people_swap_sides_one_leaves_720p.mp4")
    assert by_side(seen[:80], 640) == ({0}, {1})
    assert by_side(seen[80:140], 640) == ({1}, {0})
    assert by_side(seen[140:], 640) == (set(), {1})


def test_two_people_of_a_clip_keep_their_numbers(data: Path) -> None:
    assert by_side(people_in(data / "clips/derived/two_people_720p.mp4"), 640) == ({0}, {1})
    assert by_side(people_in(data / "clips/cisco_two_people_wave.264"), 160) == ({0}, {1})


def test_people_of_an_edited_clip_never_take_each_others_number(data: Path) -> None:
    """Foreman and the signer in turn, 15 frames each, 176 px wide: some cuts make a new person, none a wrong one."""
    seen = people_in(data / "clips/signer_and_foreman_qcif.264")
    foreman, signer = (
        {number for at, frame in enumerate(seen) for _, number in frame if at // 15 % 2 == turn} for turn in (0, 1)
    )
    alone = [{number for _, number in frame} for at, frame in enumerate(seen) if at % 15 == 7 and frame]
    assert 0 in foreman
    assert 0 not in signer
    assert 1 in signer
    assert 1 not in foreman
    assert sum(len(numbers) for numbers in alone) == len(alone)
