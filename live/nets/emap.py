"""The square matrix at the end of an inswapper's file: it turns a recogniser's vector into the swapper's own space.

Read once per file and kept, since finding it means reading half a gigabyte. Knows ONNX files, no runtime.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import numpy as np

from live.errors import ModelError
from live.nets.contract import Array
from live.nets.files import content_hash
from live.values import Floats

log = logging.getLogger(__name__)

_MOST = 1e4


def read_emap(path: Path, length: int, folder: Path) -> Floats:
    """The (length, length) matrix that is the file's last initialiser.

    Args: folder: where it is kept.  Raises: ModelError when the last initialiser is another thing.
    """
    place = folder / f"emap-{content_hash(path)[:32]}.npy"
    kept = _kept(place, length)
    if kept is not None:
        return kept
    found = _last_initialiser(path)
    if found.shape != (length, length) or found.dtype.kind != "f" or not _plausible(found):
        raise ModelError(
            f"{path.name}: its last initialiser should be a matrix of {length}x{length} that turns vectors into its "
            f"space, but is {found.shape}; get the file anew, or one that was not rewritten by an optimiser"
        )
    matrix = found.astype(np.float32)
    _keep(place, matrix)
    return matrix


def _plausible(matrix: Array) -> bool:
    return bool(np.isfinite(matrix).all() and matrix.any() and np.abs(matrix).max() < _MOST)


def _last_initialiser(path: Path) -> Array:
    import onnx

    try:
        tensors = onnx.load(str(path), load_external_data=False).graph.initializer
        return onnx.numpy_helper.to_array(tensors[-1]) if tensors else np.zeros(0)
    except Exception as error:  # protobuf's own types, and weights that lie in another file
        raise ModelError(f"{path.name} cannot be read: {' '.join(str(error).split())[:200]}") from None


def _kept(place: Path, length: int) -> Floats | None:
    try:
        matrix = np.load(place, allow_pickle=False, mmap_mode="r")
        fits = matrix.shape == (length, length) and matrix.dtype == np.float32
        return np.array(matrix) if fits and _plausible(matrix) else None
    except (OSError, ValueError, EOFError):
        return None


def _keep(place: Path, matrix: Floats) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, matrix)
            os.replace(unfinished, place)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
    except OSError as error:
        log.debug("cannot keep the matrix of a swapper: %s", error)
