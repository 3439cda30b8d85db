"""Bundled people with painted irises, or with closed eyes whose landmarks are open."""

from __future__ import annotations

import cv2
import numpy as np

from live.faces.gallery import source_face
from live.pixels.people import read_person
from live.swap.mesh.iris import eyes_of
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIDS_LEFT, LIDS_RIGHT
from live.values import Photo, SourceFace

BLUE, BROWN = (150, 90, 50), (25, 40, 75)


def person(name: str, iris=None, *, closed: bool = False) -> Photo:
    """A bundled person with irises of one colour, a catch-light in each; or with skin over closed eyes."""
    known = read_person(name)
    image, landmarks = known.image.copy(), known.landmarks
    for (middle, radius, opening), eye, lids in zip(eyes_of(landmarks), (EYE_LEFT, EYE_RIGHT), (LIDS_LEFT, LIDS_RIGHT)):
        if iris is not None:
            disc, within = np.zeros(image.shape[:2], np.uint8), np.zeros(image.shape[:2], np.uint8)
            cv2.circle(disc, np.rint(middle).astype(int).tolist(), round(radius), 255, -1, cv2.LINE_AA)
            cv2.fillPoly(within, [np.rint(opening).astype(np.int32)], 255)
            painted = (cv2.min(disc, within) / np.float32(255))[..., None]
            image[:] = image + painted * (np.array(iris, np.float32) - image)
            cv2.circle(image, np.rint(middle).astype(int).tolist(), max(1, round(0.35 * radius)), (12, 12, 12), -1)
            cv2.circle(image, glint(middle, radius), max(1, round(0.15 * radius)), (250, 250, 250), -1)
        if closed:
            skin = known.image[tuple(landmarks[lids[12], [1, 0]].astype(int))].tolist()
            ring = (landmarks[list(lids), :2] + landmarks[list(eye), :2]) / 2
            cv2.fillPoly(image, [np.rint(ring).astype(np.int32)], skin)
    return Photo(cv2.GaussianBlur(image, (0, 0), 0.7), landmarks)


def glint(middle, radius) -> tuple[int, int]:
    return round(float(middle[0]) + 0.5 * radius), round(float(middle[1]))


def source_of(one: Photo, name: str = "x") -> SourceFace:
    return source_face(name, one.image, one.landmarks, "self")
