"""What ONNX Runtime is told when a network is loaded: providers in order, with their options. Pure.

Knows the options' names and what they are good for; opens nothing. Option names: onnxruntime.ai/docs, execution
providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from live.nets.backends import PROVIDERS
from live.nets.contract import Port

MOST_ROWS = {"tensorrt": 16}
"""Rows that one run may have; larger batches go in parts. TensorRT builds its engine for a range that has to end."""

Provider = tuple[str, dict[str, str]]


def providers_for(
    backend: str, precision: str, folder: Path, ports: Sequence[Port], threads: int
) -> tuple[Provider, ...]:
    """The providers of a backend, the one that is wanted first and those that take what it cannot after it.

    Args: precision: fp32, tf32 or fp16; folder: where the backend may keep what it builds; ports: the network's inputs;
    threads: of the processor.
    """
    cpu: Provider = (PROVIDERS["cpu"], {})
    name = PROVIDERS[backend]
    if backend == "cuda":
        return (name, _cuda(precision)), cpu
    if backend == "tensorrt":
        return (name, _tensorrt(precision, folder, ports)), (PROVIDERS["cuda"], _cuda(precision)), cpu
    if backend == "openvino":
        options = {"device_type": "AUTO", "num_of_threads": str(threads), "cache_dir": str(folder)}
        return (name, options), cpu
    if backend == "coreml":
        options = {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "ModelCacheDirectory": str(folder)}
        return (name, options), cpu
    if backend == "directml":
        return (name, {"device_id": "0"}), cpu
    return (cpu,)


def _cuda(precision: str) -> dict[str, str]:
    return {
        "device_id": "0",
        "use_tf32": "0" if precision == "fp32" else "1",
        "cudnn_conv_algo_search": "EXHAUSTIVE",  # tried out once per shape, at the warm-up
        "arena_extend_strategy": "kSameAsRequested",  # the default doubles, and the card is shared with others
    }


def _tensorrt(precision: str, folder: Path, ports: Sequence[Port]) -> dict[str, str]:
    options = {
        "device_id": "0",
        "trt_fp16_enable": "1" if precision == "fp16" else "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }
    ranges = {"min": 1, "opt": 1, "max": MOST_ROWS["tensorrt"]}
    if all(side is not None for port in ports for side in port.shape[1:]) and any(_free(port) for port in ports):
        options |= {f"trt_profile_{word}_shapes": _shapes(ports, rows) for word, rows in ranges.items()}
    return options


def _free(port: Port) -> bool:
    return bool(port.shape) and port.shape[0] is None


def _shapes(ports: Sequence[Port], rows: int) -> str:
    """`name:1x3x128x128,other:1x512`, the free first dimension set to `rows`."""
    sides = {port.name: [rows if _free(port) else port.shape[0], *port.shape[1:]] for port in ports if port.shape}
    return ",".join(f"{name}:{'x'.join(str(side) for side in shape)}" for name, shape in sides.items())
