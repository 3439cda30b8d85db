"""Closing eyes moves picture and labels together, and nothing else."""

import cv2
import numpy as np
import pytest

from live.swap.mesh.topology import load_topology
from models.training import lids

WHITE = 250


def face(turned_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (240, 240, 3) with white eyes on grey skin, and landmarks (478, 3) px, turned in the picture."""
    points = load_topology().positions * 9.0
    angle = np.radians(turned_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    points = points @ turn.T + [120, 110, 0]
    points = np.concatenate([points, np.zeros((10, 3))]).astype(np.float32)
    picture = np.full((240, 240, 3), 110, np.uint8)
    for corners, upper, lower, _ in lids.EYES:
        ring = points[[corners[0], *upper, corners[1], *lower[::-1]], :2]
        cv2.fillPoly(picture, [np.round(ring).astype(np.int32)], (WHITE,) * 3)
    return picture, points


def gap(points: np.ndarray, eye: int) -> float:
    _, upper, lower, _ = lids.EYES[eye]
    return float(np.linalg.norm(points[list(upper), :2].mean(axis=0) - points[list(lower), :2].mean(axis=0)))


@pytest.mark.parametrize("turned_deg", [0.0, 20.0])
@pytest.mark.parametrize(("share", "left"), [(0.5, 0.5), (1.0, 0.0)])
def test_a_lid_is_drawn_over_the_eye_with_its_landmarks(turned_deg: float, share: float, left: float) -> None:
    picture, points = face(turned_deg)
    before, white = gap(points, 0), int((picture[:, :120] > 200).sum())
    shown, moved = picture.copy(), points.copy()
    lids.close(shown, moved, lids.EYES[0], share)
    assert gap(moved, 0) == pytest.approx(left * before, abs=0.1 * before)
    slack = 0.25 * white  # the outline is drawn wider than the ring
    assert int((shown[:, :120] > 200).sum()) == pytest.approx(left * white, abs=slack)
    assert np.array_equal(shown[:, 125:], picture[:, 125:])
    others = np.setdiff1d(np.arange(478), np.flatnonzero(np.abs(moved - points).max(axis=1) > 0))
    assert {33, 133, 362, 1, 152, *lids.EYES[0][2], *lids.EYES[1][1]} <= set(others.tolist())


def test_the_input_stays_as_it_is_and_most_faces_close_both_eyes() -> None:
    picture, points = face()
    kept = picture.copy(), points.copy()
    gaps = []
    for seed in range(40):
        _, moved = lids.closed(np.random.default_rng(seed), picture, points)
        gaps.append((gap(moved, 0), gap(moved, 1)))
    assert np.array_equal(picture, kept[0])
    assert np.array_equal(points, kept[1])
    whole = gap(points, 0)
    assert 0.1 < np.mean([abs(one - other) > 0.3 * whole for one, other in gaps]) + 0.05 < 0.4
    assert np.mean([max(pair) < 0.2 * whole for pair in gaps]) > 0.3


def test_an_eye_seen_from_the_side_is_left_alone() -> None:
    picture, points = face()
    points[:, 0] = 120 + (points[:, 0] - 120) * 0.05
    before = points.copy()
    lids.close(picture, points, lids.EYES[0], 1.0)
    assert np.array_equal(points, before)
