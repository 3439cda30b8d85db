"""The numeric guard: rows that are not finite, and when to climb."""

from __future__ import annotations

import pytest
import torch

from live.nets.guard import BAD_IN_A_ROW, Watch, guarded


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_only_the_bad_row_is_replaced(bad: float) -> None:
    output, fallback = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8)
    output[1, 2, 7, 7] = bad
    result, ok = guarded(output, fallback)
    assert ok.tolist() == [True, False, True]
    assert torch.equal(result[[0, 2]], output[[0, 2]])
    assert torch.equal(result[1], fallback[1])


def test_a_mask_that_is_not_finite_counts_too() -> None:
    output, mask = torch.rand(2, 3, 4, 4, dtype=torch.float16), torch.ones(2, 1, 4, 4)
    mask[0] = float("nan")
    result, ok = guarded(output, torch.zeros(2, 3, 4, 4), mask)
    assert ok.tolist() == [False, True]
    assert result.dtype == torch.float16
    assert not result[0].any()


def climbs(verdicts: str) -> list[int]:
    """At which frames the watch says to climb; "." is a good frame, "x" a bad one."""
    watch, found = Watch(), []
    for frame, letter in enumerate(verdicts):
        watch, climb = watch.after(ok=letter == ".")
        if climb:
            found.append(frame)
    return found


@pytest.mark.parametrize(
    ("verdicts", "frames"),
    [("....", []), ("xx.xx.xx", []), ("xxx", [2]), (".xxx.", [3]), ("xxxxxx", [2, 5]), ("xx.xxx", [5])],
)
def test_three_bad_frames_in_a_row_climb(verdicts: str, frames: list[int]) -> None:
    assert BAD_IN_A_ROW == 3
    assert climbs(verdicts) == frames
