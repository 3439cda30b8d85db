"""Which pixels of a face are the face itself: skin, eyes, brows, nose, mouth; not hair, hands, glasses or microphones.

Stands behind the landmarks; knows nothing about what is done with a mask. `Steady` is the only part that remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from live.faces.landmarker import EYE_CORNERS, extent
from live.nets.onnx import Network
from live.pixels import host
from live.values import Face, Floats, Frame

SIDE_PX = 128
SIDES = 1.5
"""Side of the patch over the longer side of the mesh's upright box, as in training."""
RISE = 0.06
"""How far the patch lies above the mesh, in the same unit: room for the forehead."""


class Masker:
    """The embedded masker, models/masker.onnx."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Raises: ModelError, one line, when the file is missing, broken or another network."""
        self._network = Network(path, threads=threads, inputs=("patch",), outputs=("mask",))

    def mask(self, frame: Frame, landmarks: Floats) -> tuple[Floats, Floats]:
        """Find the visible part of N faces in one run of the network.

        Args: landmarks (N, 478, 2 or 3) frame px.
        Returns: masks (N, 128, 128) 0..1, 1 where the face is seen, and the (N, 2, 3) matrices frame px -> mask px.
        A mask that is not finite is 1 everywhere: rather a cover too much than a face too little.
        """
        if not len(landmarks):
            return np.zeros((0, SIDE_PX, SIDE_PX), np.float32), np.zeros((0, 2, 3), np.float32)
        matrices = np.stack([patch_matrix(points) for points in landmarks])
        patches = np.stack([host.cut_patch(frame, matrix, SIDE_PX) for matrix in matrices])
        (masks,) = self._network.run(patch=patches)
        if not np.isfinite(masks).all():
            masks = np.where(np.isfinite(masks).all(axis=(1, 2), keepdims=True), masks, np.float32(1))
        return masks, matrices


class Steady:
    """Takes the flicker out of masks, track by track: small changes are averaged over time, large ones pass at once.

    Masks of one track lie on the same patch of the face, so the patch's own motion is already compensated. A track
    that misses a call begins anew: new tracks, and all tracks after a cut.
    """

    def __init__(self, strength: float = 0.6) -> None:
        """Args: strength 0 (masks pass unchanged) to below 1: what a pixel keeps of the last mask when hardly changed.

        Raises: ValueError outside of that.
        """
        if not 0 <= strength < 1:
            raise ValueError(f"strength {strength} is not in 0..1")
        self._strength = np.float32(strength)
        self._last: dict[int, Floats] = {}

    def smooth(self, tracks: Sequence[int], masks: Floats) -> Floats:
        """Return the masks (N, 128, 128) of the faces of one frame, smoothed; what came in is not written to.

        The share kept of the last value falls from strength, where nothing changed, to 0 where 0 became 1.
        Args: tracks: the number of each mask's track, all different.
        """
        smoothed = masks.copy()
        if self._strength:
            for row, track in zip(smoothed, tracks, strict=True):
                last = self._last.get(track)
                if last is not None:
                    change = last - row
                    row += self._strength * (1 - np.abs(change)) * change
        self._last = dict(zip(tracks, smoothed, strict=True))
        return smoothed


class Beside:
    """Runs the masker in a thread of its own while the engine works on the same frame."""

    def __init__(self, masker: Masker, steady: Steady) -> None:
        self._masker, self._steady = masker, steady
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="masker")

    def begin(self, frame: Frame, faces: Sequence[Face]) -> Future[tuple[Floats, Floats]]:
        """Start with the faces of the next frame, whose pixels may not change before the result is there.

        Returns: masks (N, 128, 128) 0..1 and matrices (N, 2, 3) frame px -> mask px, to wait for.
        """
        return self._thread.submit(self._look, frame, faces)

    def _look(self, frame: Frame, faces: Sequence[Face]) -> tuple[Floats, Floats]:
        masks, matrices = self._masker.mask(frame, np.stack([face.landmarks for face in faces]))
        return self._steady.smooth([face.track for face in faces], masks), matrices


def patch_matrix(landmarks: Floats) -> Floats:
    """The (2, 3) matrix frame px -> patch px for one face's (478, 2 or 3) landmarks: eyes level, forehead inside.

    Pixel positions as in OpenCV: the centre of the first pixel is 0.
    """
    across = landmarks[EYE_CORNERS[1], :2] - landmarks[EYE_CORNERS[0], :2]
    length = float(np.hypot(*across))
    cosine, sine = across / length if length > 1e-6 else (1.0, 0.0)
    turn = np.array([[cosine, sine], [-sine, cosine]], np.float32)  # frame -> upright
    low, high = extent(landmarks, turn)
    mesh_px = max(float((high - low).max()), 1.0)
    centre = (low + high) / 2 - np.array([0, RISE * mesh_px], np.float32)
    scale = np.float32(SIDE_PX / (SIDES * mesh_px))
    offset = np.float32(SIDE_PX / 2 - 0.5) - centre * scale
    return np.hstack([turn * scale, offset[:, None]]).astype(np.float32)
