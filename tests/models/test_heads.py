"""The 3D head is drawn where geometry says it is."""

import numpy as np
import pytest

from models.training import heads

QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def square(size_px: float, depth: float) -> np.ndarray:
    """Return (4, 3) px corners of a square in the middle of a 64 px picture."""
    half = size_px / 2
    flat = np.array([[-half, -half], [half, -half], [half, half], [-half, half]]) + 32
    return np.column_stack([flat, np.full(4, depth)]).astype(np.float32)


def test_the_nearer_surface_hides_the_farther():
    points = np.concatenate([square(40, 5.0), square(16, -5.0)])
    surface = heads.rasterise(points, np.concatenate([QUAD, QUAD + 4]), 64)
    assert surface.triangle[32, 32] in (2, 3)
    assert surface.triangle[14, 32] in (0, 1)
    assert surface.triangle[2, 2] == -1
    assert abs((surface.triangle >= 2).sum() - 17 * 17) <= 34


def test_values_are_interpolated_between_corners():
    surface = heads.rasterise(square(40, 0.0), QUAD, 64)
    values = square(40, 0.0)[:, :2]
    spread = surface.spread(QUAD, values)
    y, x = (surface.triangle >= 0).nonzero()
    np.testing.assert_allclose(spread[y, x], np.stack([x, y], axis=1), atol=1e-3)


@pytest.mark.parametrize(("yaw_deg", "axis", "way"), [(90, 0, 1), (-90, 0, -1)])
def test_a_positive_yaw_turns_the_nose_to_the_pictures_right(yaw_deg, axis, way):
    view = heads.View(np.radians(yaw_deg), 0.0, 0.0, 1e6, 2.0, (32.0, 32.0))
    nose = heads.MIDDLE + np.array([0, 0, 10.0], np.float32)
    placed = heads.project(nose[None], view)[0]
    assert placed[axis] - 32 == pytest.approx(way * 20, abs=0.01)


def test_what_is_nearer_to_the_lens_looks_larger():
    view = heads.View(0.0, 0.0, 0.0, 50.0, 2.0, (0.0, 0.0))
    ahead = heads.project(heads.MIDDLE + np.array([[5, 0, 10], [5, 0, -10]], np.float32), view)
    assert ahead[0, 0] > 10 > ahead[1, 0]
    assert ahead[0, 2] < ahead[1, 2]


def test_expressions_close_both_eyes_alike():
    names = ("eyeBlink_L", "eyeBlink_R", "jawOpen", "mouthSmile_L", "mouthSmile_R")
    for seed in range(30):
        strengths = heads.random_expression(np.random.default_rng(seed), names)
        assert ((strengths >= 0) & (strengths <= 1)).all()
        assert (strengths[0] > 0) == (strengths[1] > 0)
