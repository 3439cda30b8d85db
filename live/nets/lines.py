"""One step of the device with its buffers and graphs: rows are reserved, filled, sent in a batch, and come back.

A batch travels as one upload, one graph and one download on three streams; two batches are under way at a time, each
with buffers and graphs of its own, so that one uploads while the other computes. Knows nothing about what rows mean.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from live.errors import LiveError
from live.nets.packing import Field, Packing, Rows
from live.nets.place import Place
from live.nets.tickets import Batch, Ticket

BUCKETS = (1, 2, 4, 8)
"""Rows of the graphs; a batch runs in the smallest that holds it."""
UNDER_WAY = 2
"""Batches of a step that are under way: double buffering."""
MOST_UNDER_WAY = 8
"""More of them, without graphs, are made when sessions send again what a frame missed, or do not fit one batch."""
ANSWER_S = 1.0
"""What is queued takes milliseconds; a device that takes so long hangs. A run has to end within 2 s all the same."""
AGAIN_S = 0.05
"""So long a device that hung is given for what is queued behind, until it answers again."""
WAIT_S = 0.002
"""So long the first of several sessions waits for rows of the others."""


class Step(Protocol):
    """What a batch goes through. Holds its constants and state; its tensors keep their addresses."""

    @property
    def takes(self) -> Sequence[Field]:
        """What a row tells."""
        ...

    @property
    def gives(self) -> Sequence[Field]:
        """What comes back of it."""
        ...

    def __call__(self, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """From the fields it takes (N, ...) to those it gives. No syncs, no shapes that depend on values."""
        ...

    def blank(self, given: Rows) -> None:
        """Fill rows (N, ...) that stand for nobody, so that computing them changes nothing that is remembered."""
        ...


class DeviceError(LiveError):
    """The device failed or does not answer."""


class StalledError(DeviceError):
    """The device does not answer."""


@dataclass(eq=False)
class _Slot:
    """The buffers of one batch under way, and the graphs on them."""

    sent: Tensor
    taken: Tensor
    given: Tensor
    got: Tensor
    begun: Any
    uploaded: Any
    computed: Any
    downloaded: Any
    runs: dict[int, Callable[[], None]] = field(default_factory=dict)


class Line:
    """Everything about one step: its slots, and the batch that is being filled."""

    def __init__(self, step: Step, place: Place, most: int, streams: Sequence[Any], lock: threading.RLock) -> None:
        self.step, self._place, self._most = step, place, most
        self._up, self._compute, self._down = streams
        self._lock = lock
        self._free = threading.Condition(lock)
        self._in, self._out = Packing(step.takes), Packing(step.gives)
        self.sessions = 1
        self._open: Batch | None = None
        self._stalled = False
        self._slots: list[_Slot] = []
        self._idle: list[int] = []
        self.arrays_in: list[Rows] = []
        self.arrays_out: list[Rows] = []
        for _ in range(UNDER_WAY):
            self._add_slot()

    def _add_slot(self) -> None:
        place, rows = self._place, self._most
        slot = _Slot(
            place.pinned(rows, self._in.row_bytes),
            place.bytes(rows, self._in.row_bytes),
            place.bytes(rows, self._out.row_bytes),
            place.pinned(rows, self._out.row_bytes),
            place.event(timed=True),
            place.event(),
            place.event(),
            place.event(timed=True),
        )
        self._idle.append(len(self._slots))
        self._slots.append(slot)
        self.arrays_in.append(self._in.arrays(_numpy(slot.sent)))
        self.arrays_out.append(self._out.arrays(_numpy(slot.got)))

    def _take_slot(self) -> int:
        number = min(self._idle)  # the first ones have graphs
        self._idle.remove(number)
        return number

    def warm(self, counts: Sequence[int]) -> None:
        """Capture the graphs for so many rows, in every slot. Slow; not while rows are under way."""
        for slot, arrays in zip(self._slots, self.arrays_in):
            for count in counts:
                self._capture(slot, arrays, self._bucket(count))

    def captured(self, count: int) -> Callable[[], None]:
        """Return the first slot's run for so many rows, captured if it is not yet."""
        return self._capture(self._slots[0], self.arrays_in[0], self._bucket(count))

    def _capture(self, slot: _Slot, arrays: Rows, bucket: int) -> Callable[[], None]:
        self.step.blank(arrays)
        slot.taken.copy_(slot.sent)
        if bucket not in slot.runs:
            slot.runs[bucket] = self._place.capture(self._work(slot, bucket), self._compute)
        return slot.runs[bucket]

    def _work(self, slot: _Slot, bucket: int) -> Callable[[], None]:
        taken, given = self._in.tensors(slot.taken[:bucket]), slot.given[:bucket]

        def work() -> None:
            with torch.inference_mode():
                self._out.write(self.step(taken), given)

        return work

    def _bucket(self, count: int) -> int:
        return min(next(bucket for bucket in BUCKETS if bucket >= count), self._most)

    def reserve(self, count: int, timeout_s: float, together: int) -> Ticket:
        """Return a ticket for so many rows of the batch that is being filled, or of a new one."""
        if not 0 < count <= self._most:
            raise ValueError(f"{count} rows do not fit a batch of {self._most}")
        with self._lock:
            if self._open is not None and self._open.reserved + count > self._most:
                self._close()
            if self._open is None:
                if not self._idle and len(self._slots) < MOST_UNDER_WAY:
                    self._add_slot()
                if not self._free.wait_for(lambda: self._idle, timeout_s):
                    raise StalledError("the device does not answer; all batches are under way")
                self._open = Batch(self, self._take_slot(), time.monotonic() + WAIT_S, max(together, self.sessions))
            batch = self._open
            ticket = Ticket(batch, batch.reserved, count)
            batch.reserved += count
            batch.tickets += 1
            return ticket

    def hurry(self, batch: Batch) -> None:
        """Nobody may join a batch any more."""
        with self._lock:
            if self._open is batch:
                self._close()

    def commit(self, batch: Batch) -> None:
        """One ticket's rows are filled."""
        with self._lock:
            batch.committed += 1
            complete = batch.reserved == self._most or batch.tickets >= batch.together
            closed = batch is not self._open or complete or time.monotonic() >= batch.deadline_s
            if closed and batch.committed == batch.tickets:
                self._launch(batch)

    def leave(self, batch: Batch, timeout_s: float) -> None:
        """Wait until a batch is back; whoever waits launches it when its time has come."""
        if not batch.launched.wait(max(batch.deadline_s - time.monotonic(), 0.0)):
            with self._lock:
                if self._open is batch:
                    self._close()
            if not batch.launched.wait(timeout_s):
                raise DeviceError("others of the batch still fill their rows")
        if batch.error is not None:
            raise DeviceError(f"the device failed: {_line(batch.error)}") from batch.error
        try:
            limit_s = AGAIN_S if self._stalled else ANSWER_S
            self._stalled = not self._place.happened(self._slots[batch.slot].downloaded, limit_s)
        except RuntimeError as error:  # torch raises errors of kernels wherever it next looks
            raise DeviceError(f"the device failed: {_line(error)}") from error
        if self._stalled:
            raise StalledError("the device does not answer")

    @property
    def busy(self) -> bool:
        """Whether the device may still write to the buffers."""
        try:
            return not all(self._place.happened(slot.downloaded) for slot in self._slots)
        except RuntimeError:  # it failed, and writes no more
            return False

    def device_s(self, batch: Batch) -> float:
        """How long the device took for a batch that is back."""
        slot = self._slots[batch.slot]
        return 0.0 if slot.begun is None else float(slot.begun.elapsed_time(slot.downloaded)) / 1000

    def release(self, batch: Batch) -> None:
        """One ticket of a batch is used up; the last one frees its slot."""
        with self._lock:
            batch.released += 1
            if batch.released == batch.tickets:
                if self._open is batch:
                    self._open = None
                self._idle.append(batch.slot)
                self._free.notify_all()

    def _close(self) -> None:
        """Nobody may join the open batch any more."""
        batch, self._open = self._open, None
        if batch is not None and batch.committed == batch.tickets:
            self._launch(batch)

    def _launch(self, batch: Batch) -> None:
        if self._open is batch:
            self._open = None
        if batch.launched.is_set():
            return
        slot, bucket = self._slots[batch.slot], self._bucket(batch.reserved)
        try:
            if bucket > batch.reserved:
                self.step.blank({name: rows[batch.reserved : bucket] for name, rows in self._rows(batch)})
            self._run(slot, bucket)
        except Exception as error:
            batch.error = error
        batch.launched.set()

    def _rows(self, batch: Batch) -> Any:
        return self.arrays_in[batch.slot].items()

    def _run(self, slot: _Slot, bucket: int) -> None:
        """Queue upload, graph and download; nothing here waits for the device."""
        if bucket not in slot.runs:
            slot.runs[bucket] = self._work(slot, bucket)
        if not self._place.is_cuda:
            slot.taken[:bucket].copy_(slot.sent[:bucket])
            slot.runs[bucket]()
            slot.got[:bucket].copy_(slot.given[:bucket])
            return
        with self._place.span("upload"), torch.cuda.stream(self._up):
            slot.begun.record(self._up)
            slot.taken[:bucket].copy_(slot.sent[:bucket], non_blocking=True)
            slot.uploaded.record(self._up)
        with self._place.span(f"step of {bucket}"), torch.cuda.stream(self._compute):
            self._compute.wait_event(slot.uploaded)
            slot.runs[bucket]()
            slot.computed.record(self._compute)
        with self._place.span("download"), torch.cuda.stream(self._down):
            self._down.wait_event(slot.computed)
            slot.got[:bucket].copy_(slot.given[:bucket], non_blocking=True)
            slot.downloaded.record(self._down)


def _numpy(tensor: Tensor) -> NDArray[np.uint8]:
    return tensor.numpy()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
