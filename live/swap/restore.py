"""A restorer after the swap: a second network that gives a face its fine detail back, blended in by a share.

Only what the swap shows is changed. With a cadence it runs on every n-th frame, and its last correction is laid on in
between, as long as the face lies in its patch as it did then. Knows regions and what was worn in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from live.faces.alignment import destination, five_points, inverse, moved, similarity
from live.nets.templates import template
from live.pixels import affine
from live.swap import edges
from live.swap.contract import Job, Worn
from live.swap.patches import PatchNetwork
from live.values import FULL, Floats, Pixels, Quality

MOST_MOVED = 0.01
"""Of the patch's side: farther than this nine of ten landmarks may not have moved for a correction to be laid on again.
At twice that, teeth and lids show double."""


@dataclass(slots=True)
class _Track:
    """The last correction of one target face."""

    correction: Floats
    """(S, S, 3) int16 BGR: what the network changed."""
    points: Floats
    """(478, 2) px of the patch, then."""
    source: str
    """Key of the source face, then."""
    age: int = 0
    """Frames since then."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One worn face in the restorer's patch."""

    number: int
    job: Job
    matrix: Floats
    patch: Pixels
    points: Floats


class Restorer:
    """Improves worn faces; one thread."""

    def __init__(self, network: PatchNetwork, *, blend: float = 0.8, every: int = 1) -> None:
        """Args: blend 0..1: how much of the restored face is shown; every: the network runs on every n-th frame."""
        self.network, self._blend, self._every = network, blend, every
        self.side_px = network.side_px
        self._target = destination(template(network.template or "ffhq_512"), network.side_px)
        self._tracks: dict[int, _Track] = {}

    def matrix(self, landmarks: Floats) -> Floats:
        """The (2, 3) matrix px -> patch px. Raises: ValueError for landmarks of no use."""
        return similarity(five_points(landmarks), self._target)

    def improve(self, jobs: Sequence[Job], worn: Sequence[Worn], quality: Quality = FULL) -> list[Worn]:
        """Restore what was worn in each job's region; all faces that need the network in one run."""
        if not quality.restorer_every:
            return list(worn)
        every = self._every * quality.restorer_every
        cut = [self._cut(number, *row) for number, row in enumerate(zip(jobs, worn, strict=True)) if row[1].opacity > 0]
        fresh = [one for one in cut if not self._reusable(one, every)]
        if fresh:
            answer = self.network.run(np.stack([one.patch for one in fresh]))
            for one, picture, fine in zip(fresh, answer.pictures, answer.fine, strict=True):
                self._tracks.pop(one.job.track, None)
                if fine:
                    correction = cv2.subtract(picture, one.patch, dtype=cv2.CV_16S)
                    self._tracks[one.job.track] = _Track(correction, one.points, one.job.source.key)
        found = list(worn)
        for one in cut:
            track = self._tracks.get(one.job.track)
            if track is not None:
                track.age += 1
                found[one.number] = self._laid_on(worn[one.number], one, track.correction)
        return found

    def forget(self, track: int) -> None:
        """Drop what is remembered of a track."""
        self._tracks.pop(track, None)

    def close(self) -> None:
        """Free the network."""
        self.network.close()

    def _cut(self, number: int, job: Job, worn: Worn) -> _Cut:
        """Cut the region as it will be seen, upright."""
        matrix = self.matrix(job.landmarks)
        shown = affine.blended(job.region, worn.pixels, worn.alpha)
        patch = affine.warp(shown, matrix, (self.side_px, self.side_px))
        return _Cut(number, job, matrix, patch, moved(job.landmarks[:, :2], matrix))

    def _reusable(self, one: _Cut, every: int) -> bool:
        """Whether the last correction fits this frame."""
        track = self._tracks.get(one.job.track)
        if track is None or track.age >= every or track.source != one.job.source.key:
            return False
        off = np.linalg.norm(one.points - track.points, axis=1)
        return float(np.quantile(off, 0.9)) <= MOST_MOVED * self.side_px

    def _laid_on(self, worn: Worn, one: _Cut, correction: Floats) -> Worn:
        """The correction over the worn face, back in the region; where it is shown does not change."""
        picture = cv2.add(one.patch, correction, dtype=cv2.CV_8U)
        back, size = inverse(one.matrix), worn.alpha.shape[::-1]
        share = cv2.convertScaleAbs(edges.box(self.side_px), alpha=255 * self._blend)
        restored = affine.warp(picture, back, size)
        shown = affine.warp(share, back, size, border=cv2.BORDER_CONSTANT)
        return Worn(affine.blended(worn.pixels, restored, shown), worn.alpha, worn.opacity)
