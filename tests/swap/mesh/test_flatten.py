"""Light taken out of photos: shadows, highlights, noise and tints that are no skin's."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from live.pixels.people import read_person
from live.swap.mesh.canvas import load_canvas
from live.swap.mesh.flatten import flattened
from live.swap.mesh.maps import SIZE_PX
from live.swap.mesh.unwrap import unwrap
from live.values import Photo

CHEEK, FOREHEAD = 50, 151


@pytest.fixture(scope="module")
def canvas():
    return load_canvas()


@pytest.fixture(scope="module")
def view(canvas):
    person = read_person("ada")
    return unwrap(Photo(person.image, person.landmarks), canvas, None)


def lit(view, canvas, *, light: float, spots: dict[int, tuple[float, float, float]], width_px: float = 9.0):
    """A view in less or more light, with light added at vertices (BGR)."""
    pixels = view.pixels * np.float32(light)
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    for vertex, colour in spots.items():
        x, y = canvas.topology.canvas[vertex] * SIZE_PX
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width_px**2))
        pixels = pixels + spot[..., None].astype(np.float32) * np.array(colour, np.float32)
    skin = view.skin.copy()
    skin[0] += np.log(light)
    return replace(view, pixels=pixels.clip(0, 255), skin=skin)


def at(pixels: np.ndarray, canvas, vertex: int) -> np.ndarray:
    x, y = (canvas.topology.canvas[vertex] * SIZE_PX).astype(int)
    return pixels[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1))


def rise(view, canvas, light: float) -> tuple[float, float]:
    """How much brighter than the same skin without it a highlight is, log units: in the photo, and flattened."""
    plain, shiny = (lit(view, canvas, light=light, spots=spots) for spots in ({}, {CHEEK: (60, 60, 60)}))
    before = np.log(at(shiny.pixels, canvas, CHEEK).mean() / at(plain.pixels, canvas, CHEEK).mean())
    pixels = [flattened(one, canvas).pixels for one in (shiny, plain)]
    after = np.log(at(pixels[0], canvas, CHEEK).mean() / at(pixels[1], canvas, CHEEK).mean())
    return float(before), float(after)


def test_a_highlight_on_dark_skin_is_taken_back_to_what_it_adds_to_bright_skin(view, canvas) -> None:
    before, after = rise(view, canvas, 0.3)
    assert before > 0.6
    assert 0.05 < after < 0.6 * before


def test_a_highlight_on_bright_skin_stays_mostly(view, canvas) -> None:
    before, after = rise(view, canvas, 1.0)
    assert after > 0.6 * before


def test_a_coloured_spot_takes_the_tint_of_skin_and_keeps_its_brightness(view, canvas) -> None:
    plain, rusty = (lit(view, canvas, light=0.8, spots=spots) for spots in ({}, {FOREHEAD: (-60, -10, 30)}))
    base, flat = (at(flattened(one, canvas).pixels, canvas, FOREHEAD) for one in (plain, rusty))
    raw = at(rusty.pixels, canvas, FOREHEAD)

    def tint(colour):
        return np.log(colour[2] / colour[0]) - np.log(base[2] / base[0])

    def luma(colour):
        return float(cv2.cvtColor(colour[None, None].astype(np.float32), cv2.COLOR_BGR2GRAY)[0, 0])

    assert tint(raw) > 0.4
    assert tint(flat) < 0.6 * tint(raw)
    assert luma(flat) == pytest.approx(luma(base), rel=0.12)


def test_noise_in_deep_shadow_is_calmed_and_pores_in_the_light_are_not(view, canvas) -> None:
    noise = np.random.default_rng(0).normal(0, 4, view.pixels.shape).astype(np.float32)

    def roughness(light: float) -> float:
        plain, rough = (
            replace(one, pixels=(one.pixels + extra).clip(0, 255))
            for one, extra in ((dim(light), 0), (dim(light), noise))
        )
        left = flattened(rough, canvas).pixels - flattened(plain, canvas).pixels
        x, y = (canvas.topology.canvas[CHEEK] * SIZE_PX).astype(int)
        return float(left[y - 20 : y + 20, x - 20 : x + 20].std())

    def dim(light: float):
        return lit(view, canvas, light=light, spots={})

    assert roughness(0.08) < 1.5
    assert roughness(1.0) > 2.5
