"""Faces that are followed: what is known of each, and what of two boxes speaks for one face. Begins and ends none."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot
from typing import NamedTuple

from live.faces.landmarker import extent
from live.faces.smoothing import OneEuro
from live.privacy import Rectangle, covers
from live.values import Floats


class Found(NamedTuple):
    """A face on the place where it was followed to."""

    raw: Floats
    """(478, 3) frame px."""
    score: float
    smooth: Floats | None = None
    """(478, 3) frame px; None: to be smoothed here."""


@dataclass(slots=True, eq=False)
class Track:
    """A face that is being followed."""

    number: int
    raw: Floats
    """(478, 3) frame px, as the landmarker gave them."""
    score: float
    confirmed_s: float
    begun_s: float
    sure: bool
    """A face beyond doubt."""
    filter: OneEuro
    moved: tuple[float, float] = (0.0, 0.0)
    """px between the last two frames, ..."""
    surprise: float = 0.0
    """... and how far off the motion before, in shares of the face's size."""
    person: int | None = None
    """Who is on it; None until it is a face beyond doubt."""
    landmarks: Floats = field(init=False)
    """Smoothed."""
    box: Rectangle = field(init=False)
    """Tight, of the raw mesh."""

    def __post_init__(self) -> None:
        self.landmarks, self.box = self.raw, box_of(self.raw)


def box_of(landmarks: Floats) -> Rectangle:
    """Tight box around the 468 mesh points of (478, 3) landmarks, px."""
    low, high = extent(landmarks)
    return (*low.tolist(), *high.tolist())


def plausible(now: Rectangle, then: Rectangle) -> bool:
    """Whether it may be one face: between two frames none doubles its size or jumps by more than its own size."""
    size, old = now[3] - now[1], then[3] - then[1]
    moved = hypot((now[0] + now[2] - then[0] - then[2]) / 2, (now[1] + now[3] - then[1] - then[3]) / 2)
    return old > 4 and 0.5 < size / old < 2 and moved < old


def note_motion(track: Track, now: Rectangle) -> None:
    """Note how a track moves to its next box, and how that goes on from the motion before."""
    then, (right, down) = track.box, track.moved
    track.moved = (now[0] + now[2] - then[0] - then[2]) / 2, (now[1] + now[3] - then[1] - then[3]) / 2
    track.surprise = hypot(track.moved[0] - right, track.moved[1] - down) / max(now[3] - now[1], 1.0)


def without_doubles(tracks: list[Track], now_s: float) -> list[Track]:
    """Of tracks on the same face one stays: none that is new, and of the others the one that got there as expected.

    When people pass each other, the track of the hidden face hops onto the face in front.
    """
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda track: (track.begun_s == now_s, track.surprise)):
        if not any(covers(other.box, track.box) for other in kept):
            kept.append(track)
    return [track for track in tracks if track in kept]
