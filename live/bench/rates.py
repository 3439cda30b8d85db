"""What a device can do at most, measured: matrix products per precision and copying. The roofs of `live bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from live.nets.torch_math import multiplying

SIDE = {"cuda": 8192, "cpu": 1024}
GROUPS = 5
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Rates:
    """Of one device."""

    flops: dict[str, float] = field(default_factory=dict)
    """Multiplications and additions a second of a square matrix product, per precision."""
    bandwidth: float = 0.0
    """Bytes read and written a second by a large copy."""
    fp8_flops: float | None = None
    """Of a product of 8-bit floats, where the device and this torch have it. No convolution runs at it."""


def measure_rates(device: torch.device, precisions: tuple[str, ...]) -> Rates:
    """Measure the roofs; about a second on a GPU."""
    side = SIDE.get(device.type, 1024)
    flops = {}
    for word in precisions:
        if device.type == "cpu" and word in ("fp16", "tf32"):
            continue  # done without matrix units there, and takes minutes
        a = torch.randn(side, side, device=device, dtype=torch.float32).to(DTYPES[word])
        with multiplying(tf32=word == "tf32"):
            flops[word] = 2 * side**3 / (1e-3 * time_ms(lambda a=a: a @ a, device, budget_s=0.2))  # type: ignore[misc]
    source = torch.empty((1 << 30 if device.type == "cuda" else 1 << 26), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    moved = 2 * source.numel() / (1e-3 * time_ms(lambda: target.copy_(source), device, budget_s=0.1))
    return Rates(flops, moved, _fp8(device, side))


def _fp8(device: torch.device, side: int) -> float | None:
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        return None
    try:
        a = torch.randn(side, side, device=device).to(torch.float8_e4m3fn)
        b = torch.randn(side, side, device=device).to(torch.float8_e4m3fn).t()
        one = torch.ones((), device=device)

        def product() -> None:
            torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)

        return 2 * side**3 / (1e-3 * time_ms(product, device, budget_s=0.2))
    except (RuntimeError, TypeError, AttributeError):  # its signature changes from version to version
        return None


def time_ms(call: Callable[[], object], device: torch.device, *, budget_s: float) -> float:
    """Median time of a call: on a GPU between events around groups of calls, else the processor's time."""
    if device.type != "cuda":
        call()
        samples: list[float] = []
        end = time.perf_counter() + budget_s
        while len(samples) < 3 or (time.perf_counter() < end and len(samples) < 50):
            start = time.process_time()
            call()
            samples.append(1e3 * (time.process_time() - start))
        return statistics.median(samples)
    for _ in range(2):
        call()
    first = _events_ms(call, 1)
    count = max(1, min(200, int(1e3 * budget_s / GROUPS / max(first, 1e-3))))
    return statistics.median(_events_ms(call, count) for _ in range(GROUPS))


def _events_ms(call: Callable[[], object], count: int) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / count
