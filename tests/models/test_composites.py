"""The averaging behind the bundled people: geometry, and what finishing does to a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")

from live.pixels.people import people_names, read_person
from models.training.composites import average, similarity, warp_maps
from models.training.portrait_finish import before_backdrop, matte, restore_texture


def test_a_similarity_takes_the_points_back() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2)) * 50
    turn = np.array([[0.8, -0.6], [0.6, 0.8]]) * 1.7
    matrix = similarity(points, points @ turn.T + (3, -4))
    np.testing.assert_allclose(matrix, np.column_stack([turn, (3, -4)]), atol=1e-9)


def test_warping_brings_every_landmark_onto_the_mean_shape() -> None:
    mean = read_person("ada").landmarks
    face = read_person("chen").landmarks * (0.5, 0.5, 0.5) + (3, -5, 0)
    where = warp_maps(mean, face[None])[0]
    for point in (1, 33, 61, 152, 263, 291, 10, 468):
        x, y = mean[point, :2]
        found = cv2.remap(where, np.array([[[x, y]]], np.float32), None, cv2.INTER_LINEAR)[0, 0]
        assert np.abs(found - face[point, :2]).max() < 1.0, point


def test_an_average_of_equal_faces_is_that_face() -> None:
    person = read_person("dalia")
    small = cv2.resize(person.image, (256, 256), interpolation=cv2.INTER_AREA)
    face = (person.landmarks * 0.5 - (0.25, 0.25, 0)).astype(np.float32)
    mean, stack = average([small] * 4, warp_maps(person.landmarks, np.stack([face] * 4)), rounds=1)
    assert stack.shape == (4, 512, 512, 3)
    assert np.abs(mean - person.image).mean() < 2.0


def test_finishing_cuts_the_person_out_and_keeps_the_face() -> None:
    for name in people_names()[:3]:
        person = read_person(name)
        alpha = matte(person.image, person.landmarks, 14)
        assert alpha[20, 20] == alpha[20, 490] == 0
        assert alpha[int(person.landmarks[10, 1]) - 20, int(person.landmarks[10, 0])] > 0.95, "hair belongs to a person"
        again = before_backdrop(person.image.astype(np.float32), alpha)
        inner = alpha > 0.99
        assert np.abs(again[inner].astype(int) - person.image[inner]).max() <= 2


def test_texture_comes_back_within_bounds() -> None:
    person = read_person("goran")
    members = np.stack([person.image] * 4)
    soft = cv2.GaussianBlur(person.image.astype(np.float32), (0, 0), 1.5)
    restored = restore_texture(soft, members, seed=1)
    detail = [cv2.Laplacian(picture[200:400, 180:330].mean(axis=-1), cv2.CV_32F).std() for picture in (soft, restored)]
    assert detail[1] > 1.15 * detail[0]
    assert np.abs(restored - soft).max() < 60
