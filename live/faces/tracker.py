"""Follows faces from frame to frame: landmarks on the place where each was, the detector for newcomers.

Says what it saw, including what it lost; whether a frame may be shown is decided by `live.privacy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import cv2
import numpy as np

from live.faces.detector import Detector
from live.faces.landmarker import Landmarker, patch_from_detection, patch_from_landmarks
from live.faces.people import People
from live.faces.smoothing import OneEuro
from live.faces.tracks import Found, Track, box_of, note_motion, plausible, without_doubles
from live.privacy import Rectangle, Seen, covers
from live.values import Detection, Face, Floats, Frame, Pixels

UNCONFIRMED_S = 2.0
"""A followed face that the detector has not seen for so long has to be a very good face."""
VERY_GOOD = 0.9
NOT_A_FACE = 0.4
"""A detection whose landmarks score less, looked at closely, is a false alarm of the detector ..."""
SURE_DETECTION = 0.75
"""... unless the detector is as sure as this: then it is a face that cannot be followed."""
LEAST_EVIDENCE = 0.35
"""Detector's times landmarker's score from which on a newcomer is followed. Faces on webcams reach 0.8 and more."""
SURE_AFTER_S = 0.3
"""A track that was followed for so long, or that a sure detection confirmed, is a face: before, none is put on it, and
the picture is held."""
CUT_DIFFERENCE, CUT_COLOURS = 30.0, 0.4
"""A scene cut changes both the picture (mean difference of thumbnails, 0..255) and its colours (Bhattacharyya distance
of histograms, 0..1). Measured: cuts 43..120 and 0.5..0.9, a shaken camera 55 and 0.11, a flickering lamp 18 and 0.3."""
TINY_PX = (40, 24)


class Outcome(Enum):
    """What became of a detection that no track explains."""

    FOLLOWED = "a new track"
    NOTHING = "a false alarm"
    DOUBTFUL = "perhaps a face"
    UNMATCHED = "a face that cannot be followed"


@dataclass(frozen=True, slots=True)
class Options:
    """See `faces` in configs/default.yaml."""

    most: int = 4
    detector_every: int = 1
    track_score: float = 0.5
    steadiness: float = 0.5


class Overview(NamedTuple):
    """What a look at the whole frame gave."""

    thumbnail: Pixels
    """(h, w, 3) BGR."""
    scale: float
    """Its px per px of the frame."""
    detections: list[Detection] | None
    """None when the detector did not look."""
    cut: bool
    """The scene has changed."""


class Tracker:
    """Perception of one capture."""

    def __init__(self, detector: Detector, landmarker: Landmarker, options: Options) -> None:
        self.detector = detector
        self._landmarker = landmarker
        self._options = options
        self.seldom = 1
        """The detector looks at so many times fewer frames than the options say."""
        self._tracks: list[Track] = []
        self._people = People()
        self._next = 0
        self._frames = 0
        self._tiny: Pixels | None = None
        # The detector looks while the landmarker follows: on two cores a frame is about 3 ms younger when it leaves.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="detector")

    @property
    def least_score(self) -> float:
        """Of the landmarker, for a face that is followed."""
        return self._options.track_score

    @property
    def tracks(self) -> tuple[Track, ...]:
        """What is followed, oldest first."""
        return tuple(self._tracks)

    def look(self, frame: Frame, now_s: float) -> tuple[list[Face], Seen]:
        """Find and follow the faces of the next frame.

        Returns: the faces, oldest track first, and what privacy has to know.
        """
        due = self.is_due()
        overview = self._beside.submit(self._overlook, frame, due=due)
        found = self.look_again(frame)
        return self.judge(frame, now_s, found, overview.result())

    def is_due(self) -> bool:
        """Whether the detector has to look at the next frame. To be asked once per frame."""
        due = not self._tracks or self._frames % (self._options.detector_every * self.seldom) == 0
        self._frames += 1
        return due

    def judge(
        self, frame: Frame, now_s: float, found: Mapping[int, Found], overview: Overview
    ) -> tuple[list[Face], Seen]:
        """Say what became of the tracks in a frame, begin new ones, and say who is on them.

        Args: found by track, for those that were looked for.
        Returns: as `look`.
        """
        thumbnail, scale, detections, cut = overview
        lost = self._follow(found, now_s)
        if cut:
            self._tracks, lost = [], []
        if detections is None:
            detections = self.detector.detect(thumbnail, scale) if cut or lost else []
        unmatched: list[Rectangle] = []
        doubtful = [track.box for track in lost if not track.sure]
        for detection in self._reconcile(detections, now_s):
            outcome = self._start(frame, detection, now_s)
            if outcome is Outcome.UNMATCHED:
                unmatched.append(detection.box)
            elif outcome is Outcome.DOUBTFUL:
                doubtful.append(detection.box)
        self._tracks = without_doubles(self._tracks, now_s)
        faces = self._name([track for track in self._tracks if track.sure], overview, now_s)
        doubtful += [track.box for track in self._tracks if not track.sure]
        followed = tuple(face.box for face in faces)
        surely_lost = tuple(track.box for track in lost if track.sure)
        return faces, Seen(followed, surely_lost, tuple(unmatched), tuple(doubtful), cut)

    def _name(self, tracks: list[Track], overview: Overview, now_s: float) -> list[Face]:
        """Say who is on each track. One that is on somebody else now is smoothed anew: it jumped."""
        faces = [Face(track.landmarks, track.box, track.score, track.number) for track in tracks]
        people = self._people.recognise(faces, overview.thumbnail, overview.scale, now_s, cut=overview.cut)
        for track, person in zip(tracks, people, strict=True):
            if track.person not in (None, person):
                track.filter = OneEuro(self._options.steadiness)
                track.landmarks = track.filter.smooth(track.raw, now_s)
            track.person = person
        return [
            replace(face, person=person, landmarks=track.landmarks)
            for face, person, track in zip(faces, people, tracks, strict=True)
        ]

    def _overlook(self, frame: Frame, *, due: bool) -> Overview:
        """Look at the whole frame; for faces, if the detector is due."""
        thumbnail, scale = self.detector.thumbnail(frame)
        return Overview(
            thumbnail, scale, self.detector.detect(thumbnail, scale) if due else None, self.is_cut(thumbnail)
        )

    def is_cut(self, thumbnail: Pixels) -> bool:
        """Whether the scene changed between the last thumbnail and this one. To be asked once per frame, in order."""
        tiny = cv2.resize(thumbnail, TINY_PX, interpolation=cv2.INTER_AREA)
        before, self._tiny = self._tiny, tiny
        if before is None or cv2.norm(tiny, before, cv2.NORM_L1) < CUT_DIFFERENCE * tiny.size:
            return False
        return cv2.compareHist(_colours(before), _colours(tiny), cv2.HISTCMP_BHATTACHARYYA) > CUT_COLOURS

    def look_again(self, frame: Frame, tracks: Sequence[Track] | None = None) -> dict[int, Found]:
        """Look at the place where each track was. Args: tracks: None is all."""
        tracks = self._tracks if tracks is None else tracks
        if not tracks:
            return {}
        matrices = np.stack([patch_from_landmarks(track.raw) for track in tracks])
        landmarks, scores = self._landmarker.look(frame, matrices)
        return {track.number: Found(*row) for track, *row in zip(tracks, landmarks, scores.tolist())}

    def _follow(self, found: Mapping[int, Found], now_s: float) -> list[Track]:
        """Move the tracks that were looked for to this frame; returns those that were lost."""
        kept, lost = [], []
        for track in self._tracks:
            if track.number not in found:
                kept.append(track)
                continue
            points, score, smooth = found[track.number]
            needed = self._options.track_score if now_s - track.confirmed_s < UNCONFIRMED_S else VERY_GOOD
            box = box_of(points)
            if score >= needed and plausible(box, track.box):
                note_motion(track, box)
                track.raw, track.box, track.score = points, box, score
                track.landmarks = track.filter.smooth(points, now_s) if smooth is None else smooth
                track.sure = track.sure or now_s - track.begun_s >= SURE_AFTER_S
                kept.append(track)
            else:
                lost.append(track)
        self._tracks = kept
        return lost

    def _reconcile(self, detections: list[Detection], now_s: float) -> list[Detection]:
        """Confirm tracks by detections. Returns the detections that no track explains."""
        newcomers = []
        for detection in detections:
            same = [track for track in self._tracks if covers(track.box, detection.box)]
            for track in same:
                track.confirmed_s = now_s
                track.sure = track.sure or detection.score >= SURE_DETECTION
            if not same:
                newcomers.append(detection)
        return newcomers

    def _start(self, frame: Frame, detection: Detection, now_s: float) -> Outcome:
        """Try to follow a newcomer."""
        if any(covers(track.box, detection.box) for track in self._tracks):
            return Outcome.FOLLOWED  # two detections of one newcomer
        landmarks, scores = self._landmarker.look(frame, patch_from_detection(detection)[None])
        if scores[0] > 0:  # once more, on the patch that the first look gave
            again, better = self._landmarker.look(frame, patch_from_landmarks(landmarks[0])[None])
            if better[0] >= scores[0]:
                landmarks, scores = again, better
        score = float(scores[0])
        if score < self._options.track_score or score * detection.score < LEAST_EVIDENCE:
            if detection.score >= SURE_DETECTION:
                return Outcome.UNMATCHED
            return Outcome.NOTHING if score < NOT_A_FACE else Outcome.DOUBTFUL
        if len(self._tracks) >= self._options.most:
            return Outcome.UNMATCHED
        smoother = OneEuro(self._options.steadiness)
        smoother.smooth(landmarks[0], now_s)
        sure = detection.score >= SURE_DETECTION
        self._tracks.append(Track(self._next, landmarks[0], score, now_s, now_s, sure, smoother))
        self._next += 1
        return Outcome.FOLLOWED


def _colours(tiny: Pixels) -> Floats:
    """Histogram of the colours of a tiny (h, w, 3) picture, a little blurred so that small changes stay small."""
    histogram = cv2.calcHist([tiny], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3)
    return cv2.GaussianBlur(histogram.reshape(64, 8), (0, 0), 0.6)
