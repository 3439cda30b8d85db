"""Pure timing: how often a repeating fault may be told. Time comes as `now_s`."""

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
