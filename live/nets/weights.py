"""Networks prepared once and kept: nodes and weights at their precision in one safetensors file per network.

A file's name is the hash of all its content was made of. It is read by mapping, half the size of the model, without
opening the model. What is read is untrusted: a file that is not whole and plausible is made anew. No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.contract import Port
from live.nets.files import content_hash, nets_folder
from live.nets.graph import Graph, Node, read_graph
from live.nets.plan import constants_of, tail
from live.nets.torch_graph import DTYPES, prepare

log = logging.getLogger(__name__)

VERSION = 2
"""Raised when the same model would be prepared to something else."""


def folder() -> Path:
    """Where the files are, unless a caller names a place."""
    return nets_folder()


def digest_of(path: Path) -> str:
    """A model file's sha256; 0.3 to 1 s for half a gigabyte, once. Raises: ModelError when there is no such file."""
    if not path.is_file():
        raise ModelError(f"no model file {path}; live models list shows what there is")
    return content_hash(path)


def load_prepared(
    path: Path,
    precision: str,
    wide: frozenset[str] = frozenset(),
    *,
    digest: str | None = None,
    place: Path | None = None,
) -> Graph:
    """A model prepared for torch, from the cache where it is there, else made and kept (float32: only made).

    Args: digest: the file's sha256 where it is known already; place: the cache's folder.
    Returns: a graph whose weights have the precision's type.
    Raises: ModelError, one line, when the model is needed and is none.
    """
    if DTYPES[precision] == torch.float32:
        return prepare(read_graph(path))
    file = file_for(digest or digest_of(path), precision, wide, place)
    kept = read_kept(file)
    if kept is not None:
        return kept
    graph = with_precision(prepare(read_graph(path)), precision, wide)
    keep(graph, file)
    return graph


def file_for(digest: str, precision: str, wide: frozenset[str], place: Path | None = None) -> Path:
    """Where a model with this hash is kept at a precision."""
    key = json.dumps([digest, VERSION, str(DTYPES[precision]), sorted(wide)])
    return (place or folder()) / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"


def with_precision(graph: Graph, precision: str, wide: frozenset[str] = frozenset()) -> Graph:
    """Weights as tensors of the precision's type.

    Lines (biases, statistics, single numbers) stay float32, they are small and square badly; so do the weights of nodes
    that run in float32, and those that would not be finite.
    """
    dtype = DTYPES[precision]
    exact = wide | tail(graph)
    spared = {name for node in graph.nodes if node.name in exact for name in node.inputs}
    weights: dict[str, Tensor] = {}
    for name, value in constants_of(graph).items():
        tensor = value.tensor
        if tensor.is_floating_point() and tensor.squeeze().dim() > 1 and name not in spared:
            narrow = tensor.to(dtype)
            tensor = narrow if bool(torch.isfinite(narrow).all()) else tensor
        weights[name] = tensor.contiguous()
    return Graph(graph.nodes, weights, graph.inputs, graph.outputs, graph.opset)


def keep(graph: Graph, file: Path) -> None:
    """Write a graph, whole or not at all; a folder that cannot be written is told and does not stop anything."""
    from safetensors.torch import save

    description = {
        "nodes": [[n.op, n.inputs, n.outputs, _plain(n.attributes)] for n in graph.nodes],
        "inputs": [[p.name, p.shape, p.dtype] for p in graph.inputs],
        "outputs": [[p.name, p.shape, p.dtype] for p in graph.outputs],
        "opset": graph.opset,
    }
    weights: Mapping[str, Tensor] = graph.weights
    text = json.dumps(description)
    metadata = {"graph": text, "check": str(_check(text, weights))}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".part")
        with os.fdopen(handle, "wb") as out:
            out.write(save({name: tensor.clone() for name, tensor in weights.items()}, metadata))
        os.replace(temporary, file)
    except OSError as error:
        log.warning("the prepared network cannot be kept in %s: %s", file.parent, error.strerror)


def read_kept(file: Path) -> Graph | None:
    """Read what `keep` wrote. Returns: None when it is not there or not whole."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  not a mapping
        if int(metadata["check"]) != _check(metadata["graph"], weights):
            raise ValueError("its content changed")
        kept = json.loads(metadata["graph"])
        nodes = tuple(Node(op, tuple(i), tuple(o), _rich(a)) for op, i, o, a in kept["nodes"])
        inputs, outputs = (
            tuple(Port(name, tuple(shape), dtype) for name, shape, dtype in kept[key]) for key in ("inputs", "outputs")
        )
        return Graph(nodes, weights, inputs, outputs, int(kept["opset"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the prepared network %s is broken and is made anew (%s)", file.name, str(error)[:80])
        return None


def _check(text: str, weights: Mapping[str, Tensor]) -> int:
    check = zlib.crc32(text.encode())
    for name in sorted(weights):
        tensor = weights[name]
        if tensor.numel():
            check = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, check)
    return check


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {"array": value.tolist(), "dtype": value.dtype.name} if isinstance(value, np.ndarray) else value
        for key, value in attributes.items()
    }


def _rich(attributes: Mapping[str, Any]) -> dict[str, Any]:
    rich: dict[str, Any] = {}
    for key, value in attributes.items():
        if isinstance(value, dict):
            rich[key] = np.array(value["array"], value["dtype"])
        else:
            rich[key] = tuple(value) if isinstance(value, list) else value
    return rich
