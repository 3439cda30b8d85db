"""Putting weights from a safetensors file into a copy of a network of the same names and shapes.

Weights are matched by name and shape, all or none: what a network needs has to be there, and nothing of weight may be
left over. Knows files; what the network means is its entry's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from live.errors import ModelError
from live.nets.inspect import inspect_onnx
from live.nets.safetensors import Stored
from live.nets.strangers import shown


def with_weights(network: Path, file: Path, weights: tuple[Stored, ...]) -> bytes:
    """The network as an ONNX file with other weights.

    Args: network: the ONNX file; file, weights: a safetensors file and what it holds.
    Raises: ModelError, one line, where names or shapes do not fit or a number is not finite.
    """
    import onnx
    from onnx import helper, numpy_helper

    if inspect_onnx(network).external:
        raise ModelError(f"{network.name} keeps its weights in another file; save it as one file first")
    model = onnx.load(str(network), load_external_data=False)
    left = {stored.tensor.name: stored for stored in weights}
    for weight in model.graph.initializer:
        kind = helper.tensor_dtype_to_np_dtype(weight.data_type)
        stored = left.pop(weight.name, None)
        if stored is None:
            if len(weight.dims) > 1 and np.issubdtype(kind, np.floating):
                raise ModelError(f"{file.name} is not for {network.name}: it lacks the weight {shown(weight.name)}")
            continue
        if stored.tensor.shape != tuple(weight.dims):
            raise ModelError(
                f"{file.name} is not for {network.name}: {shown(weight.name)} has the shape {stored.tensor.shape} "
                f"instead of {tuple(weight.dims)}"
            )
        numbers = stored.read(file).astype(kind)
        if not np.isfinite(numbers).all():
            raise ModelError(f"{file.name}: the weight {shown(weight.name)} holds numbers that are not finite")
        weight.CopyFrom(numpy_helper.from_array(numbers, weight.name))
    over = [name for name, stored in left.items() if len(stored.tensor.shape) > 1]
    if over:
        raise ModelError(f"{file.name} is not for {network.name}, which has no weight {shown(over[0])}")
    return model.SerializeToString()
