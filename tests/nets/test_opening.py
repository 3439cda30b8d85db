"""Opening a network: the first backend that starts, and why not the ones before."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from live.errors import ModelError
from live.nets import opening, ort_runner
from live.nets.backends import Gpu, Present
from live.nets.engine_key import engine_key
from live.nets.opening import Opener
from tests.nets import small

CPU = Present("linux", frozenset({"CPUExecutionProvider"}), "1.32.0")
CARD = Gpu("NVIDIA GeForce RTX 3090", (8, 6), "570.86.10")
CUDA = Present("linux", CPU.providers | {"CUDAExecutionProvider", "TensorrtExecutionProvider"}, "1.32.0", gpu=CARD)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_HOME", str(tmp_path / "home"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small.swapper(tmp_path / "model.onnx")


@pytest.fixture
def _no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA is built in, but does not start: ONNX Runtime carries on with the processor."""
    real = ort_runner.open_session
    monkeypatch.setattr(
        ort_runner,
        "open_session",
        lambda source, name, wanted, *rest, **more: real(source, name, wanted[-1:], *rest, **more),
    )


def test_what_was_taken_is_said_with_its_reason(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        runner = Opener(CPU).open(model)
    assert runner.backend == "cpu"
    assert "model.onnx runs on cpu, fp32: the processor" in caplog.text


@pytest.mark.usefixtures("_no_cuda")
def test_one_that_does_not_start_is_said_and_the_next_taken(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    runner = Opener(CUDA).open(model)
    assert runner.backend == "cpu"
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "cuda could not be started" in warning
    assert "trying the next backend" in warning


@pytest.mark.usefixtures("_no_cuda")
def test_one_that_was_named_and_does_not_start_is_an_error(model: Path) -> None:
    with pytest.raises(ModelError, match="cuda could not be started"):
        Opener(CUDA, backend="cuda").open(model)


def test_what_cannot_be_had_is_said_before_anything_is_opened() -> None:
    with pytest.raises(ModelError, match=r"nets\.backend=cuda"):
        Opener(CPU, backend="cuda")
    with pytest.raises(ModelError, match=r"nets\.precision=fp16: cpu has fp32"):
        Opener(CPU, backend="cpu", precision="fp16")


def test_a_hostile_file_is_opened_by_no_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x80\x04\x95" + b"x" * 100)
    monkeypatch.setattr(Opener, "_start", lambda *_: pytest.fail("opened"))
    with pytest.raises(ModelError, match="is a pickle"):
        Opener(CPU).open(path)


@pytest.fixture
def _cpu_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor takes TensorRT's way: built ahead in a child process."""
    monkeypatch.setattr(opening, "BUILT_AHEAD", frozenset({"cpu"}))


@pytest.mark.usefixtures("_cpu_builds")
def test_a_backend_that_builds_does_so_once_in_a_child(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Opener(CPU).open(model)
    monkeypatch.setattr(opening.Builder, "_start", lambda *_: pytest.fail("built again"))
    again = Opener(CPU).open(model)
    given = {"target": np.ones((2, 3, 16, 16), np.float32), "source": np.ones((2, 512), np.float32)}
    assert np.array_equal(first.run(given)[0], again.run(given)[0])


@pytest.mark.usefixtures("_cpu_builds")
def test_a_build_that_takes_too_long_is_one_line(model: Path) -> None:
    with pytest.raises(ModelError, match=r"cpu for model\.onnx: not done after 0\.01 s"):
        Opener(CPU, limit_s=0.01).open(model)


@pytest.mark.usefixtures("_cpu_builds")
def test_after_cancelling_nothing_is_built(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    opener = Opener(CPU)
    opener.cancel()
    with pytest.raises(ModelError, match="cancelled"):
        opener.open(model)
    assert not caplog.records


def test_a_built_engine_is_another_for_another_anything() -> None:
    other_card = Gpu("NVIDIA GeForce RTX 4090", (8, 9), CARD.driver)
    other_driver = Gpu(CARD.name, CARD.capability, "580.1")
    keys = [
        engine_key("tensorrt", "fp16", "a", CUDA),
        engine_key("tensorrt", "fp16", "b", CUDA),
        engine_key("tensorrt", "fp32", "a", CUDA),
        engine_key("cuda", "fp16", "a", CUDA),
        *(
            engine_key("tensorrt", "fp16", "a", Present("linux", runtime="1.32.0", gpu=card))
            for card in (other_card, other_driver, None)
        ),
        engine_key("tensorrt", "fp16", "a", Present("linux", runtime="1.33.0", gpu=CARD)),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == engine_key("tensorrt", "fp16", "a", CUDA)
