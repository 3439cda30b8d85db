"""What the doctor says about backends, on computers that are not at hand."""

from __future__ import annotations

import pytest

from live.doctor.backends import judge
from live.nets.backends import Gpu, Present

CPU = frozenset({"CPUExecutionProvider", "AzureExecutionProvider"})
CUDA = CPU | {"CUDAExecutionProvider", "TensorrtExecutionProvider"}
CARD = Gpu("NVIDIA GeForce RTX 3090", (8, 6), "570.86.10")
PLAIN = ("onnxruntime",)


def text(present: Present, variants=PLAIN) -> str:
    return "\n".join(str(finding) for finding in judge(present, variants))


def test_a_computer_without_a_card_is_fine_and_told_what_would_be_better() -> None:
    card, networks = judge(Present("linux", CPU, torch="2.11"), PLAIN)
    assert card.fine
    assert networks.fine
    assert "cpu would be taken" in networks.text
    assert "torch too" in networks.text
    assert "pip install onnxruntime-openvino" in networks.mend


def test_torch_on_the_card_wants_nothing_more() -> None:
    card, networks = judge(Present("linux", CUDA, gpu=CARD, torch="2.11", torch_cuda=True), ("onnxruntime-gpu",))
    assert card.text == "NVIDIA GeForce RTX 3090, compute capability 8.6, driver 570.86.10"
    assert "torch would be taken: NVIDIA GeForce RTX 3090" in networks.text
    assert "tensorrt too" in networks.text
    assert networks.mend == ()


@pytest.mark.parametrize("torch", ["", "2.11.0+cpu"])
def test_a_card_that_nothing_uses_is_missing_with_both_ways_out(torch: str) -> None:
    _, networks = judge(Present("linux", CPU, gpu=CARD, torch=torch), PLAIN)
    assert not networks.fine
    assert "the card is not used" in networks.text
    said = "\n".join(networks.mend)
    assert "pip install onnxruntime-gpu" in said
    assert "pip uninstall -y onnxruntime " in said
    assert "share a folder" in said
    assert ("570.86.10" in said) is bool(torch)


def test_the_card_through_onnxruntime_is_fine() -> None:
    _, networks = judge(Present("win32", CUDA, gpu=CARD), ("onnxruntime-gpu",))
    assert networks.fine
    assert "cuda would be taken" in networks.text
    assert any("pip install torch" in line for line in networks.mend)


def test_directml_is_offered_on_windows() -> None:
    assert "pip install onnxruntime-directml" in text(Present("win32", CPU))
    assert "directml would be taken" in text(Present("win32", CPU | {"DmlExecutionProvider"}))


def test_two_variants_of_onnxruntime_are_a_fault() -> None:
    *_, mixture = judge(Present("linux", CUDA, gpu=CARD), ("onnxruntime", "onnxruntime-gpu"))
    assert not mixture.fine
    assert mixture.needed
    assert mixture.mend == ("pip uninstall -y onnxruntime onnxruntime-gpu", "pip install onnxruntime-gpu")


def test_without_onnxruntime_nothing_runs() -> None:
    _, networks = judge(Present("linux"), ())
    assert networks.needed
    assert not networks.fine
    assert networks.mend == ("pip install onnxruntime",)
