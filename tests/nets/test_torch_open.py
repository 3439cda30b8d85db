"""Opening a model as a start does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from live.nets import selftest, torch_open
from live.nets.precision import DeviceFacts
from live.nets.torch_open import open_torch
from live.resources import models_dir
from tests.nets.networks import distance, reference

MASKER = models_dir() / "masker.onnx"


def picture() -> dict[str, np.ndarray]:
    return {"patch": np.random.default_rng(3).integers(0, 256, (2, 128, 128, 3), np.uint8)}


def test_on_a_processor_float32_is_chosen_without_a_test(tmp_path: Path) -> None:
    runner, choice = open_torch(MASKER, device="cpu", place=tmp_path)
    assert choice.line == "fp32"
    assert distance(runner.run(picture())[0], reference(MASKER, picture())[0]) < 1e-4
    assert not list(tmp_path.iterdir())


def test_the_second_start_reads_choice_and_weights_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (selftest, torch_open):
        monkeypatch.setattr(module, "facts_of", lambda device: DeviceFacts("cuda", "NVIDIA H100", (9, 0)))
    runner, choice = open_torch(MASKER, device="cpu", place=tmp_path)
    assert choice.precision == "fp16"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]
    monkeypatch.setattr(torch_open, "choose_precision", lambda *_: pytest.fail("tested again"))
    monkeypatch.setattr(torch_open, "prepare", lambda *_: pytest.fail("prepared again"))
    again, same = open_torch(MASKER, device="cpu", place=tmp_path)
    assert same == choice
    assert distance(again.run(picture())[0], runner.run(picture())[0]) == 0


def test_a_precision_may_be_asked_for(tmp_path: Path) -> None:
    runner, choice = open_torch(MASKER, device="cpu", precision="bf16", place=tmp_path)
    assert (runner.precision, choice.precision) == ("bf16", "bf16")
    assert distance(runner.run(picture())[0], reference(MASKER, picture())[0]) < 3e-2
