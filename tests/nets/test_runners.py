"""One contract for every backend; those that cannot run on this computer are skipped by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from live.errors import ModelError
from live.nets import devices
from live.nets.backends import PROVIDERS
from live.nets.batch_check import relative_off
from live.nets.contract import Array, Runner
from live.nets.ort_runner import OrtRunner
from tests.nets import small

FILES: dict[str, Callable[[Path], Path]] = {
    "fixed at one": lambda folder: small.swapper(folder / "fixed.onnx", mask=True),
    "free": lambda folder: small.swapper(folder / "free.onnx", rows="rows"),
    "recogniser": lambda folder: small.recogniser(folder / "recogniser.onnx"),
}
NAMES = [f"ort-{name}" for name in PROVIDERS] + ["torch-cpu", "torch-cuda"]


def start(name: str, path: Path, folder: Path) -> Runner:
    """The runner of a backend at FP32, or a skip."""
    library, _, backend = name.partition("-")
    if library == "ort":
        if PROVIDERS[backend] not in devices.providers():
            pytest.skip(f"{name}: not run here")
        return OrtRunner(path, backend, "fp32", folder=folder)
    torch = pytest.importorskip("torch", reason=f"{name}: not run here")
    if backend == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"{name}: not run here")
    from live.nets.torch_runner import TorchRunner

    return TorchRunner(path, backend, "fp32")


@pytest.fixture(params=NAMES)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(runner: Runner, count: int) -> dict[str, Array]:
    random = np.random.default_rng(7)
    return {port.name: random.uniform(0, 1, (count, *port.shape[1:])).astype(np.float32) for port in runner.inputs}


@pytest.mark.parametrize("file", FILES)
def test_any_number_of_rows_gives_what_each_gives_alone(backend: str, file: str, tmp_path: Path) -> None:
    runner = start(backend, FILES[file](tmp_path), tmp_path / "kept")
    for count in (0, 1, 3):
        given = rows(runner, count)
        found = runner.run(given)
        assert len(found) == len(runner.outputs)
        for port, array in zip(runner.outputs, found, strict=True):
            assert array.shape == (count, *port.shape[1:])
            assert array.dtype == np.float32
        for number in range(count):
            alone = runner.run({name: array[number : number + 1] for name, array in given.items()})
            for one, all_rows in zip(alone, found, strict=True):
                assert relative_off(all_rows[number : number + 1], one) <= 1e-5
    runner.close()
    runner.close()


@pytest.mark.parametrize("file", FILES)
def test_every_backend_agrees_with_the_processor(backend: str, file: str, tmp_path: Path) -> None:
    path = FILES[file](tmp_path)
    runner, reference = start(backend, path, tmp_path / "kept"), OrtRunner(path, folder=tmp_path / "kept")
    given = rows(reference, 3)
    for found, wanted in zip(runner.run(given), reference.run(given), strict=True):
        assert relative_off(found, wanted) <= 1e-4
    assert [(port.name, port.shape) for port in runner.inputs] == [(p.name, p.shape) for p in reference.inputs]


def test_what_does_not_fit_is_one_line(backend: str, tmp_path: Path) -> None:
    runner = start(backend, FILES["free"](tmp_path), tmp_path / "kept")
    good = rows(runner, 2)
    broken = [
        {"target": good["target"]},
        {**good, "target": good["target"][:, :2]},
        {**good, "target": good["target"][0]},
        {**good, "source": good["source"][:1]},
    ]
    for given in broken:
        with pytest.raises(ModelError) as caught:
            runner.run(given)
        assert "\n" not in str(caught.value)
    assert len(runner.run(good)[0]) == 2
