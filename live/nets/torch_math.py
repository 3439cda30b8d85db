"""Torch's switches for how float32 is multiplied; set around a block and put back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def multiplying(*, tf32: bool, convolutions: bool | None = None, tune: bool = False) -> Iterator[None]:
    """Allow or forbid TF32 in the block, and let cuDNN try its algorithms once per shape if `tune`.

    `convolutions` allows or forbids it there alone; None: as `tf32`.

    The switches belong to the process: set them where graphs are captured and tests run, not per frame. A captured
    graph keeps what it was captured with.
    """
    # The older switches, although torch 2.9 brought newer ones: these set both kinds alike, while torch.compile raises
    # where only the newer ones were set (pytorch issue 166387).
    warnings.filterwarnings("ignore", message="Please use the new API settings")
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    try:
        matmul.allow_tf32 = tf32
        cudnn.allow_tf32 = tf32 if convolutions is None else convolutions
        cudnn.benchmark = tune or before[2]
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
