"""Pixels to a network's numbers and back."""

from __future__ import annotations

import numpy as np
import pytest

from live.nets.entry import Normalisation
from live.nets.pictures import fed, given_back, to_numbers, to_pixels

CASES = {
    "plain": Normalisation(),
    "half": Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "imagenet": Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "bgr nhwc": Normalisation(order="bgr", layout="nhwc", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
    "0..255": Normalisation(std=(1 / 255, 1 / 255, 1 / 255)),
}


def patches(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 5, 7, 3), np.uint8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_it_is_the_published_arithmetic_and_comes_back_exactly(case: str, count: int) -> None:
    how, given = CASES[case], patches(count)
    ordered = given[..., ::-1] if how.order == "rgb" else given
    wanted = (ordered / 255 - np.array(how.mean)) / np.array(how.std)
    numbers = fed(given, how)
    assert numbers.dtype == np.float32
    assert np.allclose(numbers, wanted if how.layout == "nhwc" else wanted.transpose(0, 3, 1, 2), atol=1e-4)
    assert np.array_equal(given_back(numbers, how), given)


@pytest.mark.parametrize("case", CASES)
def test_a_device_gets_the_same_from_gain_and_offset(case: str) -> None:
    how, given = CASES[case], patches(2)
    ordered = given[..., ::-1] if how.order == "rgb" else given
    gain, offset = to_numbers(how)
    numbers = ordered * gain + offset
    assert np.allclose(numbers if how.layout == "nhwc" else numbers.transpose(0, 3, 1, 2), fed(given, how), atol=1e-4)
    gain, offset = to_pixels(how)
    assert np.allclose(numbers * gain + offset, ordered, atol=1e-3)


def test_what_a_network_overdoes_is_cut_and_the_rest_rounded() -> None:
    how = Normalisation()
    numbers = np.array([-3.0, 2.0, 0.49 / 255, 0.51 / 255], np.float32).reshape(1, 1, 2, 2).repeat(3, axis=1)
    assert given_back(numbers, how)[0, :, :, 0].ravel().tolist() == [0, 255, 0, 1]


def test_half_size_numbers_are_pictures_too() -> None:
    numbers = fed(patches(1), CASES["half"]).astype(np.float16)
    assert np.abs(given_back(numbers, CASES["half"]).astype(int) - patches(1)).max() <= 1
