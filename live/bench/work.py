"""Counts what a prepared network has to do: arithmetic, and the least bytes it has to move. Runs on shapes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from live.nets.plan import HEAVY, Step
from live.nets.torch_graph import TorchGraph


@dataclass(frozen=True)
class Work:
    """For one call."""

    flop: int
    """Multiplications and additions of convolutions and matrix products."""
    bytes: int
    """Inputs, weights and outputs of those, each once, as if all between them were fused into them."""

    def floor_ms(self, flops: float, bandwidth: float) -> float:
        """The time below which no program runs. Args: flops per second, bytes per second."""
        return 1e3 * max(self.flop / flops, self.bytes / bandwidth)


def count_work(module: TorchGraph, inputs: Sequence[Tensor]) -> Work:
    """Count a module's work for these inputs (any device)."""
    plan = module.plan_for(*inputs)
    values: list[Any] = [
        None if value is None else torch.empty(value.shape, dtype=value.dtype, device="meta")
        for value in module.slots_for(plan, inputs)
    ]
    flop = size = 0
    for step in plan.steps:
        taken = [values[slot] for slot in step.takes]
        result = (step.shape or step.run)(*taken)
        made = list(result) if isinstance(result, (tuple, list)) else [result]
        for slot, tensor in zip(step.gives, made):
            values[slot] = tensor
        if step.op in HEAVY:
            flop += _flop(step, taken, made[0])
            size += sum(tensor.numel() * tensor.element_size() for tensor in (*taken, *made))
        for slot in step.frees:
            values[slot] = None
    return Work(flop, size)


def _flop(step: Step, taken: list[Tensor], made: Tensor) -> int:
    if step.op in ("Conv", "live.ModulatedConv", "ConvTranspose"):
        weight = taken[1]
        # A weight of (I, O, k, k) at twice the picture is transposed: each entry read writes O k k entries.
        if step.op == "ConvTranspose" or (
            weight.shape[0] == taken[0].shape[1] and made.shape[2] > taken[0].shape[2] + 2
        ):
            return 2 * taken[0].numel() * math.prod(weight.shape[1:])
        return 2 * made.numel() * math.prod(weight.shape[1:])
    if step.op == "live.Layers":
        return 2 * made.numel() * taken[1].shape[0] * taken[1].shape[2]
    return 2 * made.numel() * taken[0].shape[-1]
