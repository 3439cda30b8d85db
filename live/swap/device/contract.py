"""What every engine on the device promises. Knows tensors, tracks' rows and source faces; nothing about frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor

from live.faces.device_look import Where
from live.nets.packing import Field, Rows
from live.pixels.device import Pyramid
from live.values import FULL, Floats, Quality, Settings, SourceFace

Made = TypeVar("Made")


class Beside(Protocol):
    """Runs something beside the main line; what it reads has to be kept until the join."""

    def __call__(self, work: Callable[[], Made], /) -> Made:
        """Return what `work` makes."""
        ...


class Target(NamedTuple):
    """N target faces as the step found them."""

    picture: Tensor
    """(N, 3, S, S) float32 BGR 0..255: the region in the upper left corner, 0 beside it."""
    pyramid: Pyramid
    """The same, to cut patches out of."""
    extent: Tensor
    """(N, 2) float32: rows and columns of the region."""
    inside: Tensor
    """(N, 1, S, S) 1 in the region, 0 beside it."""
    landmarks: Tensor
    """(N, 478, 3) px of the region, smoothed."""
    mask: Tensor
    """(N, V, V) 0..1, 1 where the face is seen, and everywhere where nobody looked."""
    matrix: Tensor
    """(N, 2, 3) region px -> mask px."""
    masked: bool
    """Whether the masker looked."""
    where: Where
    """Which track each row belongs to."""
    beside: Beside
    """Where `mask` and `matrix` are made, and more may be: beside what follows, or at once."""
    join: Callable[[], None]
    """To be called once before what was made beside is read elsewhere."""


class Wanted(NamedTuple):
    """What the host wants of one row."""

    source: SourceFace
    track: int
    """Row of the tables."""
    landmarks: Floats
    """(478, 3) px of the frame, as they were last seen."""
    settings: Settings
    now_s: float


class Dressed(NamedTuple):
    """The swapped faces."""

    pixels: Tensor
    """(N, 3, S, S) float32 BGR 0..255."""
    alpha: Tensor
    """(N, 1, S, S) 0..255, whole levels: how much of `pixels` replaces the region; 0 outside the face."""
    opacity: Tensor
    """(N,) 0..1 of the face itself, as contract.Worn's: below 1 it is not proven."""
    ok: Tensor
    """(N,) bool: False where nothing could be made of it; alpha is then 0."""
    finite: Tensor
    """(N,) bool: False where a network gave numbers that are none."""


class Wear(Protocol):
    """An engine on the device. `__call__` is captured in a graph; the rest belongs to the host."""

    name: str
    frames: int
    """Consecutive frames of a file that a batch may hold; 1 where what is remembered cannot pass from row to row."""

    @property
    def takes(self) -> Sequence[Field]:
        """What it wants to be told about each row."""
        ...

    def prepare(self, source: SourceFace) -> None:
        """Bring a source face to the device, once. Slow; from any thread; again for the same key: free."""
        ...

    @property
    def patches_px(self) -> Sequence[int]:
        """Sides of the patches that it cuts."""
        ...

    def fill(self, rows: Rows, number: int, face: Wanted) -> None:
        """Write row `number` of `takes`."""
        ...

    def forget(self, track: int) -> None:
        """A row of the tables belongs to another track from now on."""
        ...

    def variant(self, number: int, quality: Quality = FULL) -> str:
        """Return which of its lines a frame of this number takes; each is a graph of its own."""
        ...

    def __call__(self, target: Target, given: Mapping[str, Tensor], variant: str) -> Dressed:
        """Swap N faces. No syncs, no shapes that depend on values."""
        ...
