"""The target's colours on a swapped patch."""

from __future__ import annotations

import numpy as np
import pytest

from live.swap.tone import SAME, tone_map, toned
from tests.swap import faces

ALL = np.ones((320, 320), np.float32)


def lit(picture: np.ndarray, gain: tuple[float, float, float], offset: float = 0) -> np.ndarray:
    return np.clip(picture * np.array(gain) + offset, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gain", [(0.8, 0.8, 0.8), (0.7, 0.85, 1.0), (1.1, 1.0, 0.9)])
def test_light_of_another_colour_is_taken_over(gain: tuple[float, float, float]) -> None:
    picture = faces.picture()
    target = lit(picture, gain)
    found = toned(picture, tone_map(picture, target, ALL), 1.0)
    before, after = (np.abs(one.mean(axis=(0, 1)) - target.mean(axis=(0, 1))).max() for one in (picture, found))
    assert after < 1
    assert before > 5


def test_a_picture_that_fits_already_stays_as_it_is() -> None:
    picture = faces.picture()
    assert np.abs(toned(picture, tone_map(picture, picture, ALL), 1.0).astype(int) - picture).max() <= 1


def test_only_the_face_is_looked_at() -> None:
    picture, mask = faces.picture(), ALL.copy()
    mask[:, 160:] = 0
    target = lit(picture, (0.8, 0.8, 0.8))
    target[:, 160:] = 255
    found = tone_map(picture, target, mask)
    assert np.allclose(found, tone_map(picture[:, :160], target[:, :160], ALL[:, :160]), atol=0.05)


def test_where_next_to_nothing_is_seen_nothing_is_changed() -> None:
    assert np.array_equal(tone_map(faces.picture(), 255 - faces.picture(), np.zeros_like(ALL)), SAME)


def test_contrast_is_followed_only_so_far() -> None:
    """What differs by more is no light."""
    picture = faces.picture()
    flat = lit(picture, (0.1, 0.1, 0.1), 100)
    found = toned(picture, tone_map(picture, flat, ALL), 1.0)
    assert 0.6 < found.std() / picture.std() < 0.8


def test_half_the_strength_is_half_the_way() -> None:
    picture = faces.picture()
    tone = tone_map(picture, lit(picture, (0.6, 0.8, 0.9)), ALL)
    half, whole = (toned(picture, tone, share).astype(float) for share in (0.5, 1.0))
    assert np.abs(half - (picture + whole) / 2).max() <= 1.5
    assert toned(picture, tone, 0.0) is picture
