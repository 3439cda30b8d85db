from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from live.capture.gestures import gesture_at
from live.capture.puppet import Puppet
from live.faces.appearance import appearance, difference
from live.faces.people import SAME
from live.pixels.people import people_names, read_person

SIZE = (320, 180)


def look(name: str, time_s: float, *, light: float = 1.0, scale: float = 1.0) -> np.ndarray:
    """How a demo person looks at a moment, in a frame that is 1 / scale as large as its thumbnail."""
    puppet, gesture = Puppet(read_person(name), *SIZE), gesture_at(time_s)
    height, width = SIZE[::-1]
    flat = np.concatenate([plane.reshape(-1) for plane in puppet.planes(gesture, 0)]).reshape(height * 3 // 2, width)
    picture = cv2.cvtColor(flat, cv2.COLOR_YUV2BGR_I420)
    picture = np.clip(picture * light, 0, 255).astype(np.uint8)
    return appearance(picture, scale, puppet.landmarks(gesture) / np.float32(scale))


def test_a_person_who_moves_goes_on_looking_the_same() -> None:
    looks = np.stack([look("ada", time_s) for time_s in np.linspace(0, 20, 9)])
    assert difference(looks, looks[:1]).max() < SAME / 2


def test_a_brighter_picture_changes_little() -> None:
    assert difference(look("ada", 0), look("ada", 0, light=1.3)) < SAME


def test_the_thumbnail_may_be_of_any_scale() -> None:
    assert difference(look("ada", 0), look("ada", 0, scale=0.25)) == pytest.approx(0, abs=1e-3)


def test_most_pairs_of_people_are_told_apart() -> None:
    looks = {name: look(name, 0) for name in people_names()}
    unlike = [float(difference(looks[one], looks[other])) for one, other in itertools.combinations(looks, 2)]
    assert np.mean(np.array(unlike) > SAME) > 0.9


def test_faces_at_the_edge_and_outside_of_the_picture_give_numbers() -> None:
    picture = np.full((90, 160, 3), 100, np.uint8)
    landmarks = read_person("ada").landmarks
    for shift in (-5000, -100, 0, 300, 1e6):
        assert np.isfinite(appearance(picture, 0.5, landmarks + np.float32(shift))).all()
