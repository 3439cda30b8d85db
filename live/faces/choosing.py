"""Who of the people in a picture is swapped when the user chose fewer than everyone.

Errs on the side of swapping: whoever may be the chosen one counts as chosen. Pure; knows faces and times, nothing about
source faces. That the others stay bare is for the user to say, not for this module.
"""

from __future__ import annotations

from collections.abc import Sequence

from live.privacy import Rectangle
from live.values import Face, Settings, Whom

LINGER_S = 1.0
"""So long somebody who was the largest or leftmost one stays chosen: two who change places flicker for neither."""
FORGET_S = 50.0
"""So long it is remembered who is and who is not the locked person. Shorter than people keep their numbers out of sight
(faces/people): whoever gets a number next may be anybody."""


class Chooser:
    """The choice for one capture's frames, in order."""

    def __init__(self) -> None:
        self._until_s: dict[int, float] = {}
        self._beside: dict[int, float] = {}
        self._rule: tuple[Whom, int] = Whom.EVERYONE, 0
        self._seen_s = 0.0
        self._void = False

    def choose(self, faces: Sequence[Face], settings: Settings, now_s: float) -> list[Face]:
        """Return the faces of a frame that are to be swapped, in their order.

        Largest and leftmost: that one, and who was that one within LINGER_S. Locked: everybody but those who were seen
        in one picture with the locked person; while he is out of sight a newcomer may be himself. Once he was out of
        sight for FORGET_S everybody is swapped, until somebody is locked anew.
        """
        rule = settings.whom, settings.locked
        if rule != self._rule:
            self._until_s, self._beside, self._rule = {}, {}, rule
            self._seen_s, self._void = now_s, False
        if settings.whom is Whom.EVERYONE or not faces:
            return list(faces)
        if settings.whom is Whom.LOCKED:
            return self._all_but_strangers(faces, settings.locked, now_s)
        self._until_s[_first(faces, settings.whom).person] = now_s + LINGER_S
        self._until_s = {person: until_s for person, until_s in self._until_s.items() if now_s <= until_s}
        return [face for face in faces if face.person in self._until_s]

    def split(self, faces: Sequence[Face], settings: Settings, now_s: float) -> tuple[list[Face], list[Rectangle]]:
        """As `choose`. Returns: the faces to be swapped, and the boxes of the others."""
        chosen = self.choose(faces, settings, now_s)
        tracks = {face.track for face in chosen}
        return chosen, [face.box for face in faces if face.track not in tracks]

    def _all_but_strangers(self, faces: Sequence[Face], locked: int, now_s: float) -> list[Face]:
        there = {face.person for face in faces}
        self._void = self._void or now_s - self._seen_s >= FORGET_S
        if self._void:
            return list(faces)
        if locked in there:
            self._seen_s = now_s
        self._beside = {person: seen_s for person, seen_s in self._beside.items() if now_s - seen_s < FORGET_S}
        strangers = there - {locked} if locked in there else there & set(self._beside)
        self._beside |= dict.fromkeys(strangers, now_s)
        return [face for face in faces if face.person not in strangers]


def _first(faces: Sequence[Face], whom: Whom) -> Face:
    if whom is Whom.LEFTMOST:
        return min(faces, key=lambda face: face.box[0] + face.box[2])
    return max(faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
