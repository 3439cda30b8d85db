"""Torch's switches for float32."""

from __future__ import annotations

import pytest
import torch

from live.nets.torch_math import multiplying


def switches() -> tuple[bool, bool, bool]:
    return (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark)


@pytest.mark.parametrize("tf32", [False, True])
def test_switches_hold_in_the_block_and_are_put_back(tf32: bool) -> None:
    before = switches()
    with multiplying(tf32=tf32, tune=True):
        assert switches() == (tf32, tf32, True)
        with multiplying(tf32=not tf32):
            assert switches() == (not tf32, not tf32, True)
    assert switches() == before


def test_convolutions_may_differ() -> None:
    with multiplying(tf32=False, convolutions=True):
        assert switches()[:2] == (False, True)


def test_switches_are_put_back_after_an_error() -> None:
    before = switches()
    with pytest.raises(ValueError, match="inside"), multiplying(tf32=True, tune=True):
        raise ValueError("inside")
    assert switches() == before


def test_torchs_newer_switches_follow() -> None:
    """torch.compile reads both kinds and raises where they differ."""
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("torch before 2.9 has one kind only")
    with multiplying(tf32=True):
        assert matmul.fp32_precision == "tf32"
    with multiplying(tf32=False):
        assert matmul.fp32_precision != "tf32"
