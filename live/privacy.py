"""The last step of every output: is this frame proven, and what is shown when it is not. Pure logic; time comes in.

A frame is proven when every face the detector finds in it was swapped in it, and nobody was lost from sight a moment
ago. Whatever goes wrong upstream (a miss, an exception, a stall, a killed thread) ends here as "not proven". Knows
nothing about pixels or threads.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from live.values import Proof

BRIEF = 0.3
"""Share of `settle_s` for which something doubtful counts."""


Rectangle = tuple[float, float, float, float]
"""x1, y1, x2, y2 px of the frame."""


class Verdict(Enum):
    """What an output shows now."""

    NEW = "the new picture"
    HOLD = "the last released picture"
    SLATE = "the slate"
    BLUR = "the new picture, blurred beyond recognition"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user allows; see `privacy` in configs/default.yaml."""

    unproven: str = "slate"
    hold_s: float = 0.5
    deadline_s: float = 0.1
    settle_s: float = 1.0


@dataclass(slots=True)
class Switches:
    """What every control surface can throw directly, without the loop: shared by all gates of a run."""

    panic: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)


class Gate:
    """One per output. Call `judge` for every frame and for every deadline that passes without one."""

    def __init__(self, rules: Rules, switches: Switches) -> None:
        self._rules = rules
        self._switches = switches
        self._proven_s: float | None = None

    def judge(self, proof: Proof | None, now_s: float) -> Verdict:
        """Decide what is shown now.

        Args: proof of the new frame, None when the deadline passed without one; now_s in the clock of the frames
        (monotonic for live, media time for files).
        """
        if self._switches.panic.is_set():
            self._proven_s = None
            return Verdict.SLATE
        if self._switches.pause.is_set():
            return Verdict.SLATE if self._proven_s is None else Verdict.HOLD
        if proof is not None and (proof.proven or self._rules.unproven == "pass"):
            self._proven_s = now_s
            return Verdict.NEW
        if self._proven_s is None:
            return Verdict.SLATE
        if now_s - self._proven_s <= self._rules.hold_s:
            return Verdict.HOLD
        if proof is not None and self._rules.unproven == "blur":
            return Verdict.BLUR
        return Verdict.SLATE


@dataclass(frozen=True, slots=True)
class Seen:
    """What perception found in a frame, as far as privacy needs it."""

    found: tuple[Rectangle, ...] = ()
    """Boxes of the faces that are followed."""
    lost: tuple[Rectangle, ...] = ()
    """Boxes of the faces whose tracks ended in this frame."""
    unmatched: tuple[Rectangle, ...] = ()
    """Detections that no followed face explains."""
    doubtful: tuple[Rectangle, ...] = ()
    """Places that might be a face and might not: weak detections, and weak tracks that ended at once."""
    cut: bool = False
    """The scene changed."""


NOWHERE: Rectangle = (float("nan"),) * 4
"""Covered by no face."""
EVERYWHERE: Rectangle = (float("-inf"), float("-inf"), float("inf"), float("inf"))


class Watch:
    """Decides whether a frame is proven, from what was found and swapped in it and in the frames before.

    It keeps *doubts*: places where a face may be that is not swapped. A track that ends leaves one, a detection that no
    swapped face covers leaves one, and everywhere is in doubt at the start and after a scene cut. A doubt ends when a
    swapped face covers it, or when the detector has been silent about it for `settle_s`; what was only doubtful itself
    ends sooner, within the time that a picture is held.
    """

    def __init__(self, rules: Rules) -> None:
        self._settle_s = rules.settle_s
        self._doubts: list[tuple[Rectangle, float, str]] = []
        self._started = False
        self._last: tuple[Sequence[Rectangle], Sequence[Rectangle]] = (), ()

    def prove(
        self,
        seen: Seen,
        swapped: Sequence[Rectangle],
        *,
        worn: bool,
        now_s: float,
        bare: Sequence[Rectangle] = (),
    ) -> Proof:
        """State what is known about a frame.

        Args: seen what perception found; swapped the boxes of the faces that were swapped; worn False when no source
        face is put on or the engine hands faces back; now_s the clock of the frames; bare the boxes, of those found, of
        the people who stay as they are in the user's words.
        """
        seen = self._without(bare, seen)
        if seen.cut or not self._started:
            self._started = True
            self._doubts = [(EVERYWHERE, now_s + self._settle_s, "nobody seen yet")]
        until_s = now_s + self._settle_s
        fresh = [(box, until_s, "a face was lost from sight") for box in seen.lost]
        fresh += [(box, until_s, "a face is seen but not followed") for box in seen.unmatched]
        fresh += [(box, now_s + BRIEF * self._settle_s, "something may be a face") for box in seen.doubtful]
        older = [doubt for doubt in self._doubts if now_s < doubt[1]]
        self._doubts = [doubt for doubt in [*fresh, *older] if not any(covers(box, doubt[0]) for box in swapped)]
        self._last = tuple(bare), tuple(swapped)
        found = len(seen.found)
        if not worn:
            return Proof(False, "no source face is worn", found, 0)
        if len(swapped) < found:
            return Proof(False, f"{len(swapped)} of {found} faces swapped", found, len(swapped))
        if self._doubts:
            _, until_s, why = max(self._doubts, key=lambda doubt: doubt[1])
            return Proof(False, f"{why}; {until_s - now_s:.1f} s to go", found, len(swapped))
        words = f"{found} of {found} faces swapped" if found else "nobody in the picture"
        words = f"{words}, {len(bare)} BARE as you chose" if bare else words
        return Proof(True, words, found, found)

    def _without(self, bare: Sequence[Rectangle], seen: Seen) -> Seen:
        """What was seen, without the people who stay as they are, and without doubts that are surely about them.

        A place where somebody was swapped in the frame before stays in doubt, also behind one who stays bare.
        """
        before, dressed = self._last
        theirs = [*bare, *before]
        if not theirs:
            return seen

        def counts(box: Rectangle) -> bool:
            return any(covers(one, box) for one in dressed) or not any(covers(one, box) for one in theirs)

        lost, unmatched, doubtful = (
            tuple(filter(counts, boxes)) for boxes in (seen.lost, seen.unmatched, seen.doubtful)
        )
        return Seen(tuple(box for box in seen.found if box not in bare), lost, unmatched, doubtful, seen.cut)

    def blind(self, now_s: float) -> None:
        """Perception failed in a frame: whom it lost there nobody knows, so no swapped face ends this doubt."""
        self._started = True
        self._doubts.append((NOWHERE, now_s + self._settle_s, "perception failed"))


def covers(face: Rectangle, doubt: Rectangle) -> bool:
    """Whether a swapped face lies over the place in doubt: the centre of one is inside the other."""
    if doubt == EVERYWHERE:
        return True
    return _inside(_centre(doubt), face) or _inside(_centre(face), doubt)


def _centre(box: Rectangle) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _inside(point: tuple[float, float], box: Rectangle) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
