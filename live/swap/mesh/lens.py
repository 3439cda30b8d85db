"""Sharpness and grain: what the camera did to the target's picture is done to the worn face too.

Looks at two bands of detail of the same place in both pictures. Knows pictures; knows nothing about meshes or time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from live.values import Floats, Pixels

_BANDS_PX = (1.0, 3.0)  # widths of the two Gaussians that part fine from coarse detail
_EDGES, _PLAIN = 90, 50  # percentiles of coarse detail: above are edges, below is plain skin
_LEAST_EDGE = 3.0  # grey levels of coarse detail; with less there is nothing to judge sharpness by
_WINDOW_PX = (200, 240)  # height and width of the middle that is looked at, at most
_SOME = 8000  # of 48 000: with a percentile of so many, grain and blur are the same within 1 %
_LEAST_PX, _MOST_PX = 0.4, 3.0  # of blur: less is not worth the time, more is not to be told from the bands
_LEAST_GRAIN, _MOST_GRAIN = 0.8, 10.0  # grey levels
_GRAINS = 16  # steps of grain to a grey level, so that a steady camera's noise is made once
_FINER = 8
_TILE_PX = 256
_STEPS = (131, 89)  # px by which the grain moves from frame to frame, without common factors


@dataclass(frozen=True, slots=True)
class Lens:
    """What a worn face lacks of its target's picture."""

    blur_px: float = 0.0
    """Standard deviation of the Gaussian that makes it as soft."""
    grain: float = 0.0
    """Standard deviation of the noise that makes it as grainy, grey levels."""

    def toward(self, newer: Lens, rate: float) -> Lens:
        """Return the lens a share of the way to a newer one."""
        return Lens(
            self.blur_px + rate * (newer.blur_px - self.blur_px), self.grain + rate * (newer.grain - self.grain)
        )


def compare(target: Pixels, worn: Pixels, opacity: Pixels) -> Lens | None:
    """Say what the worn face lacks; None where too little of it is worn.

    Args: target, worn (h, w, 3) BGR of the same place; opacity (h, w): where the face is worn.
    Source: blur of edges adds in squares (a Gaussian after a Gaussian), noise too.
    """
    middle = _middle(opacity.shape)
    target, worn = target[middle], worn[middle]
    inside = cv2.erode(opacity[middle], np.ones((7, 7), np.uint8)) > 250
    if inside.sum() < 400:
        return None
    (seen_px, seen_grain), (worn_px, worn_grain) = _look(target, inside), _look(worn, inside)
    blur_px = 0.0
    if seen_px is not None and worn_px is not None:
        blur_px = float(np.sqrt(max(seen_px**2 - worn_px**2, 0)))
    if blur_px >= _LEAST_PX:
        worn_grain *= 0.3  # blur takes most of it
    grain = float(np.sqrt(max(seen_grain**2 - worn_grain**2, 0)))
    return Lens(min(blur_px, _MOST_PX), min(grain, _MOST_GRAIN))


def apply(worn: Pixels, lens: Lens, number: int) -> Pixels:
    """Return the worn face (h, w, 3) as the target's camera would show it.

    Args: number: of the frame, so that grain moves.
    """
    if lens.blur_px >= _LEAST_PX:
        kernel = cv2.getGaussianKernel(round(6 * lens.blur_px + 1) | 1, lens.blur_px, cv2.CV_32F)
        worn = cv2.sepFilter2D(worn, -1, kernel, kernel)  # half the time of cv2.GaussianBlur, the same within one level
    if lens.grain >= _LEAST_GRAIN:
        y, x = (-number * moved % _TILE_PX for moved in _STEPS)
        tile = np.s_[y : y + _TILE_PX, x : x + _TILE_PX]
        worn = _roughened(worn, *(half[tile] for half in _noise(round(lens.grain * _GRAINS) / _GRAINS)))
    return worn


def _middle(size: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the part of a face's picture (h, w) that shows brows, nose and lips, no larger than the window."""
    half_y, half_x = (min(length * 2 // 5, most // 2) for length, most in zip(size, _WINDOW_PX))
    y, x = size[0] // 2, size[1] // 2
    return slice(y - half_y, y + half_y), slice(x - half_x, x + half_x)


def _look(picture: Pixels, inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[float | None, float]:
    """Return the blur of the edges, px (None without edges), and the noise of plain skin, grey levels."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), _BANDS_PX[0])
    fine, coarse = (grey - soft)[inside], np.abs(soft - cv2.GaussianBlur(soft, (0, 0), _widening(*_BANDS_PX)))[inside]
    edge, plain = _percentile(coarse, _EDGES), _percentile(coarse, _PLAIN)
    noise = 1.4826 * _percentile(np.abs(fine[coarse <= plain]), 50) / _noise_left()
    if edge < _LEAST_EDGE:
        return None, noise
    edges = coarse >= edge
    energy = max(float((fine[edges] ** 2).mean()) - (noise * _noise_left()) ** 2, 0.0)
    share = np.sqrt(energy / float((coarse[edges] ** 2).mean()))
    blurs, shares = _blurred_edges()
    return float(np.interp(-share, -shares, blurs)), noise


def _percentile(values: Floats, share: int) -> float:
    """Return a percentile of values (N,): of some thousands of them, as many tell the same."""
    some = values[:: len(values) // _SOME + 1]
    place = round((len(some) - 1) * share / 100)
    return float(np.partition(some, place)[place])


@lru_cache(maxsize=1)
def _blurred_edges() -> tuple[Floats, Floats]:
    """Return blurs (N,) px and what share of an edge's coarse detail its fine detail is at each, falling."""
    blurs = np.linspace(0.3, 4, 38, dtype=np.float32)
    shares = []
    for blur in blurs:
        fine = np.zeros((1, 256 * _FINER), np.float32)
        fine[:, 96 * _FINER + 3 : 160 * _FINER + 6] = 100  # a bar: two edges, at different places between pixels
        fine = cv2.GaussianBlur(fine, (0, 0), float(blur) * _FINER)
        line = cv2.resize(fine, (256, 1), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(line, (0, 0), _BANDS_PX[0])
        coarse = np.abs(soft - cv2.GaussianBlur(soft, (0, 0), _widening(*_BANDS_PX)))
        edges = coarse >= coarse.max() / 2
        shares.append(np.sqrt(((line - soft)[edges] ** 2).mean() / (coarse[edges] ** 2).mean()))
    return blurs, np.minimum.accumulate(np.array(shares, np.float32))


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """Return noise (256, 256) of deviation 1, soft as that of a sensor behind a colour filter, seamless."""
    noise = np.random.default_rng(0).standard_normal((_TILE_PX, _TILE_PX)).astype(np.float32)
    wrapped = cv2.copyMakeBorder(noise, 8, 8, 8, 8, cv2.BORDER_WRAP)
    soft: Floats = cv2.GaussianBlur(wrapped, (0, 0), 0.6)[8:-8, 8:-8]
    return soft / soft.std()


def _roughened(worn: Pixels, brighter: Pixels, darker: Pixels) -> Pixels:
    """Return a picture (h, w, 3) with the same noise (256, 256, 3) on each of its tiles."""
    # Two sums of 8 bits take a fifth of the time of one with signed numbers.
    rough = np.empty_like(worn)
    for top in range(0, worn.shape[0], _TILE_PX):
        for left in range(0, worn.shape[1], _TILE_PX):
            tile = np.s_[top : top + _TILE_PX, left : left + _TILE_PX]
            target = rough[tile]
            here = np.s_[: target.shape[0], : target.shape[1]]
            cv2.subtract(cv2.add(worn[tile], brighter[here]), darker[here], dst=target)
    return rough


@lru_cache(maxsize=8)
def _noise(grain: float) -> tuple[Pixels, Pixels]:
    """Return noise of a deviation in grey levels, what brightens and what darkens: each 2 x 2 tiles, (512, 512, 3)."""
    noise = np.tile(_tile()[..., None] * np.float32(grain), (2, 2, 3))
    return cv2.convertScaleAbs(np.maximum(noise, 0)), cv2.convertScaleAbs(np.minimum(noise, 0))


@lru_cache(maxsize=1)
def _noise_left() -> float:
    """Return what share of such noise the fine band holds."""
    tile = _tile()
    return float((tile - cv2.GaussianBlur(tile, (0, 0), _BANDS_PX[0])).std())


def _widening(one_px: float, other_px: float) -> float:
    """Return the blur that makes of one blur the other."""
    return float(np.sqrt(other_px**2 - one_px**2))
