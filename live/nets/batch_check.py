"""Whether a network whose file is fixed at one face may run on several: tried out once per file, then remembered.

The freed graph has to give for two different rows what the original gives for each; both run on the processor, whose
result does not depend on the backend that is used later. Knows graphs and ONNX Runtime's processor backend.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from live.nets.contract import Array, Port
from live.nets.free_batch import batched, free_batch

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when another verdict could come of the same file."""
MOST_OFF = {"float16": 2e-2}
"""Relative difference, in the L2 norm, up to which two results are the same; 1e-4 for other types."""

Run = Callable[[Mapping[str, Array]], list[Array]]


def freed_model(path: Path) -> bytes | None:
    """The file's graph with the batch dimension free, as bytes; None where it has no fixed one, or is too large."""
    import onnx

    try:
        model = onnx.load(str(path))
        return model.SerializeToString() if free_batch(model) else None
    except Exception as error:  # protobuf's own types: above 2 GB, or weights in another file that is not there
        log.debug("%s keeps its batch dimension: %s", path.name, error)
        return None


def same_in_batches(ports: Sequence[Port], original: Run, freed: Run) -> bool:
    """Compare the freed network, on two rows together, with the original on each of them.

    Args: ports: the original's inputs; original, freed: run a network, and may raise anything.
    """
    try:
        rows = [_example(ports, np.random.default_rng(seed)) for seed in (1, 2)]
        alone = [original(row) for row in rows]
        pair = {
            port.name: np.concatenate([row[port.name] for row in rows]) if batched(port.shape) else rows[0][port.name]
            for port in ports
        }
        together, first = freed(pair), freed(rows[0])
    except Exception as error:  # a graph that bakes the 1 in raises whatever its first broken node raises
        log.debug("the freed network does not run: %s", error)
        return False
    wanted = [np.concatenate(both) if both[0].ndim else both[0] for both in zip(*alone, strict=True)]
    return _all_close(wanted, together) and _all_close(alone[0], first)


def remembered(folder: Path, digest: str) -> bool | None:
    """The verdict about a file's content from earlier; None where there is none."""
    try:
        said: Any = json.loads(_place(folder, digest).read_text("utf-8")[:1000])
    except (OSError, ValueError):
        return None
    verdict = said.get("batches") if isinstance(said, dict) else None
    return verdict if isinstance(verdict, bool) else None


def remember(folder: Path, digest: str, verdict: bool) -> None:
    """Keep a verdict; that it cannot be kept does no harm."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _place(folder, digest).write_text(json.dumps({"batches": verdict}), "utf-8")
    except OSError as error:
        log.debug("cannot keep what was found out about a network: %s", error)


def _place(folder: Path, digest: str) -> Path:
    return folder / f"batches-{VERSION}-{digest[:32]}.json"


def _example(ports: Sequence[Port], random: np.random.Generator) -> dict[str, Array]:
    """One row of noise for every input; single numbers are 0.5."""
    found: dict[str, Array] = {}
    for port in ports:
        shape = [1 if side is None else side for side in port.shape]
        if not batched(port.shape):
            found[port.name] = np.full(shape, 0.5, port.dtype)
        elif np.dtype(port.dtype).kind == "f":
            found[port.name] = random.uniform(-1, 1, shape).astype(port.dtype)
        else:
            found[port.name] = random.integers(0, 2 if port.dtype == "bool" else 100, shape).astype(port.dtype)
    return found


def _all_close(wanted: Sequence[Array], found: Sequence[Array]) -> bool:
    return len(wanted) == len(found) and all(
        one.shape == other.shape and relative_off(other, one) <= MOST_OFF.get(str(one.dtype), 1e-4)
        for one, other in zip(wanted, found, strict=True)
    )


def relative_off(found: Array, wanted: Array) -> float:
    """‖found - wanted‖ / ‖wanted‖ in the L2 norm; infinite where anything is not finite."""
    difference = np.linalg.norm(np.asarray(found, np.float64).ravel() - np.asarray(wanted, np.float64).ravel())
    length = float(np.linalg.norm(np.asarray(wanted, np.float64).ravel()))
    off = float(difference) / max(length, 1e-12)
    return off if np.isfinite(off) else float("inf")
