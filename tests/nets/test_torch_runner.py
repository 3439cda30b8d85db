"""The torch backend behind the common contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from live.bench.twins import SMALL, write_twin
from live.errors import ModelError
from live.nets.contract import Port, Runner, count_rows
from live.nets.torch_runner import TorchRunner
from tests.nets.networks import distance, row_by_row


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_twin("simswap_256", tmp_path_factory.mktemp("twin") / "simswap.onnx", width=SMALL)


def given(rows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(rows)
    target = random.random((rows, 3, 256, 256), np.float32)
    return {"source": random.standard_normal((rows, 512)).astype(np.float32) / 20, "target": target}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_any_number_of_rows(model: Path, rows: int) -> None:
    runner: Runner = TorchRunner(model)
    (output,) = runner.run(given(rows))
    assert output.shape == (rows, 3, 256, 256)
    assert output.dtype == np.float32
    if rows:
        assert distance(output, row_by_row(model, given(rows))[0]) < 1e-4


def test_it_says_what_it_is(model: Path) -> None:
    runner = TorchRunner(model, precision="bf16")
    assert (runner.backend, runner.precision) == ("torch", "bf16")
    assert runner.inputs == (Port("source", (None, 512), "float32"), Port("target", (None, 3, 256, 256), "float32"))
    assert [port.name for port in runner.outputs] == ["output"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": np.zeros((1, 3, 128, 128), np.float32)}, r"input target has shape \(1, 3, 128, 128\)"),
        ({"source": np.zeros((2, 512), np.float32)}, r"different numbers of rows: \[1, 2\]"),
        ({"source": np.zeros(512, np.float32)}, "input source has shape"),
    ],
)
def test_inputs_that_do_not_fit_are_named(model: Path, change: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        TorchRunner(model).run(given(1) | change)


def test_a_missing_input_is_named(model: Path) -> None:
    with pytest.raises(ModelError, match="needs an input target; given: source"):
        TorchRunner(model).run({"source": np.zeros((1, 512), np.float32)})


def test_a_closed_runner_is_not_run_again(model: Path) -> None:
    runner = TorchRunner(model)
    runner.close()
    runner.close()
    with pytest.raises(ModelError, match="was closed"):
        runner.run(given(1))


def test_an_input_for_all_rows(tmp_path: Path) -> None:
    runner = TorchRunner(write_twin("codeformer", tmp_path / "c.onnx", width=SMALL))
    assert runner.inputs[1] == Port("weight", (1,), "float64")
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 3, 512, 512)).astype(np.float32)
    low, high = (runner.run({"input": pictures, "weight": np.array([w])})[0] for w in (0.0, 1.0))
    assert low.shape == (2, 3, 512, 512)
    assert distance(low, high) > 1e-2


def test_rows_are_counted() -> None:
    ports = (Port("a", (None, 2), "float32"), Port("b", (1,), "float64"))
    assert count_rows(ports, {"a": np.zeros((4, 2)), "b": np.zeros(1)}) == 4
    assert count_rows(ports[1:], {"b": np.zeros(1)}) == 1
