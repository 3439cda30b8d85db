"""A drawn scene: two of the bundled people walk past each other before the demo's room."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from live.capture.room import room
from live.pixels import host
from live.pixels.people import read_person
from live.values import Frame

WIDTH_PX, HEIGHT_PX, HEAD_PX, FPS = 640, 360, 130, 30
LEFT_PX, RIGHT_PX = 150, 490
CHIN = 152


class Walker:
    """A person's head and shoulders, to be drawn anywhere."""

    def __init__(self, name: str, zoom: float = 1.0) -> None:
        self._person = read_person(name)
        top = np.flatnonzero(self._person.matte.max(axis=1) > 128)[0]
        self._scale = zoom * HEAD_PX / (self._person.landmarks[CHIN, 1] - top)
        self._middle = self._person.landmarks[:468, :2].mean(axis=0)

    def draw(self, picture: np.ndarray, x: float, y: float) -> None:
        """Draw over a picture (H, W, 3) float32 BGR, in place, the middle of the face at x, y px."""
        scale, (cx, cy) = self._scale, self._middle
        matrix = np.array([[scale, 0, x - scale * cx], [0, scale, y - scale * cy]])
        person, size = self._person, (WIDTH_PX, HEIGHT_PX)
        image = cv2.warpAffine(person.image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        matte = cv2.warpAffine(person.matte, matrix, size, flags=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
        picture += (image - picture) * matte


def crossing(front: str, behind: str, frames: int, zoom: float = 1.15) -> Iterator[tuple[Frame, float, float]]:
    """Frames with the middles (x px) of both faces: `front` goes from the left to the right, `behind` the other way."""
    walls, near, far = room(WIDTH_PX, HEIGHT_PX).astype(np.float32), Walker(front, zoom), Walker(behind)
    random = np.random.default_rng(0)
    for number in range(frames):
        share = 0.5 - 0.5 * np.cos(np.pi * np.clip(1.4 * number / (frames - 1) - 0.2, 0, 1))
        x = LEFT_PX + share * (RIGHT_PX - LEFT_PX)
        picture = walls.copy()
        far.draw(picture, WIDTH_PX - x, 165)
        near.draw(picture, x, 175)
        picture += random.normal(0, 2, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
        frame = host.bgr_frame(np.clip(picture, 0, 255).astype(np.uint8), time_s=number / FPS, number=number)
        yield frame, float(x), float(WIDTH_PX - x)
