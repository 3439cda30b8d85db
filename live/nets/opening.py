"""Opening a network as a preset asks for it: the first backend of the order that starts, with what it has to build.

Says what was taken and why the ones before were not. May be slow: minutes where TensorRT builds. Knows backends and
files; knows nothing about what a network means.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from live.errors import ModelError
from live.nets.backends import Choice, Present, precision_for, rank
from live.nets.builder import Builder
from live.nets.contract import Runner
from live.nets.engine_key import engine_key
from live.nets.files import content_hash, nets_folder
from live.nets.inspect import inspect_onnx

log = logging.getLogger(__name__)

BUILT_AHEAD = frozenset({"tensorrt"})
"""Backends whose first run takes minutes, and may crash or hang."""


class Opener:
    """Opens networks one after the other; `cancel` from any thread."""

    def __init__(
        self,
        present: Present,
        *,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        limit_s: float = 1800,
    ) -> None:
        """Args: present: what this computer has; backend, precision: as in the section `nets` of a preset; threads: of
        the processor; limit_s: how long a build may take.
        Raises: ModelError for a backend or precision that is not to be had.
        """
        self._present, self._precision, self._threads, self._limit_s = present, precision, threads, limit_s
        self._choices = rank(backend, present)
        for choice in self._choices if backend not in ("auto", "torch") else ():
            precision_for(choice.backend, precision)
        self._builder: Builder | None = None
        self._cancelled = threading.Event()

    def open(self, path: Path) -> Runner:
        """Open a network. Raises: ModelError, one line, with the reason of the last backend that was tried."""
        inspect_onnx(path)
        failed: ModelError | None = None
        for choice in self._choices:
            try:
                runner = self._start(choice, path)
            except ModelError as error:
                if self._cancelled.is_set():
                    raise
                failed = error
                if choice is not self._choices[-1]:
                    log.warning("%s; trying the next backend", error)
                continue
            log.info("%s runs on %s, %s: %s", path.name, choice.backend, runner.precision, choice.reason)
            return runner
        raise failed or ModelError("onnxruntime is not installed; pip install onnxruntime")

    def cancel(self) -> None:
        """End a build that is under way, and begin no other."""
        self._cancelled.set()
        if self._builder is not None:
            self._builder.cancel()

    def _start(self, choice: Choice, path: Path) -> Runner:
        if choice.backend == "torch":
            return self._torch(path)
        from live.nets.ort_runner import OrtRunner

        precision = precision_for(choice.backend, self._precision)
        folder = nets_folder()
        if choice.backend in BUILT_AHEAD:
            folder = self._built(choice.backend, precision, path)
        return OrtRunner(path, choice.backend, precision, folder=folder, threads=self._threads)

    def _torch(self, path: Path) -> Runner:
        from live.nets.torch_runner import TorchRunner

        # auto is exact: what swaps in the frame path on a card is opened for it elsewhere, at the precision it bears.
        device = "cuda" if self._present.torch_cuda else "cpu"
        return TorchRunner(path, device, "fp32" if self._precision == "auto" else self._precision)

    def _built(self, backend: str, precision: str, path: Path) -> Path:
        """The folder of what the backend builds for a network, built in a child process if it is not there."""
        folder = nets_folder() / engine_key(backend, precision, content_hash(path), self._present)
        task = {"model": str(path), "backend": backend, "precision": precision, "threads": self._threads}
        self._builder = Builder(
            f"{backend} for {path.name}", folder, task, module="live.nets.build_child", limit_s=self._limit_s
        )
        if self._cancelled.is_set():
            self._builder.cancel()
        return self._builder.run()
