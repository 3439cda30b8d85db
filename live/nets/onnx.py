"""Opening an ONNX file with ONNX Runtime. Knows sessions and threads, nothing about what a network means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from live.errors import ModelError
from live.nets.inspect import inspect_onnx
from live.resources import models_dir


class Network:
    """One loaded network; `run` may be called from one thread at a time."""

    def __init__(self, path: Path, *, threads: int = 1, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Load a file and check that it has the inputs and outputs the caller needs.

        Raises: ModelError, one line, when the file is missing, broken or another network.
        """
        import onnxruntime

        if not path.is_file():
            raise ModelError(f"no model file {path}; reinstall live, or restore models/{path.name} in the checkout")
        if path.parent != models_dir():  # ours need no second look
            inspect_onnx(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning pool of one network takes the cores from the stages that run beside it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises its own unrelated types
            raise ModelError(f"{path.name} cannot be loaded: {' '.join(str(error).split())[:200]}") from None
        names = (
            {item.name for item in self._session.get_inputs()},
            {item.name for item in self._session.get_outputs()},
        )
        if not set(inputs) <= names[0] or not set(outputs) <= names[1]:
            raise ModelError(f"{path.name} is another network: inputs {sorted(names[0])}, outputs {sorted(names[1])}")
        self._outputs = list(outputs)

    def run(self, **inputs: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """Run once; outputs in the order asked for at loading."""
        result: list[np.ndarray[Any, Any]] = self._session.run(self._outputs, inputs)
        return result
