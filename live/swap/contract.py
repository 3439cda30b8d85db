"""What every engine promises: a swapper with what it needs. Knows nothing about frames, tracks or outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from live.values import Box, Floats, Pixels, Settings, SourceFace


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """Which part of a target face is seen: not under hair, hands, glasses or microphones."""

    mask: Floats
    """(S, S) 0..1, 1 where the face is seen."""
    matrix: Floats
    """(2, 3) region px -> mask px."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One target face to be swapped."""

    region: Pixels
    """(H, W, 3) BGR: the face's region, cut from the frame as it came. Read only."""
    landmarks: Floats
    """(478, 3) px of the region."""
    track: int
    """Engines may keep smoothed state (light, neutral shape) under it."""
    source: SourceFace
    time_s: float = 0.0
    """The frame's time, on the clock of the run."""
    visible: Callable[[], Visible] | None = None
    """Waits for the masker, which works beside the engine: ask late. None: everything counts as seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """The swapped face, in the same region."""

    pixels: Pixels
    """(H, W, 3) BGR."""
    alpha: Pixels
    """(H, W) 0..255: how much of `pixels` replaces the region; 0 outside the face, whatever `pixels` holds there."""
    opacity: float = 1.0
    """0..1: of the face itself. Below 1 the target shines through (an engine may fade out in profile, or find next to
    nothing of the face uncovered): not proven."""


class Preparer(Protocol):
    """What puts source faces on, as far as it has to be told of them."""

    name: str
    proves: bool
    """False for `none`, which hands faces back as they came."""

    def prepare(self, source: SourceFace) -> None:
        """Do whatever a source face needs once (texture, embedding). Slow; again for the same key: free."""
        ...

    def close(self) -> None:
        """Free what it holds of the machine; may be called twice. It is not used again."""
        ...


class Engine(Preparer, Protocol):
    """A swapper. `swap` runs on the swap thread only; `prepare` may run on another thread at the same time."""

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """The part of the frame this engine needs and may change, clipped to it, x1 and y1 even.

        Args: landmarks (478, 3) px of the frame.
        """
        ...

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """Swap all faces of one frame, in order. Raises any error: the frame is then not proven."""
        ...

    def forget(self, track: int) -> None:
        """Drop what was kept for a track that ended or jumped (scene cut)."""
        ...
