"""Who is who: numbers for the people of a scene, that outlive the tracks of their faces.

A track ends when a head turns away, somebody walks past or the picture is cut; the person is remembered for a while by
looks and place, and gets the number back. A newcomer who is not surely somebody known is a new person: whoever wears a
number's source face, nobody stays bare. Where two faces touch, or a track's looks change at once, it is asked anew who
is on which track, since tracks may hop from one face to another. Pure: knows faces and thumbnails, not source faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from live.faces.appearance import appearance, difference
from live.faces.matching import cheapest_pairs
from live.values import Face, Floats, Pixels

FORGET_S = 60.0
"""So long somebody who has left keeps the number; light and camera hardly stay the same for longer."""
MOST_KNOWN = 16
SAME = 3.0
"""Looks that differ by less are the same person's, wherever the face is; see `appearance`."""
NEAR, NEAR_S = 8.0, 3.0
"""The same at the place and in the moment where somebody was lost. It falls to SAME with distance, and in NEAR_S."""
BEHIND = 16.0
"""The same for somebody who comes from behind another face: what is seen first is half the other one's."""
WALKS = 2.0
"""Face heights that somebody moves in a second, out of sight."""
JUMP = 2.0
"""Looks that change by so much from one frame to the next are looked into: another face may be on the track."""
OPEN = 2.0
"""Within doubt: looks that differ by more from the person's own let others be considered."""
TOUCH = 1.3
"""Faces whose middles are nearer, in face heights, may be taken for each other."""
DOUBT_S = 0.5
YOUNG_S = 0.5
"""A new person of that age may still turn out to be somebody known who came from behind somebody else."""
STAY, YOUNG_STAY = 0.25, 0.9
"""What staying costs less than looks say, and what it costs while new; being nobody known costs 1."""
LEARN = 0.05
"""Share of a new look that is taken over in a frame, when there is no doubt."""
LONE_EVERY = 5
"""Frames between looks at somebody who is alone: then there is nobody to be taken for."""


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who is or was in the picture."""

    number: int
    track: int | None
    """Number of the track, None while out of sight."""
    looks: Floats
    """(3, 3), see `appearance`: as remembered ..."""
    last: Floats
    """... and as last seen."""
    middle: Floats
    """(2,) px of the frame, and ..."""
    size_px: float
    """... height of the face, when last seen."""
    begun_s: float
    seen_s: float
    speed: Floats = field(default_factory=lambda: np.zeros(2, np.float32))
    """(2,) px per s."""
    doubt_until_s: float = float("-inf")
    placed: bool = True
    """False after a cut: where somebody was says nothing."""
    sights: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """A face as it is seen now."""

    track: int
    looks: Floats
    middle: Floats
    size_px: float
    touched: bool
    """Another face is so near that the looks may be partly its own."""


class People:
    """The people of one capture."""

    def __init__(self) -> None:
        self._known: list[Person] = []
        self._frames = 0

    def recognise(
        self, faces: Sequence[Face], thumbnail: Pixels, scale: float, now_s: float, *, cut: bool
    ) -> list[int]:
        """Say who the faces of the next frame are.

        Args: thumbnail (h, w, 3) BGR of the frame, scale: its px per frame px; cut: the scene has changed.
        Returns: a number per face, from 0 in the order in which people came, several at once from the left. Numbers of
            people who are forgotten are given again.
        """
        self._frames += 1
        self._let_go(faces, now_s, cut=cut)
        if self._is_calm(faces):
            return [self._known[0].number]
        sights = _sights(faces, thumbnail, scale)
        self._doubt(sights, now_s)
        self._assign(sights, now_s)
        on = {person.track: person for person in self._known}
        for sight in sights:
            _learn(on[sight.track], sight, now_s)
        return [on[sight.track].number for sight in sights]

    def _let_go(self, faces: Sequence[Face], now_s: float, *, cut: bool) -> None:
        """Take leave of those whose tracks ended, and forget those who left long ago."""
        followed = set() if cut else {face.track for face in faces}
        for person in self._known:
            person.placed = person.placed and not cut
            if person.track not in followed:
                person.track = None
        self._known = [person for person in self._known if person.track is not None or now_s - person.seen_s < FORGET_S]
        absent = sorted((person for person in self._known if person.track is None), key=lambda person: person.seen_s)
        for person in absent[: max(0, len(self._known) - MOST_KNOWN)]:
            self._known.remove(person)

    def _is_calm(self, faces: Sequence[Face]) -> bool:
        """Whether the one person there is goes on being alone, and need not be looked at."""
        alone = len(faces) == len(self._known) == 1 and self._known[0].track == faces[0].track
        return alone and self._known[0].sights > LONE_EVERY and self._frames % LONE_EVERY != 0

    def _doubt(self, sights: Sequence[_Sight], now_s: float) -> None:
        """Note whose tracks may have hopped: their looks change at once, or another face touches theirs."""
        on = {person.track: person for person in self._known if person.track is not None}
        for sight in sights:
            person = on.get(sight.track)
            if person is not None and (sight.touched or difference(sight.looks, person.last) > JUMP):
                person.doubt_until_s = now_s + DOUBT_S

    def _assign(self, sights: Sequence[_Sight], now_s: float) -> None:
        """Put every track on a person: newcomers, and those in doubt who look unlike themselves, are looked for."""
        on = {person.track: person for person in self._known if person.track is not None}
        asked = [sight for sight in sights if sight.track not in on or _is_open(on[sight.track], sight, now_s)]
        if not asked:
            return
        free = [person for person in self._known if person.track is None]
        free += [on[sight.track] for sight in asked if sight.track in on]
        costs = np.array(
            [[_cost(sight, person, on.get(sight.track), now_s) for person in free] for sight in asked], np.float32
        )
        pairs = cheapest_pairs(costs.reshape(len(asked), len(free)), alone=1.0)
        mistaken = [person for person in free if person.track is not None and _is_young(person, now_s)]
        for person in free:
            person.track = None
        for row, column in pairs.items():
            free[column].track = asked[row].track
        left = [sight for row, sight in enumerate(asked) if row not in pairs]
        self._known = [person for person in self._known if person.track is not None or person not in mistaken]
        for sight in sorted(left, key=lambda sight: float(sight.middle[0])):
            number = min(set(range(len(self._known) + 1)) - {person.number for person in self._known})
            new = Person(number, sight.track, sight.looks, sight.looks, sight.middle, sight.size_px, now_s, now_s)
            self._known.append(new)


def _sights(faces: Sequence[Face], thumbnail: Pixels, scale: float) -> list[_Sight]:
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    places = list(zip(middles, sizes.tolist()))
    return [
        _Sight(
            face.track,
            appearance(thumbnail, scale, face.landmarks),
            *place,
            touched=sum(_apart(*place, *other) < TOUCH for other in places) > 1,  # itself is among them
        )
        for face, place in zip(faces, places)
    ]


def _is_young(person: Person, now_s: float) -> bool:
    return now_s - person.begun_s < YOUNG_S


def _is_open(person: Person, sight: _Sight, now_s: float) -> bool:
    """Whether the track of a person may be somebody else's by now."""
    return now_s < person.doubt_until_s and float(difference(sight.looks, person.looks)) > OPEN


def _cost(sight: _Sight, person: Person, on: Person | None, now_s: float) -> float:
    """Return how little a sight speaks for a person: below 1 it may be the same one.

    Args: on: who was on the sight's track, None for a newcomer.
    """
    unlike = float(difference(sight.looks, person.looks))
    if person is on:
        return YOUNG_STAY if _is_young(person, now_s) else min(unlike / NEAR, 1.0) - STAY
    if on is not None and _is_young(on, now_s) and person.seen_s >= on.begun_s:
        return 1.0  # they were seen together
    if not person.placed:
        return unlike / SAME
    gap_s = max(now_s - person.seen_s, 0.0)
    expected = person.middle + person.speed * np.float32(min(gap_s, DOUBT_S))
    apart = _apart(sight.middle, sight.size_px, expected, person.size_px)
    closeness = max(0.0, 1 - apart / (1 + WALKS * gap_s)) * max(0.0, 1 - gap_s / NEAR_S)
    return unlike / (SAME + closeness * ((BEHIND if on is None and sight.touched else NEAR) - SAME))


def _apart(one: Floats, one_px: float, other: Floats, other_px: float) -> float:
    """Distance of two faces' middles in the larger one's heights; another size counts as distance, too."""
    size = max(one_px, other_px)
    return float(np.hypot(*(one - other))) / size + abs(float(np.log(one_px / other_px)))


def _learn(person: Person, sight: _Sight, now_s: float) -> None:
    """Remember what is seen of a person; the looks only where there is no doubt whose they are."""
    if now_s >= person.doubt_until_s:
        person.looks = person.looks + np.float32(max(LEARN, 1 / (1 + person.sights))) * (sight.looks - person.looks)
        person.sights += 1
    passed_s = now_s - person.seen_s
    if passed_s > 0:
        share = np.float32(min(1.0, passed_s / 0.2))
        person.speed = person.speed + share * ((sight.middle - person.middle) / np.float32(passed_s) - person.speed)
    person.last, person.middle, person.size_px, person.seen_s = sight.looks, sight.middle, sight.size_px, now_s
