"""The way of the field's programs, rebuilt to be measured against: every network by itself, everything between on the
processor.

Each network runs at batch 1 as a captured graph, which is kinder than what the programs do; its input is made on the
processor and copied from ordinary memory, its output is copied back and waited for. The frame is turned into BGR whole,
the face is pasted over all of it in float32 under an eroded and blurred mask, and turned back. The same networks,
tracker and gate as ours: what differs is the plumbing. Knows frames and networks; nothing about measuring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from live.faces.alignment import destination, five_points, inverse, similarity
from live.faces.landmarker import SIDE_PX, patch_from_landmarks
from live.faces.masker import patch_matrix
from live.faces.tracker import Overview, Tracker
from live.faces.tracks import Found
from live.nets.cuda_graph import Captured
from live.nets.pictures import fed, given_back
from live.nets.place import Place
from live.nets.torch_math import multiplying
from live.pixels import host
from live.privacy import Watch
from live.swap.device.engine import Networks
from live.swap.device.network import PatchModule
from live.swap.identity import Identities
from live.values import Face, Floats, Frame, Pixels, Settings, Swapped

Array = NDArray[Any]
ERODED, BLURRED = 10, 20
"""The mask's erosion and blur in shares of the face's size: a tenth, a twentieth."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The networks, the same as those of our way."""

    embedded: Networks
    swapper: PatchModule
    restorer: PatchModule | None
    identities: Identities


class PeersWay:
    """A way of frames, one at a time."""

    depth = 1

    def __init__(self, tracker: Tracker, parts: Parts, place: Place, watch: Watch) -> None:
        self._tracker, self._parts, self._place, self._watch = tracker, parts, place, watch
        self._alone: dict[tuple[str, tuple[int, ...]], Callable[..., list[Array]]] = {}

    def begin(self, frame: Frame, settings: Settings, now_s: float) -> tuple[Frame, Settings, float]:
        """Everything is done by `finish`."""
        return frame, settings, now_s

    def drop(self, pending: tuple[Frame, Settings, float]) -> None:
        """Nothing was done."""

    def finish(self, pending: tuple[Frame, Settings, float]) -> Swapped:
        """Swap the faces of a frame, in place."""
        frame, settings, now_s = pending
        picture = host.to_bgr(frame).copy()
        thumbnail, scale = self._tracker.detector.thumbnail(host.bgr_frame(picture, time_s=0.0, number=0))
        boxes, scores, points = self._run("detector", self._parts.embedded.detector, thumbnail[None])
        detections = self._tracker.detector.chosen(boxes[0], scores[0], points[0], scale)
        overview = Overview(thumbnail, scale, detections, self._tracker.is_cut(thumbnail))
        found = {track.number: self._look(picture, track.raw) for track in self._tracker.tracks}
        faces, seen = self._tracker.judge(frame, now_s, found, overview)
        for face in faces:
            picture = self._swapped(picture, face, settings)
        done = host.convert(host.bgr_frame(picture, time_s=0.0, number=0), frame.format)
        for plane, new in zip(frame.planes, done.planes):
            plane[...] = new
        proof = self._watch.prove(seen, [face.box for face in faces], worn=True, now_s=now_s)
        return Swapped(frame, proof, tuple(faces))

    def _look(self, picture: Pixels, before: Floats) -> Found:
        matrix = patch_from_landmarks(before)
        patch = host.cut_patch(host.bgr_frame(picture, time_s=0.0, number=0), matrix, SIDE_PX)
        landmarks, score = self._run("landmarker", self._parts.embedded.landmarker, patch[None])
        back = cv2.invertAffineTransform(matrix)
        flat = landmarks[0, :, :2] * SIDE_PX @ back[:, :2].T + back[:, 2]
        size = float(np.sqrt(abs(np.linalg.det(back[:, :2]))))
        raw = np.concatenate([flat, landmarks[0, :, 2:] * (SIDE_PX * size)], axis=1).astype(np.float32)
        return Found(raw, float(score[0]))

    def _swapped(self, picture: Pixels, face: Face, settings: Settings) -> Pixels:
        """One face through swapper, masker and restorer, pasted each time over the whole picture."""
        source = settings.worn_by(face.person)
        assert source is not None
        swapper = self._parts.swapper
        patch, matrix = _cut(picture, face.landmarks, swapper)
        identity = self._parts.identities.of(source)
        inputs = [fed(patch[None], swapper.picture.normalisation)]
        inputs += [] if identity is None else [identity[None].astype(np.float32)]
        made = self._run(swapper.name, swapper.network, *swapper.in_order(inputs))
        worn = given_back(made[swapper.result.picture], swapper.result.normalisation)[0]
        picture = _paste(picture, worn, matrix, self._seen(picture, face))
        if self._parts.restorer is None:
            return picture
        restorer = self._parts.restorer
        patch, matrix = _cut(picture, face.landmarks, restorer)
        made = self._run(restorer.name, restorer.network, fed(patch[None], restorer.picture.normalisation))
        better = given_back(made[restorer.result.picture], restorer.result.normalisation)[0]
        return _paste(picture, cv2.addWeighted(better, 0.8, patch, 0.2, 0), matrix, None)

    def _seen(self, picture: Pixels, face: Face) -> Floats | None:
        """What of the face is not covered, over the whole picture (H, W) 0..1."""
        if self._parts.embedded.masker is None:
            return None
        matrix = patch_matrix(face.landmarks)
        patch = host.cut_patch(host.bgr_frame(picture, time_s=0.0, number=0), matrix, SIDE_PX)
        (mask,) = self._run("masker", self._parts.embedded.masker, patch[None])
        size = picture.shape[1::-1]
        return cv2.warpAffine(mask[0], cv2.invertAffineTransform(matrix), size, borderValue=(0, 0, 0, 0))

    def _run(self, name: str, network: torch.nn.Module, *inputs: Array) -> list[Array]:
        """One network: there from ordinary memory, back, and waited for."""
        key = name, inputs[0].shape
        if key not in self._alone:
            self._alone[key] = self._prepared(network, inputs)
        return self._alone[key](*inputs)

    def _prepared(self, network: torch.nn.Module, inputs: tuple[Array, ...]) -> Callable[..., list[Array]]:
        examples = [torch.from_numpy(np.ascontiguousarray(each)).to(self._place.device) for each in inputs]
        if not self._place.is_cuda:

            def run_here(*given: Array) -> list[Array]:
                with torch.inference_mode():
                    return [tensor.numpy() for tensor in network(*(torch.from_numpy(each.copy()) for each in given))]

            return run_here
        with multiplying(tf32=False, convolutions=True, tune=True):
            graph = Captured(network, examples)

        def run(*given: Array) -> list[Array]:
            for into, each in zip(graph.inputs, given):
                into.copy_(torch.from_numpy(np.ascontiguousarray(each)))
            graph.replay()
            return [tensor.cpu().numpy() for tensor in graph.outputs]

        return run


def _cut(picture: Pixels, landmarks: Floats, network: PatchModule) -> tuple[Pixels, Floats]:
    side = network.picture.size_px
    matrix = similarity(five_points(landmarks), destination(network.template, side))
    return cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), matrix


def _paste(picture: Pixels, worn: Pixels, matrix: Floats, seen: Floats | None) -> Pixels:
    """Over the whole picture, in float32, under a white square that is eroded and blurred."""
    back, size, side = inverse(matrix), picture.shape[1::-1], len(worn)
    over = cv2.warpAffine(worn, back, size)
    white = cv2.warpAffine(np.full((side, side), 255, np.float32), back, size, borderValue=(0, 0, 0, 0))
    white[white > 20] = 255
    extent = np.sqrt(max(float(cv2.countNonZero((white > 0).astype(np.uint8))), 1.0))
    eroded, blurred = max(int(extent) // ERODED, 10), max(int(extent) // BLURRED, 5)
    mask = cv2.erode(white, np.ones((eroded, eroded), np.uint8))
    mask = cv2.GaussianBlur(mask, (2 * blurred + 1, 2 * blurred + 1), 0)[..., None] / 255
    if seen is not None:
        mask = mask * seen[..., None]
    mixed: Pixels = (mask * over.astype(np.float32) + (1 - mask) * picture.astype(np.float32)).astype(np.uint8)
    return mixed
