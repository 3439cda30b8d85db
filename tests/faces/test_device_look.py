"""What is remembered of tracks goes through the rows of a batch in their order."""

from __future__ import annotations

import torch
from torch import Tensor

from live.faces.device_look import Where, in_order

NUMBERS = torch.tensor([1.0, 2.0, 4.0, 8.0])


def where(tracks: list[int], before: list[int] | None) -> Where:
    count, rows = len(tracks), torch.tensor(tracks)
    chain = None if before is None else torch.tensor(before)
    nothing = torch.zeros(count)
    return Where(torch.zeros(count, 2), rows, chain, rows, nothing, torch.zeros(count, 478, 3), nothing)


def added(row: slice, known: Tensor) -> tuple[Tensor]:
    """Half of what is known, and the row's own number."""
    return (known / 2 + NUMBERS[row, None],)


def test_rows_of_different_tracks_come_out_the_same_at_once_and_one_after_the_other() -> None:
    table = torch.arange(8.0)[:, None] * 10
    tracks = [3, 1, 7, 2]
    (chained,) = in_order(where(tracks, [-1] * 4), (table,), added)
    (at_once,) = in_order(where(tracks, None), (table,), added)
    assert torch.equal(chained, at_once)
    assert at_once[:, 0].tolist() == [16, 7, 39, 18]


def test_a_row_begins_where_the_frame_before_of_its_track_ended() -> None:
    table = torch.full((8, 1), 100.0)
    (found,) = in_order(where([3, 1, 3, 3], [-1, -1, 0, 2]), (table,), added)
    assert found[:, 0].tolist() == [51, 52, 51 / 2 + 4, (51 / 2 + 4) / 2 + 8]
