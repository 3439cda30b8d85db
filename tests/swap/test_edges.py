"""Where a swapped patch shows."""

from __future__ import annotations

import numpy as np
import pytest

from live.swap import edges
from live.swap.contract import Visible
from tests.swap import faces

SIDE = 128


@pytest.mark.parametrize("side", [8, 64, 128, 512])
def test_a_box_is_nothing_on_the_border_and_whole_in_the_middle(side: int) -> None:
    box = edges.box(side)
    border = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]])
    assert border.max() <= 0.07
    assert box[side // 2, side // 2] == pytest.approx(1, abs=1e-3)
    assert np.allclose(box, box.T)
    assert np.allclose(box, box[::-1])
    with pytest.raises(ValueError, match="read-only"):
        box[0, 0] = 1


def outline(**keys) -> np.ndarray:
    points = faces.landmarks(centre=(64, 64), scale=4)[:468, :2]
    return edges.outline(points, SIDE, **{"reach": 1.0, "softness": 0.05, **keys})


def test_an_outline_is_soft_inside_and_nothing_outside() -> None:
    points = faces.landmarks(centre=(64, 64), scale=4)[:468, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    found = outline()
    assert not found[: int(low[1]) - 1].any()
    assert not found[int(high[1]) + 2 :].any()
    assert found[64, 64] == 1
    row = found[64]
    assert ((row > 0.02) & (row < 0.98)).sum() >= 2
    assert ((outline(softness=0.15) > 0.02) & (outline(softness=0.15) < 0.98)).sum() > (
        (found > 0.02) & (found < 0.98)
    ).sum()


def test_less_reach_is_less_face_around_the_same_middle() -> None:
    whole, middle = outline(), outline(reach=0.0)
    assert (middle <= whole + 1e-6).all()
    assert 0.3 < middle.sum() / whole.sum() < 0.8
    assert middle[64, 64] == 1


def test_landmarks_far_outside_do_no_harm() -> None:
    points = faces.landmarks(centre=(9000, -9000), scale=4)[:468, :2]
    assert not edges.outline(points, SIDE, reach=1.0, softness=0.05).any()


def test_what_the_masker_saw_is_laid_on_the_patch() -> None:
    """Through region px: the left half of the region is covered, the patch shows its middle at twice the size."""
    mask = np.ones((100, 100), np.float32)
    mask[:, :50] = 0
    visible = Visible(mask, np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32))  # region 200 px wide
    matrix = np.array([[2, 0, -2 * 68.0], [0, 2, -2 * 68.0]], np.float32)  # patch px 64 is region px 100
    found = edges.seen(visible, matrix, SIDE)
    assert not found[:, :54].any()
    assert (found[:, 74:] == 1).all()
