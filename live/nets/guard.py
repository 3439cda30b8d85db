"""The numeric guard: no NaN reaches a picture, and a network that keeps making them runs more precisely.

`guarded` runs on the device, inside a graph, and waits for nothing: its verdict travels home with the picture. `Watch`
is pure: it hears the verdicts and says when to climb the precision ladder. Who is shown what then is privacy's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BAD_IN_A_ROW = 3
"""So many frames after each other that are not finite are no accident."""


def guarded(output: Tensor, fallback: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """Put the fallback in place of every row that is not finite.

    Args: output (N, ...) floats; fallback of the same shape, for instance the aligned input; others (N, ...) have to be
    finite too, such as the network's mask.
    Returns: output with bad rows replaced; ok (N,) bool.
    """
    ok = finite_rows(output)
    for other in others:
        ok = ok & finite_rows(other)
    column = ok.reshape(-1, *(1,) * (output.dim() - 1))
    return torch.where(column, output, fallback.to(output.dtype)), ok


def finite_rows(tensor: Tensor) -> Tensor:
    """(N,) bool: whether all of a row's numbers are finite."""
    return torch.isfinite(tensor).flatten(1).all(1)


@dataclass(frozen=True)
class Watch:
    """Counts bad frames. Replaced whole with every verdict."""

    bad: int = 0
    """After each other, up to now."""

    def after(self, *, ok: bool) -> tuple[Watch, bool]:
        """Hear a frame's verdict. Returns: the watch from now on, and whether to climb one rung now."""
        if ok:
            return Watch(), False
        if self.bad + 1 >= BAD_IN_A_ROW:
            return Watch(), True
        return Watch(self.bad + 1), False
