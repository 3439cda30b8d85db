"""The self-test of precisions, on networks that half precision suits and on one that it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from live.nets import selftest
from live.nets.precision import DeviceFacts
from live.nets.selftest import calibration, choose_precision, facts_of, largest_numbers, recall
from live.nets.torch_graph import TorchGraph, prepare, read_graph
from live.resources import models_dir
from tests.nets.networks import info, save

H100 = DeviceFacts("cuda", "NVIDIA H100", (9, 0))
CPU = torch.device("cpu")


@pytest.fixture
def as_h100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "facts_of", lambda device: H100)


def hot(path: Path, scale: float, layers: int = 12) -> Path:
    """A network whose third layer makes numbers `scale` times larger, and whose fourth takes that back."""
    random = np.random.default_rng(0)
    nodes, weights, x = [], {}, "x"
    for layer in range(layers):
        factor = {2: scale, 3: 1 / scale}.get(layer, 1.0)
        weights[f"w{layer}"] = (random.standard_normal((8, 8)) / np.sqrt(8) * factor).astype(np.float32)
        nodes += [helper.make_node("MatMul", [x, f"w{layer}"], [f"y{layer}"])]
        nodes += [helper.make_node("Tanh" if layer not in (2, 3) else "Identity", [f"y{layer}"], [f"z{layer}"])]
        x = f"z{layer}"
    return save(path, nodes, [info("x", [1, 8])], [info(x, [1, 8])], weights)


@pytest.mark.usefixtures("as_h100")
def test_our_masker_bears_half_precision() -> None:
    choice = choose_precision(prepare(read_graph(models_dir() / "masker.onnx")), CPU)
    assert (choice.precision, choice.wide) == ("fp16", ())


@pytest.mark.usefixtures("as_h100")
def test_the_layers_that_overflow_stay_in_float32(tmp_path: Path) -> None:
    graph = prepare(read_graph(hot(tmp_path / "hot.onnx", 1e6)))
    choice = choose_precision(graph, CPU)
    assert choice.precision == "fp16"
    assert {"y2", "y3"} <= set(choice.wide)
    assert len(choice.wide) <= 6
    assert choice.verdict is not None
    assert choice.verdict.relative_l2 < 1e-2


@pytest.mark.usefixtures("as_h100")
def test_the_answer_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = prepare(read_graph(hot(tmp_path / "hot.onnx", 1e6)))
    remember = tmp_path / "cache" / "choice.json"
    first = choose_precision(graph, CPU, remember=remember)
    monkeypatch.setattr(selftest, "choose", lambda *_: pytest.fail("tested again"))
    assert choose_precision(graph, CPU, remember=remember) == first
    remember.write_text('{"precision": 3}')
    monkeypatch.undo()
    assert recall(remember) is None


def test_a_processor_runs_in_float32() -> None:
    graph = prepare(read_graph(models_dir() / "masker.onnx"))
    assert facts_of(CPU) == DeviceFacts("cpu")
    assert choose_precision(graph, CPU).line == "fp32"


def test_the_largest_numbers_of_every_node_are_seen(tmp_path: Path) -> None:
    graph = prepare(read_graph(hot(tmp_path / "hot.onnx", 1e6)))
    module = TorchGraph(graph)
    seen = largest_numbers(module, calibration(graph.inputs))
    assert seen["y2"] > 1e5
    assert seen["y7"] < 100


def test_calibration_fits_the_ports() -> None:
    for name in ("masker", "detector"):
        ports = read_graph(models_dir() / f"{name}.onnx").inputs
        (picture,) = calibration(ports, 2)
        assert picture.dtype == torch.uint8
        assert picture.shape[0] == 2
        assert 40 < float(picture.float().std()) < 110
