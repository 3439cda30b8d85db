"""The five points and the similarity that lays them on a template."""

from __future__ import annotations

import numpy as np
import pytest

from live.faces.alignment import destination, five_points, inverse, moved, similarity
from live.nets.templates import TEMPLATES, template
from tests.swap import faces


def turned(points: np.ndarray, scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T + shift).astype(np.float32)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0), (0.2, 30), (5.0, -170), (2.0, 90)])
def test_a_turned_and_scaled_template_is_brought_back_exactly(name: str, scale: float, degrees: float) -> None:
    target = destination(template(name), 128)
    points = turned(target, scale, degrees, (300, -40))
    matrix = similarity(points, target)
    assert np.abs(moved(points, matrix) - target).max() < 1e-3
    assert np.abs(moved(moved(points, matrix), inverse(matrix)) - points).max() < 1e-2


def test_it_is_the_least_squares_fit() -> None:
    """No similarity nearby lies closer to the target."""
    random = np.random.default_rng(0)
    target = destination(template("arcface_128"), 128)
    points = turned(target, 3, 20, (50, 60)) + random.normal(0, 5, (5, 2)).astype(np.float32)
    best = similarity(points, target)
    off = ((moved(points, best) - target) ** 2).sum()
    a, b = best[0, 0], best[1, 0]
    for change in random.normal(0, 1, (200, 4)) * [1e-3, 1e-3, 0.1, 0.1]:
        other = np.array([[a + change[0], -b - change[1], 0], [b + change[1], a + change[0], 0]])
        other[:, 2] = best[:, 2] + change[2:]
        assert ((moved(points, other) - target) ** 2).sum() >= off


def test_many_faces_at_once_are_as_one_by_one() -> None:
    target = destination(template("ffhq_512"), 512)
    several = np.stack([five_points(faces.landmarks(roll_deg=10 * n, scale=5 + n)) for n in range(4)])
    together = similarity(several, target)
    assert together.shape == (4, 2, 3)
    for points, matrix in zip(several, together, strict=True):
        assert np.allclose(similarity(points, target), matrix, atol=1e-4)


def test_the_points_of_the_canonical_face_stand_as_in_the_templates() -> None:
    """Left is left as seen in the picture, eyes above mouth: no template is met turned or mirrored."""
    points = five_points(faces.landmarks())
    for name in TEMPLATES:
        matrix = similarity(points, destination(template(name), 100))
        assert np.degrees(abs(np.arctan2(matrix[1, 0], matrix[0, 0]))) < 3
        assert np.abs(moved(points, matrix) - 100 * template(name)).max() < 7


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_points_of_no_use_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"one spot|not finite"):
        similarity(points.astype(np.float32), destination(template("arcface_128"), 128))


def test_the_tiles_of_a_larger_patch_lie_on_average_as_the_plain_patch() -> None:
    points = template("arcface_128")
    for boost in (2, 3, 4):
        large = destination(points, 128, boost)
        tiles = [(large - shift) / boost for shift in np.arange(boost)]
        assert np.allclose(np.mean(tiles, axis=0), destination(points, 128), atol=1e-4)
