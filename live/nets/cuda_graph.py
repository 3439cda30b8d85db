"""A function of tensors captured as one CUDA graph: launching it costs one call instead of hundreds.

One capture owns its input and output buffers and belongs to one owner: two who share it would get each other's face.
Knows nothing of networks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3
"""Runs before the capture: libraries choose their algorithms and workspaces then."""


class Captured:
    """A captured function.

    The function must not wait for the device nor make tensors from host numbers. Fill `inputs` and call `replay`, or
    call `run`; `outputs` hold the result until the next replay.
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Tensor]],
        examples: Sequence[Tensor],
        *,
        pool: Any = None,
    ) -> None:
        """Warm up on a side stream and capture.

        Args: examples on the device give shapes and types, and what the warm-up computes; pool: memory shared with
        captures that are never in flight together (`torch.cuda.graph_pool_handle()`).
        """
        self._owner = threading.Lock()
        self.inputs = tuple(tensor.detach().clone() for tensor in examples)
        self._graph = torch.cuda.CUDAGraph()
        device = self.inputs[0].device
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                function(*self.inputs)
            stream.synchronize()
            # thread_local: what other threads do to the device meanwhile does not break the capture.
            with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self.outputs = tuple(function(*self.inputs))
        torch.cuda.current_stream(device).wait_stream(stream)

    def replay(self) -> None:
        """Compute `outputs` from `inputs` on the current stream; returns at once."""
        self._graph.replay()

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Copy in and replay on the current stream.

        Returns: `outputs`, which the next call overwrites. Raises: RuntimeError when two threads run it at once.
        """
        if not self._owner.acquire(blocking=False):
            raise RuntimeError("a captured graph has one owner, and two threads run it at once")
        try:
            for own, tensor in zip(self.inputs, tensors):
                own.copy_(tensor, non_blocking=True)
            self._graph.replay()
        finally:
            self._owner.release()
        return self.outputs
