"""Where tensors are computed: a CUDA device with its streams, events and graphs, or the CPU with none of them.

The same calls work on both, so that everything above is tested without a GPU: on the CPU a stream does its work at once
and an event has always happened. Knows nothing about networks or faces.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from live.nets.files import nets_folder

Made = TypeVar("Made")

CAPTURE_LOCK = threading.Lock()
"""One graph is captured at a time in this process."""
POLL_S = 0.00002
"""Between two looks at an event; a sleep of Linux takes 60 us more."""
MOST_SHAPES = 64
"""Shapes that one function is compiled for: slot sizes times faces of a batch times variants."""


class Fork:
    """Work beside the main line of a step, on a stream of its own: two chains of small kernels then run side by side.

    What `work` reads has to be kept until the join.
    """

    def __init__(self, place: Place) -> None:
        self._stream = place.stream()
        self._begun = False

    def run(self, work: Callable[[], Made]) -> Made:
        """Queue work that may begin as soon as all that is queued so far is done."""
        if self._stream is None:
            return work()
        self._begun = True
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            return work()

    def join(self) -> None:
        """What is queued from now on waits for it."""
        if self._begun:  # a graph may not wait for a stream that it has not forked
            self._begun = False
            torch.cuda.current_stream().wait_stream(self._stream)


class Place:
    """One device."""

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.is_cuda = self.device.type == "cuda"
        self._pool: Any = None

    @property
    def name(self) -> str:
        """What people call it."""
        return torch.cuda.get_device_name(self.device) if self.is_cuda else "CPU"

    def stream(self, *, urgent: bool = False) -> Any:
        """Return a new stream; None on the CPU. Urgent ones go first."""
        return torch.cuda.Stream(self.device, priority=-1 if urgent else 0) if self.is_cuda else None  # type: ignore[no-untyped-call]

    def event(self, *, timed: bool = False) -> Any:
        """Return an event."""
        return torch.cuda.Event(enable_timing=timed) if self.is_cuda else None  # type: ignore[no-untyped-call]

    @staticmethod
    def happened(event: Any, timeout_s: float = 0.0) -> bool:
        """Wait for an event, at most so long; torch's own wait for one knows no limit, and a card may hang.

        Returns: whether it has happened. Raises: RuntimeError for errors of the device.
        """
        limit_s = time.monotonic() + timeout_s
        while event is not None and not event.query():
            if time.monotonic() >= limit_s:
                return False
            time.sleep(POLL_S)
        return True

    def span(self, name: str) -> AbstractContextManager[Any]:
        """Name what happens within for profilers (NVTX); microseconds where none listens."""
        return torch.cuda.nvtx.range(name) if self.is_cuda else nullcontext()

    def pinned(self, *shape: int) -> Tensor:
        """Return host memory (uint8, zeroed) that the device reads and writes by itself."""
        return torch.zeros(shape, dtype=torch.uint8, pin_memory=self.is_cuda)

    def bytes(self, *shape: int) -> Tensor:
        """Return device memory (uint8, zeroed)."""
        return torch.zeros(shape, dtype=torch.uint8, device=self.device)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of tensors whose small operations are fused into few kernels; on the CPU itself.

        Takes half a minute per shape at the first call, and seconds where a start before has done it.
        """
        if not self.is_cuda:
            return function
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(nets_folder() / "compiled"))
        dynamo: Any = torch._dynamo.config
        dynamo.recompile_limit = max(dynamo.recompile_limit, MOST_SHAPES)
        return torch.compile(function, fullgraph=True, dynamic=False)

    def capture(self, work: Callable[[], None], stream: Any) -> Callable[[], None]:
        """Return what repeats `work`: a CUDA graph of it, on the CPU `work` itself.

        `work` runs a few times first: libraries choose their kernels then. Its tensors have to be the same every time.
        All graphs of a place share their memory: they may only run one after the other, on one stream.
        """
        if not self.is_cuda:
            return work
        with CAPTURE_LOCK, torch.cuda.device(self.device):
            stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(stream):
                for _ in range(3):
                    work()
            stream.synchronize()
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            # thread_local: other threads go on using the device meanwhile
            with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
                work()
        return graph.replay
