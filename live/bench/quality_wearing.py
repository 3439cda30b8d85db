"""Swaps the face of one clip after the other through the program's own pipeline, and watches what the engine does.

The frame goes the way it goes on air (region, masker, engine, paste into NV12); only finding the face is done before,
once for all source faces. Knows engines by their contract only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from live.faces.masker import Beside
from live.faces.tracker import Tracker
from live.meter import Meter
from live.pixels import host
from live.privacy import Rules, Seen, Watch
from live.swap.contract import Engine, Job, Worn
from live.swap.pipeline import OPAQUE, Pipeline
from live.values import Box, Face, Floats, Frame, Pixels, Settings, SourceFace

TRACKS, CLIPS = 100_000, 10_000
"""More than there are in a clip, and in a run."""
CLIP_S = 1e4
"""Each clip begins so much later than the one before: nothing of it is remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Swap:
    """A frame whose face was swapped."""

    frame: Frame
    picture: Pixels
    """(H, W, 3) BGR of `frame`."""
    alpha: Pixels
    """(H, W) 0..255: how much of it the engine replaced."""
    box: Box
    """The region that the engine declared."""
    shown: bool
    """False for a face that the engine faded out: the program would not show this frame."""
    seconds: float
    """That `swap` took."""


class Watched:
    """An engine that remembers where it worked, what it gave and how long it took, for one face."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.proves = engine.name, engine.proves
        self.prepare, self.forget, self.close = engine.prepare, engine.forget, engine.close
        self.box: Box = (0, 0, 0, 0)
        self.worn: Worn | None = None
        self.seconds = 0.0

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """As the engine's."""
        self.box = self._engine.region(landmarks, width_px, height_px)
        return self.box

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """As the engine's."""
        started_s = time.perf_counter()
        results = self._engine.swap(jobs, settings)
        self.seconds = time.perf_counter() - started_s
        self.worn = results[0] if results else None
        return results


class _Given(Tracker):
    """Finds the face that it was given."""

    def __init__(self) -> None:
        self.face: Face | None = None

    def look(self, frame: Frame, now_s: float) -> tuple[list[Face], Seen]:
        """The face as it was given."""
        faces = [] if self.face is None else [self.face]
        return faces, Seen(tuple(face.box for face in faces))


class Wearer:
    """One source face with one setting of the engine, over all clips."""

    def __init__(self, engine: Engine, masker: Beside | None, settings: Settings, rules: Rules, number: int) -> None:
        """Prepare the source face of the settings. Wearers with different numbers may share an engine."""
        assert settings.source is not None
        engine.prepare(settings.source)
        self._watched, self._given = Watched(engine), _Given()
        self._pipeline = Pipeline(self._given, self._watched, Watch(rules), Meter(), masker)
        self.settings: Settings = settings
        self._number = number

    @property
    def source(self) -> SourceFace:
        """The face that is put on."""
        assert self.settings.source is not None
        return self.settings.source

    def wear(self, frame: Frame, face: Face, clip: int) -> Swap | None:
        """Swap the face of the next frame of a clip, in a copy of it.

        Args: clip counts the clips: a new one begins new tracks.
        Returns: None where the engine refused the landmarks.
        """
        self._given.face = replace(face, track=face.track + TRACKS * (clip + CLIPS * self._number))
        self._watched.worn = None
        own = host.duplicate(frame)
        try:
            self._pipeline.process(own, self.settings, frame.time_s + clip * CLIP_S)
        except ValueError:
            return None
        worn, (x1, y1, x2, y2) = self._watched.worn, self._watched.box
        alpha = np.zeros((frame.height_px, frame.width_px), np.uint8)
        if worn is not None:
            alpha[y1:y2, x1:x2] = worn.alpha
        shown = worn is not None and worn.opacity >= OPAQUE
        return Swap(own, host.to_bgr(own), alpha, self._watched.box, shown, self._watched.seconds)


def outside_pixels(before: Frame, after: Frame, box: Box) -> int:
    """Count the pixels outside a box that are not bit for bit as they were, in luma or colour.

    Args: before, after: NV12 frames of one size.
    """
    changed = before.planes[0] != after.planes[0]
    both = [np.ascontiguousarray(frame.planes[1]).view(np.uint16)[..., 0] for frame in (before, after)]
    colour = (both[0] != both[1]).repeat(2, axis=0).repeat(2, axis=1)
    changed |= colour[: changed.shape[0], : changed.shape[1]]
    changed[box[1] : box[3], box[0] : box[2]] = False
    return int(np.count_nonzero(changed))
