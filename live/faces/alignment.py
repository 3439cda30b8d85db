"""Laying a face upright into the square that a network was trained on: five points and a similarity.

Pure arithmetic on arrays, so that the host and a device compute the same. Knows the landmarks' topology; knows neither
pictures nor networks. Pixel positions are OpenCV's (the centre of the first pixel is 0), and a template times the side
is taken for such positions: that is how the networks of the field were trained.
"""

from __future__ import annotations

import numpy as np

from live.values import Floats

FIVE = (468, 473, 4, 61, 291)
"""Of the 478 landmarks: the irises' middles, the nose's tip, the mouth's corners, left first as seen in the picture."""
LEAST_SPREAD = 1e-3
"""Px²: points that lie closer together than this have no direction."""


def five_points(landmarks: Floats) -> Floats:
    """The points of the templates. Args: landmarks (..., 478, 2 or 3) px.  Returns: (..., 5, 2)."""
    return landmarks[..., FIVE, :2]


def destination(template: Floats, side_px: int, boost: int = 1) -> Floats:
    """Where the five points lie in a patch, px.

    Args: template (5, 2) shares of the side; side_px: of the network's square; boost: the patch has so many times as
    many pixels, dealt out to the network in turn. On average its tiles then lie as a patch of the plain side would.
    """
    return np.asarray(template * np.float32(side_px * boost) + np.float32((boost - 1) / 2), np.float32)


def similarity(points: Floats, target: Floats) -> Floats:
    """The (..., 2, 3) matrix that brings points (..., 5, 2) closest to a target (5, 2): turn, scale, shift.

    Closed form of the plane: with points as complex numbers about their means, turn and scale are
    sum(conj(p) q) / sum(|p|^2).  Source: least-squares similarity, Umeyama 1991.
    Raises: ValueError if the points of a face are not finite or lie on one spot.
    """
    if not np.isfinite(points).all():
        raise ValueError("the five points of a face are not finite")
    middle, centre = points.mean(axis=-2, keepdims=True), target.mean(axis=-2, keepdims=True)
    p, q = points - middle, target - centre
    spread = (p * p).sum(axis=(-2, -1))
    if (spread < LEAST_SPREAD).any():
        raise ValueError("the five points of a face lie on one spot")
    cosine = (p * q).sum(axis=(-2, -1)) / spread
    sine = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(axis=-1) / spread
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    shift = np.swapaxes(centre - middle @ np.swapaxes(linear, -1, -2), -1, -2)
    return np.concatenate([linear, shift], axis=-1).astype(np.float32)


def inverse(matrix: Floats) -> Floats:
    """The (2, 3) matrix of the way back."""
    linear = np.linalg.inv(matrix[:, :2].astype(np.float64))
    return np.hstack([linear, -linear @ matrix[:, 2:]]).astype(np.float32)


def moved(points: Floats, matrix: Floats) -> Floats:
    """Points (..., 2) px through a (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]
