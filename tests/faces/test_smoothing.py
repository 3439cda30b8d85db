from __future__ import annotations

import numpy as np

from live.faces.smoothing import OneEuro


def face(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(100, 300, (478, 3)).astype(np.float32)


def test_a_still_face_dances_less() -> None:
    rng = np.random.default_rng(0)
    still = face(rng)
    noisy = [still + rng.normal(0, 0.5, still.shape).astype(np.float32) for _ in range(60)]
    one = OneEuro(0.5)
    smoothed = np.stack([one.smooth(points, i / 30) for i, points in enumerate(noisy)])[20:]
    raw = np.stack(noisy)[20:]
    assert smoothed.std(axis=0).mean() < 0.6 * raw.std(axis=0).mean()
    assert np.abs(smoothed.mean(axis=0) - still).mean() < 0.3


def test_a_step_is_followed_within_two_frames() -> None:
    start = face(np.random.default_rng(1))
    one = OneEuro(0.5)
    for i in range(10):
        one.smooth(start, i / 30)
    moved = start + np.array([60, 0, 0], np.float32)
    for i in (10, 11):
        result = one.smooth(moved, i / 30)
    assert np.abs(result - moved)[:, 0].mean() < 0.15 * 60


def test_no_steadiness_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    one = OneEuro(0.0)
    for i in range(5):
        points = face(rng)
        assert one.smooth(points, i / 30) is points


def test_after_a_gap_the_new_place_is_taken_as_it_is() -> None:
    rng = np.random.default_rng(3)
    one = OneEuro(1.0)
    one.smooth(face(rng), 0.0)
    later = face(rng)
    assert np.array_equal(one.smooth(later, 2.0), later)
    assert np.array_equal(one.smooth(later, 1.0), later)  # a clock that goes back is a gap too
