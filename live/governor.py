"""Holds the latency's budget by a ladder of quality: a step down when pictures get too old, up when there is room.

Never flaps: a step down waits for two looks that agree, a step up for calm, and a step up that had to be taken back
makes the next try wait twice as long. Pure: ages and times come in, a step comes out. Knows nothing about who measures
and who acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from live.values import FULL, Quality

LEAST_SAMPLES = 8
"""With fewer pictures a look says nothing."""
FAR_OVER = 2.0
"""Times the budget at which one look is enough."""
ROOM = 0.7
"""Of the budget: below it there is room for more."""
SETTLE_S = 2.0
"""After a change nothing is judged for so long: pictures from before it still arrive."""
CALM_S, MOST_CALM_S = 10.0, 320.0
"""There has to be room for so long before a step up; doubled up to the second with each that had to be taken back."""
TRIAL_S = 15.0
"""A step up that holds for so long has worked."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of the ladder."""

    words: str
    """What is given up there, for people."""
    quality: Quality


@dataclass(frozen=True, slots=True)
class Run:
    """What a run consists of, as far as something of it can be given up."""

    restorer: bool = False
    boost: int = 1
    device: bool = False
    """Networks are captured lines on a card: their size and the masks stay as they were captured."""
    mesh: bool = True
    masks: bool = True
    sparse_detector: bool = False
    """Whether the detector may look more seldom: only where bare faces may be shown anyway."""
    live: bool = True


def ladder(run: Run) -> tuple[Step, ...]:
    """The rungs a run has, the full quality first; each keeps what the one before gave up."""
    steps, quality = [Step("everything", FULL)], FULL

    def give_up(words: str, **fields: Any) -> None:
        nonlocal quality
        quality = replace(quality, **fields)
        steps.append(Step(words, quality))

    if run.restorer:
        give_up("the restorer on half of the frames", restorer_every=2)
        give_up("the restorer on a quarter of the frames", restorer_every=4)
        give_up("no restorer", restorer_every=0)
    if run.boost > 1 and not run.device:
        give_up("the network at its own size", boost=1)
    if run.sparse_detector:
        give_up("the detector on a third of the frames", detector_every=3)
    if run.mesh and not run.device:
        give_up("no blur and grain of the camera", lens=False)
        give_up("features stay where the target has them", bend=False)
    if run.masks and not run.device:
        give_up("what covers a face is painted over", masks=False)
    if run.live:
        give_up("half of the pictures", frames_every=2)
        give_up("a third of the pictures", frames_every=3)
    return tuple(steps)


@dataclass(slots=True)
class Governor:
    """Decides for one run. Call `look` about once a second."""

    steps: tuple[Step, ...]
    budget_s: float
    rung: int = 0
    """Index of the step that is taken."""
    _over: int = 0
    _calm_since_s: float | None = None
    _quiet_until_s: float = float("-inf")
    _tried_s: float = float("-inf")
    _waits_s: dict[int, float] = field(default_factory=dict)
    """By rung: how long there has to be room before it is tried again."""

    @property
    def step(self) -> Step:
        """Return the step that is taken."""
        return self.steps[self.rung]

    def look(self, ages_s: Sequence[float], now_s: float) -> Step | None:
        """Judge the pictures since the last look.

        Args: ages_s: of those at the output, from capture to the end of the write.
        Returns: the step to take from now on, None to stay.
        """
        if now_s < self._quiet_until_s or len(ages_s) < LEAST_SAMPLES:
            return None
        age_s = float(np.percentile(np.asarray(ages_s), 95))
        if now_s - self._tried_s > TRIAL_S:
            self._waits_s.pop(self.rung, None)  # the last step up has worked
        if age_s > self.budget_s:
            self._calm_since_s = None
            self._over += 1
            if self._over >= 2 or age_s > FAR_OVER * self.budget_s:
                return self._down(now_s)
            return None
        self._over = 0
        if age_s > ROOM * self.budget_s:
            self._calm_since_s = None
            return None
        return self._up(now_s)

    def _down(self, now_s: float) -> Step | None:
        if self.rung + 1 >= len(self.steps):
            return None
        if now_s - self._tried_s <= TRIAL_S:
            self._waits_s[self.rung] = min(2 * self._waits_s.get(self.rung, CALM_S), MOST_CALM_S)
        self.rung += 1
        return self._changed(now_s)

    def _up(self, now_s: float) -> Step | None:
        if not self.rung:
            return None
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s < self._waits_s.get(self.rung - 1, CALM_S):
            return None
        self.rung -= 1
        self._tried_s = now_s
        return self._changed(now_s)

    def _changed(self, now_s: float) -> Step:
        self._over, self._calm_since_s, self._quiet_until_s = 0, None, now_s + SETTLE_S
        return self.step
