"""Finds faces in a thumbnail of the whole frame. Knows nothing about the frames before."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from live.errors import ModelError
from live.nets.onnx import Network
from live.pixels import host
from live.values import Detection, Floats, Frame, Pixels

OVERLAP = 0.4
"""Detections that overlap more (intersection over union) are the same face."""
MOST = 64


class Detector:
    """The embedded detector, models/detector.onnx."""

    def __init__(self, path: Path, *, width_px: int = 320, score: float = 0.5, threads: int = 1) -> None:
        """Args: width_px of the thumbnail, a multiple of 32; score below which a detection is nothing."""
        self._network = Network(path, threads=threads, inputs=("image",), outputs=("boxes", "scores", "points"))
        self._width_px = width_px
        self._score = score

    def thumbnail(self, frame: Frame) -> tuple[Pixels, float]:
        """The frame scaled into the detector's input, top-left, the rest black.

        Returns: (h, w, 3) BGR with h and w multiples of 32, and the scale from frame px to thumbnail px.
        """
        inner, padded, scale = thumbnail_size(frame.width_px, frame.height_px, self._width_px)
        canvas = np.zeros((*padded, 3), np.uint8)
        canvas[: inner[1], : inner[0]] = host.thumbnail(frame, *inner)
        return canvas, scale

    def detect(self, thumbnail: Pixels, scale: float) -> list[Detection]:
        """Find faces, best first, in frame px.

        Args: thumbnail and scale as `thumbnail` returned them.
        """
        boxes, scores, points = (output[0] for output in self._network.run(image=thumbnail[None]))
        return self.chosen(boxes, scores, points, scale)

    def chosen(self, boxes: Floats, scores: Floats, points: Floats, scale: float) -> list[Detection]:
        """Choose among what the network answered, best first, in frame px.

        Args: boxes (K, 4), scores (K,), points (K, 5, 2) in thumbnail px; scale from frame px to thumbnail px.
        Raises: ModelError for scores that are no numbers: silence would mean that nobody is in the picture.
        """
        if not np.isfinite(scores).all():
            raise ModelError("the detector's answer is not finite")
        keep = np.flatnonzero(scores >= self._score)
        if not keep.size:
            return []
        boxes, scores, points = boxes[keep], scores[keep], points[keep]
        corners = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        order = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), self._score, OVERLAP, top_k=MOST)
        return [
            Detection(tuple((boxes[i] / scale).tolist()), float(scores[i]), (points[i] / scale).astype(np.float32))
            for i in np.asarray(order).reshape(-1)
        ]


class ThumbnailSize(NamedTuple):
    """How large the thumbnail of a frame is."""

    inner: tuple[int, int]
    """Width and height of the frame in it."""
    padded: tuple[int, int]
    """Height and width of all of it, multiples of 32."""
    scale: float
    """From frame px to thumbnail px."""


def thumbnail_size(width_px: int, height_px: int, side_px: int) -> ThumbnailSize:
    """The thumbnail of frames of a size, whose longer side becomes side_px."""
    scale = side_px / max(width_px, height_px)
    inner = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return ThumbnailSize(inner, (-(-inner[1] // 32) * 32, -(-inner[0] // 32) * 32), scale)
