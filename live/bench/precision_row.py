"""One network at one precision and number of rows on one device: time, memory, distance from float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from live.bench.precision_nets import Subject
from live.bench.rates import Rates, time_ms
from live.bench.work import count_work
from live.nets.cuda_graph import Captured
from live.nets.selftest import compare
from live.nets.torch_graph import TorchGraph
from live.nets.torch_math import multiplying

BUDGET_S = 0.15
"""Of measuring, per figure."""


@dataclass(frozen=True)
class Setting:
    """How a row is run."""

    mode: str
    rows: int
    device: torch.device
    compiled: bool = False
    kernels: bool = False
    """List where the time goes."""

    @property
    def precision(self) -> str:
        """The module's."""
        return "fp32" if self.mode == "autocast" else self.mode

    @property
    def rate(self) -> str:
        """Which of the measured rates is its roof."""
        return "fp16" if self.mode == "autocast" else self.mode

    def around(self) -> AbstractContextManager[Any]:
        """What has to hold while it runs."""
        if self.mode == "autocast":
            kind = torch.float16 if self.device.type == "cuda" else torch.bfloat16
            return torch.autocast(self.device.type, kind, cache_enabled=False)
        return nullcontext()


def measure_row(
    subject: Subject, setting: Setting, inputs: Sequence[Tensor], reference: Sequence[Tensor] | None, rates: Rates
) -> tuple[dict[str, Any], list[Tensor]]:  # fmt: skip
    """Measure.

    Args: inputs on the device; reference: float32's outputs on the host, None where this is float32.
    Returns: the row of the report, and the outputs on the host.
    """
    device = setting.device
    on_gpu = device.type == "cuda"
    before = _allocated(device)
    module = TorchGraph(subject.graph, device=device, precision=setting.precision).eval()
    weights = _allocated(device) - before
    run: Callable[..., Any] = torch.compile(module, dynamic=False) if setting.compiled else module
    row: dict[str, Any] = {
        "network": subject.name, "mode": setting.mode + (" compiled" if setting.compiled else ""), "rows": setting.rows,
    }  # fmt: skip
    with torch.inference_mode(), multiplying(tf32=setting.mode == "tf32", tune=on_gpu and setting.mode == "fp16"):
        with setting.around():
            outputs = [tensor.float().cpu() for tensor in run(*inputs)]
            run(*inputs)  # what libraries take once is taken now
            if on_gpu:
                torch.cuda.reset_peak_memory_stats(device)
                run(*inputs)
                row["weights_mb"] = round(weights / 1e6, 1)
                row["peak_mb"] = round((torch.cuda.max_memory_allocated(device) - before) / 1e6, 1)
            row["ms_eager"] = time_ms(lambda: run(*inputs), device, budget_s=BUDGET_S)
        if on_gpu:
            captured = Captured(_within(run, setting), inputs)
            row["ms_graph"] = time_ms(captured.replay, device, budget_s=BUDGET_S)
            captured.replay()
            if setting.kernels:
                row["kernels"] = kernels_us(captured)
            row["graph_is_eager"] = all(_near(a, b) for a, b in zip(captured.outputs, outputs))
            del captured
    work = count_work(module, inputs)
    row["gflop"] = work.flop / 1e9
    best = row.get("ms_graph", row["ms_eager"])
    row["tflops"] = work.flop / (1e9 * best)
    if setting.rate in rates.flops:
        row["share_of_rate"] = row["tflops"] * 1e12 / rates.flops[setting.rate]
        if setting.mode != "autocast":  # whose weights and pictures have different types
            row["floor_ms"] = work.floor_ms(rates.flops[setting.rate], rates.bandwidth)
    if reference is not None:
        verdict = compare(outputs, reference)
        row["finite"], row["relative_l2"] = verdict.finite, verdict.relative_l2
        if subject.picture is not None:
            row["psnr_db"] = psnr_db(outputs[subject.picture], reference[subject.picture])
    return row, outputs


def kernels_us(captured: Captured, most: int = 14) -> list[list[Any]]:
    """The kernels that take longest in one replay: name, how many times, microseconds together."""
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            captured.replay()
            torch.cuda.synchronize()
        found = [(item.key[:90], item.count, float(item.self_device_time_total)) for item in profile.key_averages()]
    except (RuntimeError, AttributeError) as error:  # a driver that lets nobody look
        return [[f"not listed: {str(error)[:80]}", 0, 0.0]]
    found.sort(key=lambda item: -item[2])
    total = ("all", sum(item[1] for item in found), sum(item[2] for item in found))
    return [[name, count, round(spent, 1)] for name, count, spent in (total, *found[:most])]


def _within(run: Callable[..., Any], setting: Setting) -> Callable[..., Any]:
    def call(*inputs: Tensor) -> Any:
        with setting.around():
            return run(*inputs)

    return call


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def _near(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a.float().cpu(), b, rtol=1e-2, atol=1e-3, equal_nan=True))


def psnr_db(picture: Tensor, wanted: Tensor) -> float:
    """Peak signal to noise; the peak is 1 for pictures within 0..1, 2 for those within -1..1, else their own span."""
    low, high = float(wanted.min()), float(wanted.max())
    peak = 1.0 if low >= 0 and high <= 1 else 2.0 if low >= -1 and high <= 1 else high - low
    error = float((picture.double() - wanted.double()).square().mean())
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf
