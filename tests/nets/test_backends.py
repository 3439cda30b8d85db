"""The choice of a backend: its order, its reasons, and what is missing for one that was named."""

from __future__ import annotations

import pytest

from live.errors import ModelError
from live.nets.backends import BACKENDS, PROVIDERS, Gpu, Present, bring, lack, precision_for, rank
from live.nets.devices import gpu_of

CARD = Gpu("NVIDIA GeForce RTX 3090", (8, 6), "570.86.10")
CPU = frozenset({"CPUExecutionProvider"})
CUDA = CPU | {"CUDAExecutionProvider", "TensorrtExecutionProvider"}


def order(present: Present) -> list[str]:
    return [choice.backend for choice in rank("auto", present)]


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        (Present("linux", CPU), ["cpu"]),
        (Present("linux", CPU, torch="2.11"), ["cpu"]),
        (Present("linux", CPU, gpu=CARD, torch="2.11", torch_cuda=True), ["torch", "cpu"]),
        (Present("linux", CUDA, gpu=CARD, torch="2.11", torch_cuda=True), ["torch", "cuda", "cpu"]),
        (Present("linux", CUDA, gpu=CARD, torch="2.11", torch_cuda=False), ["cuda", "cpu"]),
        (Present("linux", CUDA), ["cpu"]),
        (Present("darwin", CPU | {"CoreMLExecutionProvider"}), ["coreml", "cpu"]),
        (Present("win32", CPU | {"DmlExecutionProvider"}), ["directml", "cpu"]),
        (Present("linux", CPU | {"OpenVINOExecutionProvider"}), ["openvino", "cpu"]),
    ],
)
def test_the_order_follows_what_is_there(present: Present, wanted: list[str]) -> None:
    assert order(present) == wanted
    assert all(choice.reason for choice in rank("auto", present))


def test_tensorrt_is_taken_only_when_named() -> None:
    present = Present("linux", CUDA, gpu=CARD)
    assert "tensorrt" not in order(present)
    assert [choice.backend for choice in rank("tensorrt", present)] == ["tensorrt"]


@pytest.mark.parametrize("name", [name for name in BACKENDS if name not in ("cpu", "torch")])
def test_a_named_backend_that_is_not_there_says_what_brings_it(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        rank(name, Present("linux", CPU, gpu=CARD))
    assert f"nets.backend={name}" in str(caught.value)
    assert "pip install" in str(caught.value) or "run here" in str(caught.value)


def test_a_provider_without_a_card_is_not_there() -> None:
    assert "no NVIDIA card" in lack("cuda", Present("linux", CUDA))


def test_variants_of_onnxruntime_are_exchanged_not_added() -> None:
    """They share a folder: installed together they are a mixture."""
    first, second = bring("cuda")
    assert first == "pip uninstall -y onnxruntime onnxruntime-directml onnxruntime-openvino"
    assert second == "pip install onnxruntime-gpu"
    assert bring("cpu") == ()


def test_an_unknown_backend_names_those_there_are() -> None:
    with pytest.raises(ModelError, match="allowed: auto, torch, tensorrt, cuda"):
        rank("cudda", Present("linux", CPU))


def test_precision_is_one_that_the_backend_has() -> None:
    assert [precision_for(name, "auto") for name in ("cpu", "cuda", "tensorrt")] == ["fp32", "tf32", "fp16"]
    assert precision_for("cuda", "fp32") == "fp32"
    for name in PROVIDERS:
        assert precision_for(name, "fp32") == "fp32"
    with pytest.raises(ModelError, match=r"nets\.precision=fp16: cpu has fp32"):
        precision_for("cpu", "fp16")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("NVIDIA GeForce RTX 3090, 8.6, 570.86.10\n", CARD),
        ("NVIDIA H100 80GB HBM3, 9.0, 580.1\nTesla T4, 7.5, 580.1\n", Gpu("NVIDIA H100 80GB HBM3", (9, 0), "580.1")),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", None),
        ("No devices were found\n", None),
        ("", None),
    ],
)
def test_the_drivers_answer_is_read(said: str, wanted: Gpu | None) -> None:
    assert gpu_of(said) == wanted
