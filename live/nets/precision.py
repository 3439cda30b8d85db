"""Which precision a network runs at: pure logic over a device's facts and verdicts. Knows neither torch nor a device.

The ladder goes from fast to exact. A rung holds if its results are finite and near those of float32; half precision
may leave single nodes in float32. What is measured is `nets/selftest.py`'s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WORDS = ("fp16", "bf16", "tf32", "fp32")
NEAR_ENOUGH = 2e-2
"""Largest relative distance (L2) from float32's result; half precision reaches 1e-3 on networks it suits."""
MOST_WIDE = 0.25
"""Share of nodes that may stay in float32; beyond, the next rung is as fast and simpler."""
_NO_TENSOR_CORES = re.compile(r"GTX 16|\bMX\d|\bT(4|5|6|10|12)00\b|T5[05]0|T1000|T2000")
"""Compute capability 7.5 without tensor cores: half precision there is no faster, and peers report NaN."""


@dataclass(frozen=True)
class DeviceFacts:
    """What is known of a device."""

    kind: str
    """cpu, cuda, ..."""
    name: str = ""
    capability: tuple[int, int] = (0, 0)
    """CUDA's compute capability; (0, 0) elsewhere."""

    @property
    def tensor_cores(self) -> bool:
        """Whether it multiplies matrices in half precision faster than in float32."""
        return self.kind == "cuda" and self.capability >= (7, 0) and not _NO_TENSOR_CORES.search(self.name)


@dataclass(frozen=True)
class Verdict:
    """How near a precision's result is to float32's."""

    finite: bool
    relative_l2: float

    @property
    def holds(self) -> bool:
        """Whether it may be used."""
        return self.finite and self.relative_l2 <= NEAR_ENOUGH

    def __str__(self) -> str:
        """For the line shown to the user."""
        return f"{self.relative_l2:.0e}" if self.finite else "not finite"


@dataclass(frozen=True)
class Choice:
    """The precision to run at, and why."""

    precision: str
    wide: tuple[str, ...] = ()
    """Nodes that stay in float32."""
    verdict: Verdict | None = None
    """None: float32, which is the measure itself."""
    refused: tuple[tuple[str, Verdict], ...] = ()
    """Rungs that did not hold."""

    @property
    def line(self) -> str:
        """One line for the user."""
        words = [self.precision]
        if self.wide:
            words.append(f"with {len(self.wide)} layers in fp32")
        if self.verdict is not None:
            words.append(f"(distance from fp32 {self.verdict})")
        if self.refused:
            words.append("since " + ", ".join(f"{word} is {verdict}" for word, verdict in self.refused))
        return " ".join(words)


Judge = Callable[[str, frozenset[str]], Verdict]
"""Runs the self-test at a precision with some nodes in float32."""
FindWide = Callable[[str], Sequence[str]]
"""Names nodes that had better stay in float32 at a precision."""


def ladder(facts: DeviceFacts) -> tuple[str, ...]:
    """The precisions a device offers, fastest first. float32 is always the last."""
    if not facts.tensor_cores:
        return ("fp32",)
    return WORDS if facts.capability >= (8, 0) else ("fp16", "fp32")


def choose(facts: DeviceFacts, judge: Judge, find_wide: FindWide | None = None, nodes: int = 0) -> Choice:
    """Climb the ladder until a rung holds.

    Args: find_wide is asked where half precision alone does not hold; nodes is the number in the network.
    """
    refused: list[tuple[str, Verdict]] = []
    for word in ladder(facts)[:-1]:
        verdict = judge(word, frozenset())
        if verdict.holds:
            return Choice(word, (), verdict, tuple(refused))
        refused.append((word, verdict))
        wide = tuple(find_wide(word)) if find_wide is not None and word == "fp16" else ()
        if wide and len(wide) <= MOST_WIDE * max(nodes, 1):
            verdict = judge(word, frozenset(wide))
            if verdict.holds:
                return Choice(word, wide, verdict)
    return Choice("fp32", refused=tuple(refused))


def next_rung(facts: DeviceFacts, precision: str) -> str | None:
    """One rung more exact; None at the top."""
    rungs = ladder(facts)
    place = rungs.index(precision) + 1 if precision in rungs else len(rungs) - 1
    return rungs[place] if place < len(rungs) else None


def overflowing(largest: dict[str, float], limit: float) -> tuple[str, ...]:
    """Nodes whose numbers came too near to what half precision can hold.

    Args: largest: per node the largest magnitude seen among its inputs and outputs in float32.
    """
    return tuple(name for name, number in largest.items() if not number <= limit)


def narrow_down(names: Sequence[str], holds: Callable[[frozenset[str]], bool], tries: int = 24) -> tuple[str, ...]:
    """Find few nodes that suffice when they stay in float32, by leaving out ever smaller parts.

    Args: names in the order of computing; holds runs the self-test with these in float32; tries bounds the tests.
    Returns: the names that are left; none if even all of them do not suffice.
    """
    kept = list(names)
    if not kept or not holds(frozenset(kept)):
        return ()
    part = math.ceil(len(kept) / 2)
    tries -= 1
    while tries > 0 and part >= 1 and len(kept) > 1:
        start = 0
        while start < len(kept) and tries > 0:
            rest = kept[:start] + kept[start + part :]
            tries -= 1
            if rest and holds(frozenset(rest)):
                kept = rest
            else:
                start += part
        part = part // 2
    return tuple(kept)
