"""How the demo person moves: pure functions of time, like somebody who talks to a webcam.

Knows no pixels. Nothing is remembered: the same time gives the same gesture, whatever came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, floor, pi, sin

BLINK_EVERY_S = 3.1
CLOSING_S, CLOSED_S, OPENING_S = 0.07, 0.08, 0.13
"""Closed for 80 ms: at least two frames at 30 fps."""
PHRASE_S = 5.2
SYLLABLES_PER_S = 4.7


@dataclass(frozen=True, slots=True)
class Gesture:
    """One moment."""

    yaw_deg: float
    """Positive turns the nose to the picture's right."""
    pitch_deg: float
    """Positive looks down."""
    roll_deg: float
    """Positive leans to the picture's right."""
    right: float
    """Shift in head heights; so is `down`."""
    down: float
    zoom: float
    """1: as far away as at rest."""
    blink: float
    """0 open .. 1 closed."""
    jaw: float
    """0 closed .. 1 as open as speech gets."""
    wide: float
    """0 rounded lips .. 1 spread lips."""
    brow: float
    """-1 lowered .. 1 raised."""


def gesture_at(time_s: float) -> Gesture:
    """The gesture at a time, s from 0."""
    jaw, wide = _mouth(time_s)
    emphasis = _phrase(time_s) * (0.5 + 0.5 * sin(2 * pi * 0.83 * time_s + 0.4))
    return Gesture(
        yaw_deg=6.5 * _wander(time_s, 0.11, 0.7) + 3.0 * _wander(time_s, 0.37, 2.1),
        pitch_deg=2.5 * _wander(time_s, 0.17, 1.3) + 1.6 * emphasis,
        roll_deg=2.2 * _wander(time_s, 0.13, 4.0) + 0.6 * _wander(time_s, 0.41, 0.2),
        right=0.035 * _wander(time_s, 0.07, 5.1) + 0.008 * _wander(time_s, 0.29, 1.0),
        down=0.010 * sin(2 * pi * 0.24 * time_s) + 0.010 * emphasis,
        zoom=1 + 0.018 * _wander(time_s, 0.05, 2.7),
        blink=_blink(time_s),
        jaw=jaw,
        wide=wide,
        brow=0.5 * _wander(time_s, 0.19, 3.3) + 0.5 * emphasis,
    )


def _wander(time_s: float, hertz: float, phase: float) -> float:
    """Slow and never quite periodic, -1 .. 1."""
    turn = 2 * pi * hertz * time_s
    return 0.6 * sin(turn + phase) + 0.4 * sin(1.618 * turn + 2.3 * phase + 1)


def _blink(time_s: float) -> float:
    block = floor(time_s / BLINK_EVERY_S)
    since_s = time_s - block * BLINK_EVERY_S - 0.3 - _chance(block, 1) * (BLINK_EVERY_S - 0.8)
    if since_s < 0:
        return 0.0
    if since_s < CLOSING_S:
        return _ease(since_s / CLOSING_S)
    since_s -= CLOSING_S + CLOSED_S
    return 1.0 if since_s < 0 else 1 - _ease(since_s / OPENING_S)


def _phrase(time_s: float) -> float:
    """1 while a phrase is spoken, 0 in the pause after it."""
    block = floor(time_s / PHRASE_S)
    at_s = time_s - block * PHRASE_S
    end_s = 3.0 + 1.6 * _chance(block, 2)
    return _ease(at_s / 0.25) * (1 - _ease((at_s - end_s) / 0.3))


def _mouth(time_s: float) -> tuple[float, float]:
    """Jaw and width: one syllable glides into the next, some begin with closed lips."""
    at = time_s * SYLLABLES_PER_S + 0.35 * sin(2 * pi * 0.6 * time_s)
    syllable, phase = floor(at), at - floor(at)
    glide = 0.5 - 0.5 * cos(pi * min(1.0, phase * 2))
    before, now = _vowel(syllable - 1), _vowel(syllable)
    closing = 1 - (0.85 if _chance(syllable, 3) < 0.45 else 0.35) * (1 - _ease(abs(phase - 0.15) / 0.35))
    spoken = _phrase(time_s)
    jaw = (before[0] + (now[0] - before[0]) * glide) * closing * spoken
    wide = before[1] + (now[1] - before[1]) * glide
    return jaw, 0.5 + (wide - 0.5) * spoken


def _vowel(syllable: int) -> tuple[float, float]:
    return 0.3 + 0.7 * _chance(syllable, 4) ** 1.3, _chance(syllable, 5)


def _ease(share: float) -> float:
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def _chance(number: int, kind: int) -> float:
    """A fixed random number 0 .. 1 per whole number (the finaliser of splitmix64)."""
    bits = (number * 0x9E3779B97F4A7C15 + kind * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & (2**64 - 1)
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return (bits ^ (bits >> 31)) / 2**64
