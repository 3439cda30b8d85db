"""Torch's switches for how float32 is multiplied, across its versions; set around a block and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def multiplying(*, tf32: bool, convolutions: bool | None = None, tune: bool = False) -> Iterator[None]:
    """Allow or forbid TF32 in the block, and let cuDNN try its algorithms once per shape if `tune`.

    `convolutions` allows or forbids it there alone; None: as `tf32`.

    The switches belong to the process: set them where graphs are captured and tests run, not per frame. A captured
    graph keeps what it was captured with.
    """
    places = _places()
    before = [(place, name, getattr(place, name)) for place, name in places]
    tuned = torch.backends.cudnn.benchmark
    try:
        allowed = (tf32, tf32 if convolutions is None else convolutions)
        for (place, name), allow in zip(places, allowed):
            setattr(place, name, _word(name, allow))
        torch.backends.cudnn.benchmark = tune or tuned
        yield
    finally:
        torch.backends.cudnn.benchmark = tuned
        for place, name, value in before:
            setattr(place, name, value)


def _places() -> list[tuple[Any, str]]:
    """Torch 2.9 brought fp32_precision; mixing it with the older switches raises, so only one kind is touched."""
    backends: Any = torch.backends  # products of matrices first, then convolutions
    if hasattr(backends.cuda.matmul, "fp32_precision") and hasattr(backends.cudnn, "conv"):
        return [(backends.cuda.matmul, "fp32_precision"), (backends.cudnn.conv, "fp32_precision")]
    return [(backends.cuda.matmul, "allow_tf32"), (backends.cudnn, "allow_tf32")]


def _word(name: str, tf32: bool) -> Any:
    return ("tf32" if tf32 else "ieee") if name == "fp32_precision" else tf32
