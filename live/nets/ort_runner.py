"""Networks on ONNX Runtime: a session on the backend that was chosen, with any number of rows in a run.

A file that is fixed at one face is run with its batch dimension freed where that provably changes nothing, and row by
row where it does. Stands behind the contract of runners; knows nothing about what a network means.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from live.errors import ModelError
from live.nets import batch_check
from live.nets.backends import PROVIDERS, precision_for
from live.nets.contract import Array, Port, count_rows
from live.nets.files import content_hash
from live.nets.free_batch import batched
from live.nets.inspect import inspect_onnx
from live.nets.ort_options import MOST_ROWS, Provider, providers_for
from live.nets.tensors import Tensor

log = logging.getLogger(__name__)

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_CPU: tuple[Provider, ...] = ((PROVIDERS["cpu"], {}),)
_ANY_ROWS = 1 << 30


class OrtRunner:
    """A runner of the contract; one thread at a time."""

    def __init__(
        self, path: Path, backend: str = "cpu", precision: str = "auto", *, folder: Path, threads: int = 1
    ) -> None:
        """Load a network.

        Args: backend: a key of `backends.PROVIDERS`; precision: as `nets.precision`; folder: where what the backend
        builds and what was found out about the file are kept; threads: of the processor.
        Raises: ModelError, one line: a file that is missing or broken, a backend that ONNX Runtime could not start.
        """
        self.backend, self.precision = backend, precision_for(backend, precision)
        self._name = path.name
        ports = _ports(inspect_onnx(path).inputs, path.name)
        freed = _freed_if_same(path, ports, folder, threads)
        self.inputs = tuple(Port(port.name, _row_free(port), port.dtype) for port in ports)
        row_by_row = freed is None and self.inputs != ports
        wanted = providers_for(backend, self.precision, folder, ports if row_by_row else self.inputs, threads)
        self._session: Any = open_session(freed or path, path.name, wanted, threads)
        del freed  # half a gigabyte
        _check_provider(self._session, backend, path.name)
        given = [
            Tensor(node.name, tuple(node.shape), _TYPES.get(node.type, node.type))
            for node in self._session.get_outputs()
        ]
        self.outputs = tuple(Port(port.name, _row_free(port), port.dtype) for port in _ports(given, path.name))
        self._most_rows = 1 if row_by_row else MOST_ROWS.get(backend, _ANY_ROWS)
        self._sides: list[tuple[int, ...]] | None = None

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run once; see `contract.Runner.run`."""
        if self._session is None:
            raise ModelError(f"{self._name} is closed")
        rows = count_rows(self.inputs, inputs)
        fed = {port.name: _fed(port, inputs[port.name], self._name) for port in self.inputs}
        if rows == 0:
            return self._nothing(fed)
        if rows <= self._most_rows:
            return self._run(fed)
        parts = [self._run(self._part(fed, at)) for at in range(0, rows, self._most_rows)]
        if any(one.ndim == 0 or len(one) != self._most_rows for one in parts[0]):
            raise ModelError(f"{self._name} takes one picture in a run; {rows} were given")
        return [np.concatenate(several) for several in zip(*parts, strict=True)]

    def close(self) -> None:
        """Free the session; may be called twice."""
        self._session = None

    def _run(self, fed: Mapping[str, Array]) -> list[Array]:
        try:
            found = self._session.run(None, fed)
        except Exception as error:  # ONNX Runtime raises its own unrelated types
            raise ModelError(f"{self._name} failed on {self.backend}: {_one_line(error)}") from None
        self._sides = [array.shape[1:] for array in found]
        return [array.astype(np.float32) if array.dtype.kind == "f" else array for array in found]

    def _part(self, fed: Mapping[str, Array], at: int) -> dict[str, Array]:
        """Some of the rows; what is fed once for all stays."""
        rows = slice(at, at + self._most_rows)
        return {port.name: fed[port.name][rows] if _counts(port) else fed[port.name] for port in self.inputs}

    def _nothing(self, fed: Mapping[str, Array]) -> list[Array]:
        """No rows of what a run gives. Kernels differ in what they make of empty arrays, so nothing is run on them."""
        if self._sides is None:
            one = {
                port.name: np.zeros((1, *fed[port.name].shape[1:]), port.dtype) if _counts(port) else fed[port.name]
                for port in self.inputs
            }
            self._run(one)
        assert self._sides is not None
        kinds = [port.dtype if np.dtype(port.dtype).kind != "f" else "float32" for port in self.outputs]
        return [np.zeros((0, *sides), kind) for sides, kind in zip(self._sides, kinds, strict=True)]


def open_session(
    source: Path | bytes, name: str, providers: tuple[Provider, ...], threads: int, *, quiet: bool = False
) -> Any:
    """An `onnxruntime.InferenceSession`.

    Args: quiet: its failing is expected, and it writes nothing to the terminal about it.
    Raises: ModelError, one line.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4 if quiet else 3
    # A spinning pool of one network takes the cores from the stages that run beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if providers[0][0] == PROVIDERS["directml"]:
        options.enable_mem_pattern = False  # DirectML refuses sessions with it
    known = onnxruntime.get_available_providers()
    try:
        return onnxruntime.InferenceSession(
            str(source) if isinstance(source, Path) else source,
            options,
            providers=[provider for provider in providers if provider[0] in known],
        )
    except Exception as error:  # ONNX Runtime raises its own unrelated types
        raise ModelError(f"{name} cannot be loaded: {_one_line(error)}") from None


def _freed_if_same(path: Path, ports: tuple[Port, ...], folder: Path, threads: int) -> bytes | None:
    """The network with its rows freed, where that changes nothing; None: they cannot be, or are free already."""
    if not any(batched(port.shape) and port.shape[0] == 1 for port in ports):
        return None
    digest = content_hash(path)
    verdict = batch_check.remembered(folder, digest)
    freed = None if verdict is False else batch_check.freed_model(path)
    if freed is None or verdict:
        return freed
    log.info("%s is fixed at one face; trying out once whether it can take several", path.name)
    verdict = _same(path, freed, ports, threads)
    batch_check.remember(folder, digest, verdict)
    if not verdict:
        log.info("%s cannot; several faces go one after the other", path.name)
    return freed if verdict else None


def _same(path: Path, freed: bytes, ports: tuple[Port, ...], threads: int) -> bool:
    """Try the freed network beside the original; a file that cannot be opened at all is said elsewhere."""
    try:
        original = open_session(path, path.name, _CPU, threads, quiet=True)
        changed = open_session(freed, path.name, _CPU, threads, quiet=True)
    except ModelError as error:
        log.debug("the freed network cannot be loaded: %s", error)
        return False
    return batch_check.same_in_batches(ports, lambda row: original.run(None, row), lambda row: changed.run(None, row))


def _check_provider(session: Any, backend: str, name: str) -> None:
    """ONNX Runtime goes on with the processor when a provider cannot start, and only its log says so."""
    used = session.get_providers()
    if PROVIDERS[backend] not in used:
        raise ModelError(
            f"{name}: {backend} could not be started, ONNX Runtime fell back to {', '.join(used)}; its libraries are "
            "missing or do not fit the driver: `live doctor` says what it needs, --set nets.backend=cpu goes without"
        )


def _ports(tensors: Iterable[Tensor], name: str) -> tuple[Port, ...]:
    found = []
    for tensor in tensors:
        if tensor.type not in _TYPES.values():
            raise ModelError(
                f"{name}: {tensor.name} is {tensor.type}; networks take and give {', '.join(_TYPES.values())}"
            )
        shape = tuple(side if isinstance(side, int) and side >= 0 else None for side in tensor.shape)
        found.append(Port(tensor.name, shape, tensor.type))
    return tuple(found)


def _row_free(port: Port) -> tuple[int | None, ...]:
    """The shape with any number of rows, where the first dimension counts them."""
    return (None, *port.shape[1:]) if batched(port.shape) and port.shape[0] in (1, None) else port.shape


def _counts(port: Port) -> bool:
    return bool(port.shape) and port.shape[0] is None


def _fed(port: Port, given: Array, name: str) -> Array:
    """An input in the network's own type; whole numbers are not made of broken ones."""
    if not np.can_cast(given.dtype, port.dtype, "same_kind"):
        raise ModelError(f"{name}: input {port.name} takes {port.dtype}, not {given.dtype}")
    return np.ascontiguousarray(given, port.dtype)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
