"""What happens to one frame, in a straight line: look, swap, paste, prove. Knows no threads, inputs or outputs."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

import cv2
import numpy as np

from live.faces.masker import Beside
from live.faces.tracker import Tracker
from live.meter import Meter
from live.pixels import host
from live.privacy import Rectangle, Seen, Watch
from live.swap.contract import Engine, Job, Visible, Worn
from live.values import Box, Face, Floats, Frame, Pixels, Settings, SourceFace, Swapped

Masks = Future[tuple[Floats, Floats]]
OPAQUE = 0.99
"""A face as opaque as this counts as swapped; one that the engine fades out (a profile) does not."""
LEAST_PX = 8
"""A region narrower than this holds nothing to swap."""


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
        self._followed: set[int] = set()

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
        try:
            with self._meter.stage("look"):
                faces, seen = self._tracker.look(frame, now_s)
        except Exception:
            self._watch.blind(now_s)
            raise
        self._forget_ended(faces)
        swapped: list[Rectangle] = []
        worn = settings.source is not None and self._engine.proves
        try:
            if settings.source is not None and faces:
                swapped = self._put_on(frame, faces, settings.source, settings, now_s)
        except Exception:
            self._watch.prove(seen, (), worn=worn, now_s=now_s)  # whom it lost stays in doubt
            raise
        return Swapped(frame, self._watch.prove(seen, swapped, worn=worn, now_s=now_s), tuple(faces))

    def _put_on(
        self, frame: Frame, faces: list[Face], source: SourceFace, settings: Settings, now_s: float
    ) -> list[Rectangle]:
        """Swap all faces of a frame in one call of the engine. Returns the boxes of the swapped ones."""
        with self._meter.stage("cut"):
            placed = [(face, self._engine.region(face.landmarks, frame.width_px, frame.height_px)) for face in faces]
            worked = [(face, box) for face, box in placed if _holds_something(box)]
            if not worked:
                return []
            masks = self._masker.begin(frame, [face for face, _ in worked]) if self._masker else None
            jobs = [_job(frame, *row, source, now_s, masks, number) for number, row in enumerate(worked)]
        with self._meter.stage("swap"):
            results = self._engine.swap(jobs, settings)
        with self._meter.stage("paste"):
            for (_, box), worn in zip(worked, results, strict=True):
                host.paste(frame, box, worn.pixels, _faded(worn, settings.strength))
        return [face.box for (face, _), worn in zip(worked, results) if worn.opacity >= OPAQUE]

    def _forget_ended(self, faces: list[Face]) -> None:
        followed = {face.track for face in faces}
        for track in self._followed - followed:
            self._engine.forget(track)
        self._followed = followed


def _holds_something(box: Box) -> bool:
    """False for the region of a face that is outside the frame."""
    return box[2] - box[0] >= LEAST_PX and box[3] - box[1] >= LEAST_PX


def _job(frame: Frame, face: Face, box: Box, source: SourceFace, now_s: float, masks: Masks | None, number: int) -> Job:
    """The job of one face; its mask, the one of that number, is waited for when the engine asks."""
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
