"""Some rows of a batch on their way through the device, as a session holds them. Knows no streams or graphs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from live.nets.packing import Rows

if TYPE_CHECKING:
    from live.nets.lines import Line

STALLED_S = 5.0
"""A batch that takes longer never comes."""


class Ticket:
    """Some rows of a batch. Fill `rows`, then `commit`, then `result`, then `release`."""

    def __init__(self, batch: Batch, first: int, count: int) -> None:
        self._batch, self._part = batch, slice(first, first + count)
        self.rows: Rows = {name: rows[self._part] for name, rows in batch.line.arrays_in[batch.slot].items()}
        """(count, ...) pinned memory, to be filled."""
        self._committed = self._released = False

    def commit(self) -> None:
        """The rows are filled; the batch leaves as soon as it need not wait for others."""
        self._committed = True
        self._batch.line.commit(self._batch)

    def result(self, timeout_s: float = STALLED_S) -> Rows:
        """Wait for the rows that came back, (count, ...): valid until `release`.

        Raises: DeviceError when the device failed or nothing came in time.
        """
        batch = self._batch
        batch.line.leave(batch, timeout_s)
        return {name: rows[self._part] for name, rows in batch.line.arrays_out[batch.slot].items()}

    def hurry(self) -> None:
        """Its batch waits for nobody any more."""
        self._batch.line.hurry(self._batch)

    def after(self, earlier: Ticket, number: int) -> int:
        """Return the row of this batch that holds row `number` of an earlier ticket, -1 where that is another batch,
        which then waits for nobody any more: what it remembers has to be there first. Before `commit`.
        """
        if earlier._batch is self._batch:
            return earlier._part.start + number
        earlier.hurry()
        return -1

    def row(self, number: int) -> Rows:
        """Row `number` of the whole batch, as `after` counts, to be filled. Before `commit`."""
        batch = self._batch
        return {name: rows[number : number + 1] for name, rows in batch.line.arrays_in[batch.slot].items()}

    def device_s(self) -> float:
        """From the beginning of the upload to the end of the download, told by the device; 0 on the CPU. After
        `result`.
        """
        return self._batch.line.device_s(self._batch)

    def release(self) -> None:
        """Give the rows back; the ticket is used up. Rows that were never committed stand for nobody."""
        if self._released:
            return
        self._released = True
        if not self._committed:
            self._batch.line.step.blank(self.rows)
            self.commit()
        self._batch.line.release(self._batch)


@dataclass(eq=False)
class Batch:
    """Rows that travel together."""

    line: Line
    slot: int
    deadline_s: float
    together: int
    """With so many tickets it waits for no more."""
    reserved: int = 0
    """Rows."""
    tickets: int = 0
    committed: int = 0
    """Tickets whose rows are filled."""
    released: int = 0
    launched: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
