"""`live bench step`: how long a card takes for the captured step, by slot and number of faces, beside its floor.

The step is everything between upload and download: pixels, landmarks, mask, network, tone, blending. The floor is the
networks' arithmetic at the card's measured rate, or their least bytes at its measured bandwidth, whichever is longer.
Nothing is uploaded or downloaded in what is timed. Knows engines and graphs; nothing about frames.

The report, as `--json` writes it: `live`, `machine`, `device`, `engine`, `restorer`, `rates`, `alone` (the swapper by
itself, one row) and `steps`: `slot_px`, `faces`, `ms`, `faces_per_s`, `floor_ms`, `capture_s`, `kernels` where counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from live.bench.rates import Rates, measure_rates, time_ms
from live.bench.report import head
from live.bench.work import count_work
from live.device_engines import build_device_engine
from live.engines import device_of
from live.nets.cuda_graph import Captured
from live.nets.selftest import calibration
from live.nets.torch_graph import TorchGraph
from live.nets.torch_math import multiplying
from live.preset import Preset
from live.swap.device.engine import DeviceEngine
from live.swap.device.network import NetworkWear
from live.values import Colour, PixelFormat

MEASURED_S = 0.3


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure; the networks are keys of the preset."""

    slots_px: tuple[int, ...] = (512, 768)
    faces: tuple[int, ...] = (1, 4, 8)
    kernels: bool = False


def measure(preset: Preset, wish: Wish) -> dict[str, Any]:
    """Measure every slot and number of faces. Raises: LiveError when something is missing or fails."""
    device = device_of(preset) or "cpu"
    preset = preset.model_copy(update={"faces": preset.faces.model_copy(update={"most": max(wish.faces)})})
    engine = build_device_engine(preset, device)
    networks = _networks(engine)
    precisions = tuple(sorted({network.precision for network in networks} | {"fp32"}))
    rates = measure_rates(engine.place.device, precisions)
    report = head(device=engine.place.name, engine=preset.engine, restorer=preset.restorer)
    report |= {"precisions": [network.precision for network in networks], "compiled": preset.nets.compile}
    report["rates"] = {"flops": rates.flops, "bandwidth": rates.bandwidth}
    report["alone"] = _alone(engine, networks[0]) if networks else None
    report["steps"] = [
        _step(engine, networks, rates, side, faces, counted=wish.kernels)
        for side in wish.slots_px
        for faces in wish.faces
    ]
    return report


def _networks(engine: DeviceEngine) -> list[TorchGraph]:
    """The networks of the catalogue that the step runs."""
    wear = engine.wear
    if not isinstance(wear, NetworkWear):
        return []
    modules = [wear.module, *([wear.restoring.module] if wear.restoring is not None else [])]
    return [module.network for module in modules if isinstance(module.network, TorchGraph)]


def _step(
    engine: DeviceEngine, networks: Sequence[TorchGraph], rates: Rates, side: int, faces: int, *, counted: bool
) -> dict[str, Any]:
    key = engine.swap_key(PixelFormat.NV12, Colour(), side, engine.wear.variant(0))
    started_s = time.monotonic()
    with multiplying(tf32=False, convolutions=True, tune=True):
        run = engine.batcher.captured(key, faces)
    captured_s = time.monotonic() - started_s
    ms = time_ms(run, engine.place.device, budget_s=MEASURED_S)
    row = {"slot_px": side, "faces": faces, "ms": round(ms, 3), "faces_per_s": round(1000 * faces / ms, 1)}
    row |= {"floor_ms": round(sum(_floor_ms(each, rates, faces) for each in networks), 3)}
    row |= {"capture_s": round(captured_s, 2)}
    count = _kernels if engine.place.is_cuda else _operations
    return row | ({"kernels": count(run)} if counted else {})


def _floor_ms(network: TorchGraph, rates: Rates, rows: int) -> float:
    device = next(network.parameters()).device
    inputs = [tensor.to(device) for tensor in calibration(network.graph.inputs, rows)]
    return count_work(network, inputs).floor_ms(
        rates.flops.get(network.precision, rates.flops["fp32"]), rates.bandwidth
    )


def _alone(engine: DeviceEngine, network: TorchGraph) -> float:
    """Time one row through the swapper by itself, captured; ms."""
    device = engine.place.device
    inputs = [tensor.to(device) for tensor in calibration(network.graph.inputs)]
    with torch.inference_mode(), multiplying(tf32=False, convolutions=True, tune=True):
        run: Callable[[], object] = (
            (lambda: network(*inputs)) if not engine.place.is_cuda else Captured(network, inputs).replay
        )
        return round(time_ms(run, device, budget_s=MEASURED_S), 3)


def _kernels(run: Callable[[], object]) -> int:
    """How many kernels one step launches."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        run()
        torch.cuda.synchronize()
    return int(sum(row.count for row in seen.key_averages() if "Memcpy" not in row.key and "Memset" not in row.key))


def _operations(run: Callable[[], object]) -> int:
    """How many operations one step runs on the processor, views left out: about as many kernels as on a card."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        count = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += not (
                func.is_view or func.overloadpacket.__name__.startswith(("empty", "new_empty", "_unsafe_view"))
            )
            return func(*args, **(kwargs or {}))

    with Counting() as counting:  # type: ignore[no-untyped-call]
        run()
    return counting.count


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    rates = report["rates"]
    peak = max(rates["flops"].values(), default=0.0) / 1e12
    lines = [
        f"live {report['live']}, {report['engine']}, restorer {report['restorer']}, {report['device']}: "
        f"{peak:.0f} TFLOP/s, {rates['bandwidth'] / 1e12:.2f} TB/s measured",
    ]
    if report["alone"]:
        lines.append(f"the swapper by itself, one face: {report['alone']:.2f} ms")
    lines.append(f"{'slot':>6}{'faces':>7}{'ms':>9}{'faces/s':>10}{'floor ms':>10}{'kernels':>9}{'captured in s':>15}")
    lines += [
        f"{row['slot_px']:6}{row['faces']:7}{row['ms']:9.2f}{row['faces_per_s']:10.0f}{row['floor_ms']:10.2f}"
        f"{row.get('kernels', '-'):>9}{row['capture_s']:15.1f}"
        for row in report["steps"]
    ]
    return "\n".join(lines)
