"""Pure timing: how often a fault may be told, when something lost is tried again, when the next picture is begun.

Time comes as `now_s`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EverySoOften:
    """Lets something through at most once per interval and counts what was held back."""

    interval_s: float = 1.0
    held_back: int = 0
    _next_s: float = float("-inf")

    def ready(self, now_s: float) -> bool:
        """True when the interval has passed; `held_back` then says how many came in between, until the next call."""
        if now_s < self._next_s:
            self.held_back += 1
            return False
        self._next_s = now_s + self.interval_s
        return True


@dataclass(slots=True)
class BackOff:
    """When to try again what failed: at once, then after `first_s`, then twice as long each time up to `most_s`."""

    first_s: float = 0.1
    most_s: float = 1.0
    due_s: float = float("-inf")
    """When the next try is due."""
    _wait_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """Count a failure."""
        self._wait_s = min(self._wait_s * 2, self.most_s) if self._wait_s else self.first_s
        self.due_s = now_s + self._wait_s

    def worked(self) -> None:
        """Begin anew."""
        self._wait_s, self.due_s = 0.0, float("-inf")


@dataclass(slots=True)
class Ahead:
    """When to begin with the next of pictures that are due one after the other, so that it is ready in time.

    As late as that allows: done earlier, it takes the processors from the picture before. A third of the shortest time
    between two pictures is left at least, and twice the longest time that one took lately.
    """

    period_s: float
    """From picture to picture, as promised; shorter ones are noticed."""
    begin_s: float = float("-inf")
    """When to begin, in the clock of `due_s`; long past before the first picture."""
    _due_s: float = float("-inf")
    _longest_s: float = 0.0

    def given(self, due_s: float, took_s: float) -> None:
        """Tell when the picture was due that is given now, and how long it took to make."""
        self.period_s = min(self.period_s, max(due_s - self._due_s, 0.0))
        self._due_s = due_s
        self._longest_s = max(took_s, 0.98 * self._longest_s)
        self.begin_s = due_s + self.period_s - max(self.period_s / 3, 2 * self._longest_s + 0.002)
