"""The target's irises in the source's colour: seen in bundled people's pictures, whose irises the tests paint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from live.swap.contract import Job, Visible
from live.swap.mesh import MeshEngine, MeshOptions
from live.swap.mesh.iris import colour_of, eyes_of, look, outside
from live.values import Photo, Settings
from tests.swap.mesh.irises import BLUE, BROWN, glint, person, source_of


def put_on(target: Photo, source: Photo, **options):
    """The target's region bare, the swapped region, and the landmarks in it."""
    engine = MeshEngine(MeshOptions(**{"iris": 1.0, "lens": False, **options}))
    face, visible, shape = source_of(source), options.pop("visible", None), 0.0
    engine.prepare(face)
    x1, y1, x2, y2 = engine.region(target.landmarks, target.image.shape[1], target.image.shape[0])
    region, landmarks = target.image[y1:y2, x1:x2].copy(), target.landmarks - np.float32((x1, y1, 0))
    (worn,) = engine.swap([Job(region, landmarks, 1, face, 0.0, visible)], Settings(face, shape=shape))
    share = worn.alpha[..., None] / np.float32(255)
    return region, region * (1 - share) + worn.pixels * share, landmarks


def colours_of(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(2, 3) of both irises, between pupil and rim, off the catch-light."""
    return np.stack(
        [picture[round(float(m[1])) + 1, round(float(m[0]) - 0.65 * r)].astype(float) for m, r, _ in eyes_of(landmarks)]
    )


@pytest.fixture(scope="module")
def brown_in_blue():
    return put_on(person("ada", BROWN), person("jonas", BLUE))


def test_brown_eyes_become_blue_and_keep_pupil_and_catch_light(brown_in_blue) -> None:
    bare, worn, landmarks = brown_in_blue
    before, after = colours_of(bare, landmarks), colours_of(worn, landmarks)
    assert (before[:, 2] > before[:, 0] + 20).all()
    assert (after[:, 0] > after[:, 2] + 20).all()
    for middle, radius, _ in eyes_of(landmarks):
        x, y = np.rint(middle).astype(int)
        assert worn[y, x].max() < 60
        gx, gy = glint(middle, radius)
        assert np.abs(worn[gy, gx] - bare[gy, gx]).max() < 0.2 * bare[gy, gx].max()


def test_nothing_but_the_irises_changes(brown_in_blue) -> None:
    bare, worn, landmarks = brown_in_blue
    _, plain, _ = put_on(person("ada", BROWN), person("jonas", BLUE), iris=0.0)
    changed = np.abs(worn - plain).max(axis=2) > 1
    rows, columns = np.mgrid[: bare.shape[0], : bare.shape[1]]
    places = np.stack([columns, rows], axis=2).astype(np.float32)
    allowed = np.zeros_like(changed)
    for middle, radius, opening in eyes_of(landmarks):
        allowed |= (np.linalg.norm(places - middle, axis=2) < 1.15 * radius) & (outside(opening, places) < 0.5)
    assert changed.sum() > 50
    assert not (changed & ~allowed).any()


def test_the_share_says_how_far(brown_in_blue) -> None:
    bare, worn, landmarks = brown_in_blue
    _, half, _ = put_on(person("ada", BROWN), person("jonas", BLUE), iris=0.5)
    one, two, three = (colours_of(picture, landmarks)[:, 0].mean() for picture in (bare, half, worn))
    assert one + 10 < two < three - 10


def test_a_closed_eye_whose_landmarks_are_open_is_not_painted() -> None:
    source = person("jonas", BLUE)
    _, plain, _ = put_on(person("ada", closed=True), source, iris=0.0)
    _, worn, _ = put_on(person("ada", closed=True), source)
    assert np.abs(worn - plain).max() <= 1


def test_an_iris_under_something_is_not_painted() -> None:
    target, source = person("ada", BROWN), person("jonas", BLUE)

    def hidden() -> Visible:
        return Visible(np.full((128, 128), 0.05, np.float32), np.array(((0.3, 0, 0), (0, 0.3, 0)), np.float32))

    engine = MeshEngine(MeshOptions(iris=1.0, lens=False))
    face = source_of(source)
    engine.prepare(face)
    (worn,) = engine.swap([Job(target.image, target.landmarks, 1, face, 0.0, hidden)], Settings(face, shape=0))
    assert not worn.alpha.any()


def test_eyes_that_are_not_kept_and_landmarks_without_irises_are_left_alone() -> None:
    target, source = person("ada", BROWN), person("jonas", BLUE)
    pictures = [put_on(target, source, iris=iris, keep_eyes=False)[1] for iris in (0.0, 1.0)]
    assert np.array_equal(*pictures)
    without = replace(target, landmarks=target.landmarks[:468])
    pictures = [put_on(without, source, iris=iris)[1] for iris in (0.0, 1.0)]
    assert np.array_equal(*pictures)


def test_a_source_with_closed_eyes_has_no_colour_to_give() -> None:
    closed, seen = person("jonas", closed=True), person("jonas", BLUE)
    tone = float(np.log(seen.image[tuple(seen.landmarks[50, [1, 0]].astype(int))].astype(float) + 6).mean())
    assert colour_of([closed], tone) is None
    found = colour_of([closed, seen], tone)
    assert found is not None
    assert np.abs(np.exp(found) - 6 - BLUE).max() < 25


def test_an_iris_is_hidden_by_lids_that_are_nearly_closed() -> None:
    one = person("ada", BROWN)
    (middle, radius, opening), _ = eyes_of(one.landmarks)
    narrow = opening.copy()
    narrow[:, 1] = middle[1] + 0.1 * (opening[:, 1] - middle[1])
    tone = 5.1
    assert look(one.image, middle, radius, opening, tone)[1] > 0.9
    assert look(one.image, middle, radius, narrow, tone)[1] == 0


def test_distance_to_a_ring_is_negative_inside() -> None:
    square = np.array(((0, 0), (4, 0), (4, 4), (0, 4)), np.float32)
    points = np.array(((2, 1), (2, 6), (7, 8), (0.5, 2)), np.float32)
    assert np.allclose(outside(square, points), (-1, 2, 5, -0.5))
