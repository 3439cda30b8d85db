"""Photos of source faces, with something painted over them and a masker that knows it."""

from __future__ import annotations

import cv2
import numpy as np

from live.faces.gallery import source_face
from live.faces.masker import patch_matrix
from live.pixels.people import read_person
from live.values import Photo


def photo(name="ada"):
    person = read_person(name)
    return Photo(person.image, person.landmarks)


def source(one, *more, stored=False):
    return source_face("x", one.image, one.landmarks, "self", tuple(more), stored=stored)


class Seer:
    """A masker that knows what was painted over the face: everything in `cover` (H, W) is not the face."""

    def __init__(self, *covers):
        self.covers = list(covers)

    def mask(self, frame, landmarks):
        cover = self.covers[0] if len(self.covers) == 1 else self.covers.pop(0)
        matrices = np.stack([patch_matrix(points) for points in landmarks])
        hull = np.zeros(cover.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(landmarks[0][:468, :2].copy()).astype(np.int32), 255)
        hull[cover > 0] = 0
        return np.stack(
            [cv2.warpAffine(hull, m, (128, 128), flags=cv2.INTER_AREA) / np.float32(255) for m in matrices]
        ), matrices


def painted(one, points, colour, width_px):
    """A photo with a line of one colour over it, and where that is."""
    image, cover = one.image.copy(), np.zeros(one.image.shape[:2], np.uint8)
    line = one.landmarks[list(points), :2].astype(np.int32)
    for target, ink in ((image, colour), (cover, 255)):
        cv2.polylines(target, [line], False, ink, width_px)
    return Photo(image, one.landmarks), cover


BAND = (109, 105, 50, 206)
"""From the forehead over the left brow down the cheek."""
