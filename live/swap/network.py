"""A network from the catalogue as an engine, on the host: cut upright, swap all faces in one run, lay back.

One face, a straight line: five points to the template, patch, network, the target's colours, an edge that is soft and
leaves out what covers the face, back into the region. Knows regions and landmarks; knows nothing about frames.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from live.faces.alignment import destination, five_points, inverse, moved, similarity
from live.nets.contract import Array
from live.nets.templates import template
from live.pixels import affine
from live.swap import boost, edges, tone
from live.swap.contract import Job, Worn
from live.swap.identity import Identities, between
from live.swap.mesh.canvas import step
from live.swap.mesh.pose import checked, pose_of
from live.swap.mesh.topology import VERTICES, load_topology
from live.swap.patches import Answer, PatchNetwork
from live.swap.restore import Restorer
from live.values import Box, Floats, Pixels, Settings, SourceFace

log = logging.getLogger(__name__)

_UNCOVERED = (0.12, 0.25)
"""Share of the face that has to be uncovered: with less of it worn, whoever is under there is not swapped."""
_LEAST_SIDE_PX = 12.0
LEAST_CHANGE = 3.0
"""Grey levels, on average over the face: by less the bare face still shows."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the engine does its work. All shares are 0..1."""

    colour: float = 0.5
    """How far the skin tone follows the target's."""
    softness: float = 0.05
    """Width of the soft edge in shares of the face's size."""
    reach: float = 1.0
    """How far the face reaches: 1 to its outline, 0 only its middle."""
    fade_deg: tuple[float, float] = (62.0, 76.0)
    """Yaw at which the face starts to fade, and at which it is gone."""
    memory_frames: float = 10.0
    """Time constant of the tone, which is smoothed over time."""
    crossfade_s: float = 0.0
    """How long another source face takes to take over; 0: from one frame to the next. Vectors only."""
    boost: int = 1
    """Side of the patch over that of the network, 1..4: so many times squared the work."""


@dataclass(slots=True)
class _Track:
    """What is remembered of one target face."""

    tone: Floats | None = None
    """(3, 4) as in `tone`."""
    worn: str = ""
    """Key of the source face that is put on, ..."""
    identity: Array | None = None
    """... what was last fed for it, ..."""
    before: Array | None = None
    """... what it takes over from, ..."""
    since_s: float = 0.0
    """... and since when."""


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """One job, cut upright."""

    job: Job
    matrix: Floats
    """(2, 3) region px -> patch px."""
    patch: Pixels
    """(S, S, 3)."""
    outline: Floats
    """(468, 2) px of the patch."""
    shown: float
    """0..1: fades where the face turns away."""
    identity: Array | None
    """What the network is told of the source face."""


class NetworkEngine:
    """The engine of the contract. `swap` and `forget` belong to one thread; `prepare` may run on another."""

    proves = True

    def __init__(
        self,
        network: PatchNetwork,
        identities: Identities,
        options: NetworkOptions | None = None,
        restorer: Restorer | None = None,
    ) -> None:
        self.name = network.name
        self.options = options or NetworkOptions()
        self._network, self._identities, self._restorer = network, identities, restorer
        self._boost = 0
        self._set_boost(self.options.boost)
        self._topology = load_topology()
        self._tracks: dict[int, _Track] = {}

    def _set_boost(self, boost: int) -> None:
        """From the next frame on, the patch has so many sides of the network's picture; what it shows stays."""
        if boost == self._boost:
            return
        network, self._boost = self._network, boost
        self._side_px = network.side_px * boost
        self._target = destination(template(network.template or "arcface_128"), network.side_px, boost)

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """The upright box around the patch, and around the restorer's; clipped, x1 and y1 even; empty if unusable."""
        try:
            matrix = similarity(five_points(landmarks), self._target)
        except ValueError:
            return 0, 0, 0, 0
        corners = [square(matrix, self._side_px)]
        if self._restorer is not None:
            corners.append(square(self._restorer.matrix(landmarks), self._restorer.side_px))
        places, limit = np.concatenate(corners), np.array((width_px, height_px))
        if not np.isfinite(places).all():
            return 0, 0, 0, 0
        x1, y1 = np.clip(np.floor(places.min(axis=0)), 0, limit).astype(int) & ~1
        x2, y2 = np.clip(np.ceil(places.max(axis=0)) + 1, 0, limit).astype(int)
        return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else (0, 0, 0, 0)

    def prepare(self, source: SourceFace) -> None:
        """Make what the network is told of the source face. Raises: FaceError; ModelError."""
        self._identities.of(source)

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """Put each job's source face on, all in one run. `settings.strength` is left to whoever lays `alpha` over.

        A face from whose landmarks nothing can be cut, or of which the network makes nothing, is left as it is with
        opacity 0: not proven.
        """
        self._set_boost(min(self.options.boost, settings.quality.boost))
        crossfade_s = settings.takeover_s(self.options.crossfade_s)
        placed = [self._placed(job, crossfade_s) for job in jobs]
        cut = [one for one in placed if one is not None]
        if not cut:
            return [untouched(job) for job in jobs]
        answer = self._run(cut)
        found = iter([self._worn(one, answer, number) for number, one in enumerate(cut)])
        worn = [untouched(job) if one is None else next(found) for job, one in zip(jobs, placed, strict=True)]
        return self._restorer.improve(jobs, worn, settings.quality) if self._restorer is not None else worn

    def forget(self, track: int) -> None:
        """Drop what is remembered of a track."""
        self._tracks.pop(track, None)
        if self._restorer is not None:
            self._restorer.forget(track)

    def close(self) -> None:
        """Free the networks."""
        self._network.close()
        self._identities.close()
        if self._restorer is not None:
            self._restorer.close()

    def _placed(self, job: Job, crossfade_s: float) -> _Placed | None:
        """Cut a face upright; None when its landmarks are of no use."""
        try:
            landmarks = checked(job.landmarks)
            matrix = similarity(five_points(job.landmarks), self._target)
        except ValueError as error:
            log.debug("a face is not swapped: %s", error)
            return None
        if self._side_px / np.sqrt(abs(np.linalg.det(matrix[:, :2]))) < _LEAST_SIDE_PX:
            return None
        size = (self._side_px, self._side_px)
        patch = affine.warp(job.region, matrix, size)
        shown = 1 - step(abs(pose_of(landmarks, self._topology).yaw_deg), *self.options.fade_deg)
        outline = moved(landmarks[:VERTICES, :2], matrix)
        return _Placed(job, matrix, patch, outline, shown, self._identity(job, crossfade_s))

    def _identity(self, job: Job, crossfade_s: float) -> Array | None:
        """What the network is told for a job, on its way from the source face before where there was one."""
        if not self._identities.has(job.source):
            log.warning("source face %s was not prepared; preparing it now holds the picture", job.source.name)
        wanted = self._identities.of(job.source)
        track = self._tracks.setdefault(job.track, _Track())
        if wanted is None or wanted.ndim != 1:
            return wanted
        if track.worn != job.source.key:
            track.before, track.worn, track.since_s = track.identity, job.source.key, job.time_s
        share = (job.time_s - track.since_s) / crossfade_s if crossfade_s else 1.0
        if track.before is None or not 0 <= share < 1:
            track.before, track.identity = None, wanted
        else:
            track.identity = between(track.before, wanted, step(share, 0.0, 1.0))
        return track.identity

    def _run(self, cut: Sequence[_Placed]) -> Answer:
        """All faces through the network, with their tiles where there are more pixels than it takes."""
        patches, times = np.stack([one.patch for one in cut]), self._boost
        identities = None
        if cut[0].identity is not None:
            identities = np.stack([one.identity for one in cut if one.identity is not None])
        if times == 1:
            return self._network.run(patches, identities)
        repeated = None if identities is None else np.repeat(identities, times * times, axis=0)
        answer = self._network.run(boost.dealt(patches, times), repeated)
        masks = None if answer.masks is None else boost.gathered(answer.masks[..., None], times)[..., 0]
        fine = np.asarray(answer.fine.reshape(len(cut), -1).all(axis=1), np.bool_)
        return Answer(boost.gathered(answer.pictures, times), masks, fine)

    def _worn(self, one: _Placed, answer: Answer, number: int) -> Worn:
        """Lay what the network made of a face back into its region."""
        if not answer.fine[number]:
            log.debug("the network made nothing of a face")
            return untouched(one.job)
        options, side = self.options, self._side_px
        face = np.minimum(
            edges.box(side), edges.outline(one.outline, side, reach=options.reach, softness=options.softness)
        )
        mask = face if answer.masks is None else face * answer.masks[number]
        if one.job.visible is not None:
            mask = mask * edges.seen(one.job.visible(), one.matrix, side)
        open_share = float(mask.sum()) / max(float(face.sum()), 1.0)
        picture = self._toned(answer.pictures[number], one, mask)
        opacity = min(one.shown, step(open_share, *_UNCOVERED)) if changed(picture, one.patch, mask) else 0.0
        back, size = inverse(one.matrix), one.job.region.shape[1::-1]
        alpha = cv2.convertScaleAbs(mask, alpha=255 * one.shown)
        alpha = affine.warp(alpha, back, size, border=cv2.BORDER_CONSTANT)
        return Worn(affine.warp(picture, back, size), alpha, opacity)

    def _toned(self, picture: Pixels, one: _Placed, mask: Floats) -> Pixels:
        """A picture in the target's colours, steady over time."""
        if self.options.colour <= 0:
            return picture
        track = self._tracks.setdefault(one.job.track, _Track())
        now = tone.tone_map(picture, one.patch, mask)
        rate = np.float32(1 / self.options.memory_frames)
        track.tone = now if track.tone is None else track.tone + rate * (now - track.tone)
        return tone.toned(picture, track.tone, self.options.colour)


def changed(picture: Pixels, patch: Pixels, mask: Floats) -> bool:
    """Whether what a network made differs from the target at all: one that hands it back has swapped nobody.

    Args: picture, patch (S, S, 3); mask (S, S) 0..1.
    """
    off = cv2.mean(cv2.absdiff(picture, patch), mask=(mask > 0.5).astype(np.uint8))
    return sum(off[:3]) / 3 >= LEAST_CHANGE


def untouched(job: Job) -> Worn:
    """A face that was not swapped, and says so."""
    return Worn(job.region, np.zeros(job.region.shape[:2], np.uint8), 0.0)


def square(matrix: Floats, side_px: int) -> Floats:
    """The corners (4, 2) of a patch in the picture it was cut from. Args: matrix (2, 3) picture px -> patch px."""
    low, high = -0.5, side_px - 0.5
    return moved(np.array([[low, low], [high, low], [high, high], [low, high]], np.float32), inverse(matrix))
