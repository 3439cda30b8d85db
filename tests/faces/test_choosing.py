"""Who is swapped when the user chose fewer than everyone: whoever may be the chosen one is."""

import numpy as np
import pytest

from live.faces import people
from live.faces.choosing import FORGET_S, LINGER_S, Chooser
from live.values import Face, Settings, Whom

FRAME_S = 1 / 30


def face(person, left, size=40):
    box = (float(left), 0.0, float(left + size), float(size))
    return Face(np.zeros((478, 3), np.float32), box, 0.9, 100 + person, person)


def chosen(chooser, faces, whom, now_s=0.0, locked=0):
    return [one.person for one in chooser.choose(faces, Settings(whom=whom, locked=locked), now_s)]


def test_everyone_is_everyone():
    assert chosen(Chooser(), [face(0, 0), face(1, 100)], Whom.EVERYONE) == [0, 1]


@pytest.mark.parametrize(("whom", "expected"), [(Whom.LARGEST, [1]), (Whom.LEFTMOST, [0])])
def test_the_largest_or_leftmost_face_is_swapped(whom, expected):
    assert chosen(Chooser(), [face(0, 0), face(1, 100, 60)], whom) == expected


def test_who_was_the_largest_stays_swapped_for_a_moment():
    chooser = Chooser()
    assert chosen(chooser, [face(0, 0, 60), face(1, 100, 50)], Whom.LARGEST) == [0]
    assert chosen(chooser, [face(0, 0, 40), face(1, 100, 50)], Whom.LARGEST, FRAME_S) == [0, 1]
    assert chosen(chooser, [face(0, 0, 40), face(1, 100, 50)], Whom.LARGEST, LINGER_S + 2 * FRAME_S) == [1]


def test_others_than_the_locked_person_are_left():
    chooser = Chooser()
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, locked=1) == [1]


def test_a_newcomer_may_be_the_locked_person_come_back_and_is_swapped():
    chooser = Chooser()
    together = [face(0, 0), face(1, 100)]
    assert chosen(chooser, together, Whom.LOCKED, 0.0, locked=0) == [0]
    assert chosen(chooser, [face(1, 100)], Whom.LOCKED, 1.0, locked=0) == []  # surely somebody else
    assert chosen(chooser, [face(1, 100), face(2, 0)], Whom.LOCKED, 2.0, locked=0) == [2]  # perhaps himself
    assert chosen(chooser, [face(0, 0), face(1, 100), face(2, 50)], Whom.LOCKED, 3.0, locked=0) == [0]
    assert chosen(chooser, [face(2, 50)], Whom.LOCKED, 4.0, locked=0) == []


def test_a_number_that_is_given_again_is_not_taken_for_the_stranger_it_was():
    chooser = Chooser()
    chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, 0.0, locked=0)
    assert chosen(chooser, [face(1, 0)], Whom.LOCKED, FORGET_S + 1, locked=0) == [1]


def test_a_lock_is_void_once_its_person_was_away_so_long_that_the_number_may_be_anybodys():
    chooser = Chooser()
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, 0.0, locked=0) == [0]
    away_s = FORGET_S + 1
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, away_s, locked=0) == [0, 1]
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, away_s + 5, locked=0) == [0, 1]
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.EVERYONE, away_s + 6) == [0, 1]
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, away_s + 7, locked=1) == [1]


def test_what_is_remembered_ends_before_people_lose_their_numbers():
    assert FORGET_S < people.FORGET_S


def test_with_nobody_locked_in_sight_all_are_swapped():
    assert chosen(Chooser(), [face(3, 0), face(4, 100)], Whom.LOCKED, locked=0) == [3, 4]


def test_another_choice_forgets_the_one_before():
    chooser = Chooser()
    chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, 0.0, locked=0)
    assert chosen(chooser, [face(0, 0), face(1, 100)], Whom.LOCKED, 0.1, locked=1) == [1]
    assert chosen(chooser, [face(0, 0)], Whom.LOCKED, 0.2, locked=1) == []
    assert chosen(chooser, [face(0, 0)], Whom.LOCKED, 0.3, locked=0) == [0]


def test_the_boxes_of_the_others_are_told():
    faces = [face(0, 0), face(1, 100, 60)]
    swapped, bare = Chooser().split(faces, Settings(whom=Whom.LARGEST), 0.0)
    assert [one.person for one in swapped] == [1]
    assert bare == [faces[0].box]
