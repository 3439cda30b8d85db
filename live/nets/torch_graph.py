"""An ONNX network as a torch module: any number of rows, no synchronisation, fit for a CUDA graph.

Knows nothing of what a network means. The conversion is our own instead of onnx2torch's: that one keeps the batch size
written into the file, makes tensors from host numbers while running, and leaves exporters' norm chains to overflow in
half precision.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from live.errors import ModelError
from live.nets.contract import Port
from live.nets.fold import fold
from live.nets.fuse import fuse
from live.nets.graph import Graph, read_graph
from live.nets.plan import Plan, constants_of, make_plan, run_steps

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

MOST_SIZES = 64
"""Plans kept, where a file leaves the picture's size open."""


class TorchGraph(nn.Module):
    """A network; call it with its inputs in order.

    Every float is computed in the precision's type, outputs are float32. Parameters carry the file's names. A call with
    a new picture size (where the file leaves it open) plans anew, which is no work for a frame: call once before.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        device: str | torch.device = "cpu",
        precision: str = "fp32",
        wide: frozenset[str] = frozenset(),
    ) -> None:
        """Take a graph that `prepare` made.

        Args: wide names nodes that run in float32 at any precision.
        Raises: ModelError, one line.
        """
        super().__init__()
        self.graph = graph
        self.precision = precision
        self.dtype = DTYPES[precision]
        self.wide = wide
        self._device = torch.device(device)
        self._plans: dict[tuple[tuple[int, ...], ...], Plan] = {}
        self._names: dict[str, str] = {}
        self._open = any(None in port.shape[1:] for port in graph.inputs)
        self._pictures = _pictures(graph)
        self._weights = constants_of(graph)
        if not self._open:
            self._plan(tuple(_one_row(port) for port in graph.inputs))
            self._weights = {}  # the host's copy is not needed again

    @property
    def rows_freed(self) -> bool:
        """Whether rows run together; else a call with several runs them one after the other."""
        return all(plan.freed for plan in self._plans.values())

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run.

        Args: one tensor per input, on the module's device, (N, ...) where the port's first size is None, N >= 1.
        Returns: one tensor per output, N rows, float32 where the network computes with floats.
        """
        plan, rows = self._plan_for(inputs)
        if plan.freed or rows == 1:
            return self._run(plan, inputs, rows)
        each = [
            self._run(plan, [t[row : row + 1] if self._rowed(i) else t for i, t in enumerate(inputs)], 1)
            for row in range(rows)
        ]
        return tuple(torch.cat(parts) for parts in zip(*each))

    def plan_for(self, *inputs: Tensor) -> Plan:
        """The plan that a call with these inputs runs."""
        return self._plan_for(inputs)[0]

    def slots_for(self, plan: Plan, inputs: Any) -> list[Any]:
        """Slots with inputs and constants filled in, as `run_steps` takes them."""
        values: list[Any] = [None] * plan.slots
        for index, tensor in enumerate(inputs):
            if index in self._pictures:
                values[index] = tensor.to(self.dtype, memory_format=torch.channels_last)
            else:
                values[index] = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        for constant in plan.constants:
            values[constant.slot] = self._parameters[self._names[constant.name]]
        return values

    def _run(self, plan: Plan, inputs: Any, rows: int) -> tuple[Tensor, ...]:
        outputs = run_steps(plan, self.slots_for(plan, inputs))
        if not any(plan.shared):
            return tuple(outputs)
        return tuple(
            t.expand(rows, *t.shape[1:]).contiguous() if shared and t.dim() and t.shape[0] == 1 else t
            for t, shared in zip(outputs, plan.shared)
        )

    def _rowed(self, index: int) -> bool:
        return self.graph.inputs[index].shape[:1] == (None,)

    def _plan_for(self, inputs: Any) -> tuple[Plan, int]:
        if len(inputs) != len(self.graph.inputs):
            raise ModelError(f"the network has {len(self.graph.inputs)} inputs, {len(inputs)} were given")
        shapes = tuple(
            (1, *tensor.shape[1:]) if self._rowed(index) else tuple(tensor.shape) for index, tensor in enumerate(inputs)
        )
        rows = next((len(tensor) for index, tensor in enumerate(inputs) if self._rowed(index)), 1)
        plan = self._plans.get(shapes)
        return (plan if plan is not None else self._plan(shapes, inputs[0].device)), rows

    def _plan(self, shapes: tuple[tuple[int, ...], ...], device: torch.device | None = None) -> Plan:
        if not self._weights and self._plans:
            wanted = ", ".join(f"{port.name} {port.shape}" for port in self.graph.inputs)
            raise ModelError(f"the network takes {wanted}, not {shapes}")
        # A module moved before its first plan has no parameter yet that tells where it is; its inputs do.
        device = next(self.parameters()).device if self._names else device or self._device
        if len(self._plans) >= MOST_SIZES:
            raise ModelError(f"a network was asked for more than {MOST_SIZES} sizes of input; load it again")
        plan = make_plan(self.graph, self._weights, shapes, self.dtype, self.wide)
        held = tuple(
            replace(constant, name=self._hold(constant.name, constant.tensor, device), tensor=torch.empty(0))
            for constant in plan.constants
        )
        self._plans[shapes] = replace(plan, constants=held)
        return self._plans[shapes]

    def _hold(self, name: str, tensor: Tensor, device: torch.device) -> str:
        """Keep a constant as a parameter; the same one again where it is there already. Returns: its name."""
        while name in self._names:
            held = self._parameters[self._names[name]]
            if held is not None and held.shape == tensor.shape and torch.equal(held.cpu(), tensor):
                return name
            name += "'"
        entry = name.replace(".", "_").replace("/", "_").replace(":", "__") or "weight"
        while entry in self._parameters:
            entry += "_"
        tensor = tensor.to(device)
        if tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        self.register_parameter(entry, nn.Parameter(tensor, requires_grad=False))
        self._names[name] = entry
        return name


def _pictures(graph: Graph) -> frozenset[int]:
    """Which inputs are pictures with their channels before height and width; they are laid out channels_last once."""
    turned = {node.inputs[0] for node in graph.nodes if node.op == "Transpose"}
    return frozenset(
        index
        for index, port in enumerate(graph.inputs)
        if len(port.shape) == 4 and port.dtype.startswith("float") and port.name not in turned
    )


def _one_row(port: Port) -> tuple[int, ...]:
    return tuple(1 if size is None else size for size in port.shape)


def prepare(graph: Graph) -> Graph:
    """Fold what depends on weights alone and fuse exporters' chains; computes the same. Raises: ModelError."""
    return fuse(fold(graph))


def load_module(
    path: Path,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    wide: frozenset[str] = frozenset(),
) -> TorchGraph:
    """Read an ONNX file and make a module of it.

    Args: precision fp32, tf32 (float32; the caller allows TF32, see `torch_math`), fp16 or bf16; wide names nodes that
    run in float32 all the same.
    Raises: ModelError, one line.
    """
    return TorchGraph(prepare(read_graph(path)), device=device, precision=precision, wide=wide).eval()
