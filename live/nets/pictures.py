"""Pixels to a network's numbers and back, as an entry of the catalogue says.

Pure: one multiplication and one addition per channel, the same on every device (`to_numbers`, `to_pixels` give them).
Knows normalisations; knows neither faces nor networks.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.nets.contract import Array
from live.nets.entry import Normalisation
from live.values import Floats, Pixels


def to_numbers(normalisation: Normalisation) -> tuple[Floats, Floats]:
    """Gain (3,) and offset (3,), in the order fed: number = pixel 0..255 x gain + offset."""
    mean, std = np.array(normalisation.mean, np.float64), np.array(normalisation.std, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def to_pixels(normalisation: Normalisation) -> tuple[Floats, Floats]:
    """Gain (3,) and offset (3,), in the order given back: pixel = number x gain + offset, then cut to 0..255."""
    mean, std = np.array(normalisation.mean, np.float64), np.array(normalisation.std, np.float64)
    return (255 * std).astype(np.float32), (255 * mean).astype(np.float32)


def fed(patches: Pixels, normalisation: Normalisation) -> Floats:
    """A batch for a network.

    Args: patches (N, H, W, 3) BGR.  Returns: (N, 3, H, W) float32, or (N, H, W, 3) where the layout says so.
    """
    count, height, width = patches.shape[:3]
    gain, offset = to_numbers(normalisation)
    found = np.empty((count, 3, height, width), np.float32)
    for patch, row in zip(patches, found):
        channels = cv2.split(patch)
        for place, channel in enumerate(_order(normalisation)):
            at = (float(gain[place]), float(offset[place]))
            row[place] = cv2.addWeighted(channels[channel], at[0], channels[channel], 0, at[1], dtype=cv2.CV_32F)
    return np.ascontiguousarray(found.transpose(0, 2, 3, 1)) if normalisation.layout == "nhwc" else found


def given_back(numbers: Array, normalisation: Normalisation) -> Pixels:
    """The pictures that a network gives, (N, H, W, 3) BGR, cut to 0..255 and rounded.

    Args: numbers (N, 3, H, W), or (N, H, W, 3) where the layout says so.
    """
    if normalisation.layout == "nhwc":
        numbers = numbers.transpose(0, 3, 1, 2)
    gain, offset = to_pixels(normalisation)
    found = np.empty((len(numbers), *numbers.shape[2:], 3), np.uint8)
    for row, picture in zip(np.asarray(numbers, np.float32), found):
        channels = [np.zeros(0, np.uint8)] * 3
        for place, channel in enumerate(_order(normalisation)):
            plane = np.ascontiguousarray(row[place])
            at = (float(gain[place]), float(offset[place]))
            channels[channel] = cv2.addWeighted(plane, at[0], plane, 0, at[1], dtype=cv2.CV_8U)  # rounds and saturates
        cv2.merge(channels, picture)
    return found


def _order(normalisation: Normalisation) -> tuple[int, int, int]:
    """For each place of the network's order the channel of BGR."""
    return (2, 1, 0) if normalisation.order == "rgb" else (0, 1, 2)
