"""What happens to one frame, in a straight line: look, swap, paste, prove. Knows no threads, inputs or outputs."""

from __future__ import annotations

import cv2

from live.faces.tracker import Tracker
from live.meter import Meter
from live.pixels import host
from live.privacy import Rectangle, Rules, Seen, Watch
from live.swap.contract import Engine, Job, Worn
from live.values import Face, Frame, Pixels, Settings, SourceFace, Swapped

OPAQUE = 0.99
"""A face as opaque as this counts as swapped; one that the engine fades out (a profile) does not."""
LEAST_PX = 8
"""A region narrower than this holds nothing to swap."""


class Pipeline:
    """Swaps the faces of one capture's frames, in order."""

    def __init__(self, tracker: Tracker | None, engine: Engine, rules: Rules, meter: Meter) -> None:
        """Args: tracker None looks for no faces at all (engine `none`)."""
        self._tracker = tracker
        self._engine = engine
        self._watch = Watch(rules)
        self._meter = meter
        self._followed: set[int] = set()

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
                swapped = self._put_on(frame, faces, settings.source, settings)
        except Exception:
            self._watch.prove(seen, (), worn=worn, now_s=now_s)  # whom it lost stays in doubt
            raise
        return Swapped(frame, self._watch.prove(seen, swapped, worn=worn, now_s=now_s), tuple(faces))

    def _put_on(self, frame: Frame, faces: list[Face], source: SourceFace, settings: Settings) -> list[Rectangle]:
        """Swap all faces of a frame in one call of the engine. Returns the boxes of the swapped ones."""
        with self._meter.stage("cut"):
            jobs, worked = [], []
            for face in faces:
                box = self._engine.region(face.landmarks, frame.width_px, frame.height_px)
                if box[2] - box[0] < LEAST_PX or box[3] - box[1] < LEAST_PX:
                    continue  # outside the frame
                landmarks = face.landmarks.copy()
                landmarks[:, :2] -= box[:2]
                jobs.append(Job(host.read_region(frame, box), landmarks, face.track, source))
                worked.append((face, box))
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


def _faded(worn: Worn, strength: float) -> Pixels:
    return worn.alpha if strength >= 1 else cv2.convertScaleAbs(worn.alpha, alpha=strength)
