"""What happens to one frame, in a straight line: look, swap, paste, prove. Knows no threads, inputs or outputs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import cv2
import numpy as np

from live.faces.choosing import Chooser
from live.faces.masker import Beside
from live.faces.tracker import Tracker
from live.meter import Meter
from live.pixels import host
from live.privacy import Rectangle, Seen, Watch
from live.swap.contract import Engine, Job, Visible, Worn
from live.values import Box, Face, Floats, Frame, Pixels, Settings, Swapped

Masks = Future[tuple[Floats, Floats]]
OPAQUE = 0.99
"""A face as opaque as this counts as swapped; one that the engine fades out (a profile) does not."""
LEAST_PX = 8
"""A region narrower than this holds nothing to swap."""
AROUND = 0.5
"""Of a face's size: farther around it no engine reaches."""


class Way(Protocol):
    """How frames are swapped: begin, then finish, each frame in its order, on one thread."""

    @property
    def depth(self) -> int:
        """Frames that may have begun and not finished."""
        ...

    def begin(self, frame: Frame, settings: Settings, now_s: float) -> Any:
        """Begin with a frame; waits for no device.

        Args: now_s the clock of the frames: monotonic for live input, media time for files.
        Raises: any error; there is nothing to finish then.
        """
        ...

    def finish(self, pending: Any) -> Swapped:
        """Finish a frame, in place. Raises: any error; the frame may then hold bare or half swapped faces."""
        ...

    def drop(self, pending: Any) -> None:
        """Give a frame up that has begun."""
        ...


class Pipeline:
    """Swaps the faces of one capture's frames on the host: nothing begins before the frame before is finished."""

    depth = 1

    def __init__(
        self, tracker: Tracker | None, engine: Engine, watch: Watch, meter: Meter, masker: Beside | None = None
    ) -> None:
        """Args: tracker None looks for no faces at all (engine `none`), masker None takes all of a face for seen."""
        self._tracker = tracker
        self._masker = masker
        self._engine = engine
        self._watch = watch
        self._meter = meter
        self._followed: dict[int, int] = {}
        self._chooser = Chooser()

    def begin(self, frame: Frame, settings: Settings, now_s: float) -> tuple[Frame, Settings, float]:
        """Everything is done by `finish`."""
        return frame, settings, now_s

    def finish(self, pending: tuple[Frame, Settings, float]) -> Swapped:
        """As `process`."""
        return self.process(*pending)

    def drop(self, pending: tuple[Frame, Settings, float]) -> None:
        """Nothing was done."""

    def process(self, frame: Frame, settings: Settings, now_s: float) -> Swapped:
        """Swap the faces of a frame, in place.

        Args: now_s the clock of the frames: monotonic for live input, media time for files.
        Raises: any error of perception or engine; the frame may then hold bare or half swapped faces.
        """
        if self._tracker is None:
            return Swapped(frame, self._watch.prove(Seen(), (), worn=False, now_s=now_s))
        self._tracker.seldom = settings.quality.detector_every
        try:
            with self._meter.stage("look"):
                faces, seen = self._tracker.look(frame, now_s)
        except Exception:
            self._watch.blind(now_s)
            raise
        self._forget_ended(faces)
        swapped: list[Rectangle] = []
        worn = settings.source is not None and self._engine.proves
        chosen, bare = self._chooser.split(faces, settings, now_s)
        try:
            if settings.source is not None and chosen:
                swapped = self._put_on(frame, chosen, settings, now_s)
        except Exception:
            self._watch.prove(seen, (), worn=worn, now_s=now_s, bare=bare)  # whom it lost stays in doubt
            raise
        return Swapped(frame, self._watch.prove(seen, swapped, worn=worn, now_s=now_s, bare=bare), tuple(faces))

    def _put_on(self, frame: Frame, faces: list[Face], settings: Settings, now_s: float) -> list[Rectangle]:
        """Swap all faces of a frame, in one call of the engine where they lie apart.

        Returns: the boxes of the swapped ones.
        """
        swapped: list[Rectangle] = []
        masked = self._masker is not None and settings.quality.masks
        masks = self._masker.begin(frame, faces) if self._masker and masked else None
        for layer in layers_of([face.box for face in faces]):
            with self._meter.stage("cut"):
                placed = [(n, self._engine.region(faces[n].landmarks, frame.width_px, frame.height_px)) for n in layer]
                worked = [(number, box) for number, box in placed if _holds_something(box)]
                jobs = [_job(frame, faces[number], box, settings, now_s, masks, number) for number, box in worked]
            if not jobs:
                continue
            with self._meter.stage("swap"):
                results = self._engine.swap(jobs, settings)
            with self._meter.stage("paste"):
                for (_, box), worn in zip(worked, results, strict=True):
                    host.paste(frame, box, worn.pixels, _faded(worn, settings.strength))
            swapped += [faces[number].box for (number, _), worn in zip(worked, results) if worn.opacity >= OPAQUE]
        return swapped

    def _forget_ended(self, faces: list[Face]) -> None:
        """Let the engine forget tracks that ended, and those that are on somebody else now."""
        followed = {face.track: face.person for face in faces}
        for track, person in self._followed.items():
            if followed.get(track) != person:
                self._engine.forget(track)
        self._followed = followed


def _holds_something(box: Box) -> bool:
    """False for the region of a face that is outside the frame."""
    return box[2] - box[0] >= LEAST_PX and box[3] - box[1] >= LEAST_PX


def layers_of(boxes: Sequence[Rectangle]) -> list[list[int]]:
    """Sort faces by number into layers, the farthest (smallest) first, so that those of a layer lie well apart.

    Around a face its surroundings may be bent along with it: they must hold the neighbour's swapped face, not the bare
    one.
    """
    layers: list[list[int]] = []
    for number in sorted(range(len(boxes)), key=lambda number: boxes[number][3] - boxes[number][1]):
        here = _around(boxes[number])
        below = [depth for depth, layer in enumerate(layers) if any(_overlap(here, _around(boxes[n])) for n in layer)]
        depth = max(below, default=-1) + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(number)
    return layers


def _around(box: Rectangle) -> Rectangle:
    x1, y1, x2, y2 = box
    right, down = AROUND * (x2 - x1), AROUND * (y2 - y1)
    return x1 - right, y1 - down, x2 + right, y2 + down


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _job(frame: Frame, face: Face, box: Box, settings: Settings, now_s: float, masks: Masks | None, number: int) -> Job:
    """The job of one face; its mask, the one of that number, is waited for when the engine asks."""
    source = settings.worn_by(face.person)
    assert source is not None
    corner = np.array((box[0], box[1], 0), np.float32)

    def visible() -> Visible:
        assert masks is not None
        found, matrices = masks.result()
        matrix = matrices[number].copy()
        matrix[:, 2] += matrix[:, :2] @ corner[:2]
        return Visible(found[number], matrix)

    pixels = host.read_region(frame, box)
    return Job(pixels, face.landmarks - corner, face.track, source, now_s, visible if masks is not None else None)


def _faded(worn: Worn, strength: float) -> Pixels:
    return worn.alpha if strength >= 1 else cv2.convertScaleAbs(worn.alpha, alpha=strength)
