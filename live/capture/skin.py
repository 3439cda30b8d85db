"""The demo person's skin: a still picture cut into triangles between landmarks, which move and take the skin along.

Knows pictures and points; nothing about what a movement means.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from live.values import Box, Floats, Pixels

MESH = 468
"""Landmarks that move the skin; the irises follow."""
HULL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


class Skin:
    """A still picture cut into triangles between its landmarks and fixed points around the face."""

    def __init__(self, picture: Pixels, landmarks: Floats, parted: Floats, holes: Sequence[tuple[int, ...]]) -> None:
        """`parted`: landmarks (478, 2) px with the lips apart, or triangles would span the mouth; `holes`: outlines."""
        self.picture, self.rest = picture, landmarks[:, :2].astype(np.float32)
        centre, hull = self.rest[:MESH].mean(axis=0), self.rest[list(HULL)]
        self.fixed = centre + (hull - centre) * 1.4
        self.triangles = _triangles(np.concatenate([parted[:MESH], self.fixed]).astype(np.float32), holes)

    def box_of(self, moved: Floats) -> Box:
        """The part of the picture that any of the (N, 478, 2) stages changes, px, even, clipped."""
        moving = (np.abs(moved[:, :MESH] - self.rest[:MESH]).max(axis=(0, 2)) > 0.05).nonzero()[0]
        touched = self.triangles[np.isin(self.triangles, moving).any(axis=1)]
        points = np.concatenate([np.concatenate([stage[:MESH], self.fixed])[touched.ravel()] for stage in moved])
        height, width = self.picture.shape[:2]
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) // 2 * 2 - 2, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) // 2 * 2 + 4, (width // 2 * 2, height // 2 * 2))
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def warped(self, moved: Floats, box: Box, step_px: int = 1, taken: Floats | None = None) -> Pixels:
        """The picture with its landmarks (478, 2) moved, cut to `box`; computed at every `step_px`-th pixel.

        Args: taken: where the skin for each landmark is taken from, (478, 2) px; None: from the landmark itself.
        """
        corner = np.array(box[:2], np.float32)
        width, height = (box[2] - box[0]) // step_px, (box[3] - box[1]) // step_px
        there = (np.concatenate([moved[:MESH], self.fixed])[self.triangles] - corner + 0.5) / step_px - 0.5  # (T, 3, 2)
        here = np.concatenate([(self.rest if taken is None else taken)[:MESH], self.fixed])[self.triangles]
        labels = np.full((height, width), -1, np.int16)
        near = ((there.max(axis=1) >= 0) & (there.min(axis=1) <= (width, height))).all(axis=1)
        corners = np.rint(there * 16).astype(np.int32)
        for index in near.nonzero()[0].tolist():
            cv2.fillConvexPoly(labels, corners[index], index, cv2.LINE_8, 4)
        labels = np.where(
            labels < 0, cv2.dilate(labels, np.ones((3, 3), np.uint8)), labels
        )  # seams between the triangles
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        matrices = _affine(there.astype(np.float32), here)[labels]  # (H, W, 2, 3); -1 picks the last, overwritten below
        source = matrices[..., 0] * x[..., None] + matrices[..., 1] * y[..., None] + matrices[..., 2]
        source[labels < 0] = (np.stack([x, y], -1)[labels < 0] + 0.5) * step_px - 0.5 + corner
        if step_px > 1:
            source = cv2.resize(source, (box[2] - box[0], box[3] - box[1]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(
            cv2.remap(self.picture, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


def _triangles(points: Floats, holes: Sequence[tuple[int, ...]]) -> NDArray[np.int32]:
    """Delaunay triangles (T, 3) between points (P, 2), without those inside the holes."""
    low, high = np.floor(points.min(axis=0)) - 2, np.ceil(points.max(axis=0)) + 2
    plane = cv2.Subdiv2D((int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])))
    plane.insert([(float(x), float(y)) for x, y in points])
    corners = np.asarray(plane.getTriangleList(), np.float32).reshape(-1, 3, 2)
    kept = ((corners > low) & (corners < high)).all(axis=(1, 2))
    numbers = {(x, y): number for number, (x, y) in enumerate(points.tolist())}  # the plane keeps the same floats
    triangles = np.array([[numbers[x, y] for x, y in triangle] for triangle in corners[kept].tolist()])
    inside = [np.isin(triangles, hole).all(axis=1) for hole in holes]
    return triangles[~np.any(inside, axis=0)].astype(np.int32)


def _affine(there: Floats, here: Floats) -> Floats:
    """Per triangle the matrix that takes `there` (T, 3, 2) to `here`: (T, 2, 3); flat ones map to a corner."""
    a, b = there[:, 1:] - there[:, :1], here[:, 1:] - here[:, :1]
    area = a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0]
    flat = np.abs(area) < 1e-3
    area = np.where(flat, 1, area)[:, None]
    first = (b[:, 0] * a[:, 1, 1:] - b[:, 1] * a[:, 0, 1:]) / area
    second = (b[:, 1] * a[:, 0, :1] - b[:, 0] * a[:, 1, :1]) / area
    first[flat], second[flat] = 0, 0
    offset = here[:, 0] - first * there[:, 0, :1] - second * there[:, 0, 1:]
    return np.stack([first, second, offset], axis=-1).astype(np.float32)
