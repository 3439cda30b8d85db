"""Opens a model with torch as a start needs it: device, precision by self-test, prepared weights from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from live.nets.graph import read_graph
from live.nets.precision import Choice
from live.nets.selftest import choose_precision, facts_of, memory_key, recall
from live.nets.torch_graph import DTYPES, prepare
from live.nets.torch_runner import TorchRunner
from live.nets.weights import VERSION, digest_of, file_for, folder, keep, load_prepared, with_precision


def open_torch(
    path: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    digest: str | None = None,
    place: Path | None = None,
    inputs: Sequence[Tensor] | None = None,
) -> tuple[TorchRunner, Choice]:
    """Open a model.

    Args: device auto is cuda where there is one; precision auto is chosen by a self-test, which is remembered; digest:
    the file's sha256 where it is known; place: the cache's folder; inputs: the self-test's, see `selftest.calibration`.
    Returns: the runner, and the choice whose `line` is shown to the user.
    Raises: ModelError, one line.
    """
    where = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    place, digest = place or folder(), digest or digest_of(path)
    remember = place / f"{memory_key(digest, facts_of(where), VERSION)}.json"
    choice = Choice(precision) if precision != "auto" else recall(remember)
    if choice is not None:
        graph = load_prepared(path, choice.precision, frozenset(choice.wide), digest=digest, place=place)
    else:
        exact = prepare(read_graph(path))
        choice = choose_precision(exact, where, inputs, remember)
        wide = frozenset(choice.wide)
        graph = with_precision(exact, choice.precision, wide)
        if DTYPES[choice.precision] != torch.float32:
            keep(graph, file_for(digest, choice.precision, wide, place))
    return TorchRunner(graph, str(where), choice.precision, frozenset(choice.wide)), choice
