"""Laying pictures into one another."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from live.pixels import affine
from tests.swap import faces


@pytest.mark.parametrize("scale", [0.13, 0.4, 1.0, 2.5])
@pytest.mark.parametrize("degrees", [0, 25])
def test_a_smooth_picture_comes_through_as_it_is(scale: float, degrees: float) -> None:
    """Each result's pixel shows the place the map says: checked against the smooth function itself."""
    picture = faces.picture(400, 400)
    matrix = cv2.getRotationMatrix2D((200, 200), degrees, scale).astype(np.float32)
    matrix[:, 2] += np.array([40, 30]) - matrix[:, :2] @ [200, 200] - matrix[:, 2] + [0, 0]
    found = affine.warp(picture, matrix, (80, 60))
    back = cv2.invertAffineTransform(matrix)
    y, x = np.mgrid[0:60, 0:80]
    places = np.stack([x, y, np.ones_like(x)], -1) @ back.T
    inside = ((places >= 8) & (places < 392)).all(axis=-1)
    assert inside.sum() > 500
    wanted = cv2.remap(picture, places.astype(np.float32), None, cv2.INTER_LINEAR)
    assert np.abs(found.astype(int) - wanted)[inside].max() <= (9 if scale < 0.3 else 3)


def test_fine_detail_does_not_alias() -> None:
    stripes = np.zeros((400, 400), np.uint8)
    stripes[:, ::2] = 255
    found = affine.warp(stripes, np.array([[0.11, 0, 0], [0, 0.11, 0]], np.float32), (40, 40))
    assert np.ptp(found[5:35, 5:35]) < 40


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
def test_around_a_picture_are_its_last_pixels_or_black(scale: float) -> None:
    white = np.full((64, 64), 255, np.uint8)
    matrix = np.array([[scale, 0, 20], [0, scale, 20]], np.float32)
    size = (int(64 * scale) + 40,) * 2
    assert (affine.warp(white, matrix, size) == 255).all()
    black = affine.warp(white, matrix, size, border=cv2.BORDER_CONSTANT)
    assert black[size[0] // 2, size[0] // 2] == 255
    assert not black[:15].any()
    assert not black[-15:].any()


def test_a_picture_that_is_out_of_sight_gives_its_border() -> None:
    far = np.array([[1, 0, -5000], [0, 1, 9000]], np.float32)
    assert (affine.warp(np.full((20, 20, 3), 9, np.uint8), far, (8, 6)) == 9).all()
    assert not affine.warp(np.full((20, 20), 9, np.uint8), far, (8, 6), border=cv2.BORDER_CONSTANT).any()


def test_blending_is_exact_at_both_ends_and_leaves_what_was_under() -> None:
    under, over = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 200, np.uint8)
    alpha = np.zeros((4, 4), np.uint8)
    alpha[1], alpha[2] = 255, 128
    found = affine.blended(under, over, alpha)
    assert (found[[0, 3]] == 10).all()
    assert (found[1] == 200).all()
    assert np.abs(found[2].astype(int) - 105).max() <= 1
    assert (under == 10).all()
