"""A network on torch behind the common contract: host arrays in and out. Knows nothing of what the numbers mean.

The device step uses `module` directly and moves nothing; `run` is for what is not in the frame path and for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from live.errors import ModelError
from live.nets.contract import Array, Port, count_rows
from live.nets.graph import Graph, read_graph
from live.nets.torch_graph import TorchGraph, prepare
from live.nets.torch_math import multiplying


class TorchRunner:
    """A network ready to run on one device at one precision; see `nets.contract.Runner`."""

    backend = "torch"

    def __init__(
        self,
        model: Path | Graph,
        device: str = "cpu",
        precision: str = "fp32",
        wide: frozenset[str] = frozenset(),
    ) -> None:
        """Load an ONNX file, or take a prepared graph.

        Args: precision fp32, tf32, fp16 or bf16; wide names nodes that stay float32.
        Raises: ModelError, one line.
        """
        self.precision = precision
        self.device = torch.device(device)
        graph = prepare(read_graph(model)) if isinstance(model, Path) else model
        self._module: TorchGraph | None = TorchGraph(graph, device=self.device, precision=precision, wide=wide).eval()
        self.inputs: tuple[Port, ...] = self._module.graph.inputs
        self.outputs: tuple[Port, ...] = self._module.graph.outputs

    @property
    def module(self) -> TorchGraph:
        """The network itself, for the device step."""
        if self._module is None:
            raise ModelError("the network was closed; load it again")
        return self._module

    @property
    def dtype(self) -> torch.dtype:
        """The type it computes in."""
        return self.module.dtype

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run once, see `nets.contract.Runner.run`."""
        module = self.module
        rows = count_rows(self.inputs, inputs)
        # No rows run as one whose results are left out: torch refuses some operators on empty tensors.
        filled = [
            np.zeros((1, *inputs[port.name].shape[1:]), port.dtype)
            if rows == 0 and port.shape[:1] == (None,)
            else np.ascontiguousarray(inputs[port.name], port.dtype)
            for port in self.inputs
        ]
        with torch.inference_mode(), multiplying(tf32=self.precision == "tf32"):
            outputs = module(*(torch.from_numpy(array).to(self.device) for array in filled))
            arrays = [tensor.cpu().numpy() for tensor in outputs]
        return [array[:rows] for array in arrays] if rows == 0 else arrays

    def close(self) -> None:
        """Free the device's memory; may be called twice."""
        self._module = None
