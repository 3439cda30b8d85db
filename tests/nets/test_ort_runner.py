"""ONNX Runtime's runner: batches of files that are fixed at one, what was found out is kept, faults are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from live.errors import ModelError
from live.nets import batch_check, ort_runner
from live.nets.backends import PROVIDERS
from live.nets.contract import Port
from live.nets.free_batch import free_batch
from live.nets.ort_options import providers_for
from live.nets.ort_runner import OrtRunner
from tests.nets import small


def rows(runner: OrtRunner, count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {port.name: random.uniform(0, 1, (count, *port.shape[1:])).astype(np.float32) for port in runner.inputs}


def test_a_file_fixed_at_one_face_takes_several_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = OrtRunner(small.swapper(tmp_path / "fixed.onnx"), folder=tmp_path / "kept")
    runs = []
    monkeypatch.setattr(runner, "_run", lambda fed, real=runner._run: runs.append(len(fed["target"])) or real(fed))
    runner.run(rows(runner, 3))
    assert runs == [3]
    assert runner.inputs[0].shape == (None, 3, 16, 16)


def test_a_file_that_cannot_be_freed_runs_row_by_row_with_the_same_result(tmp_path: Path) -> None:
    path = small.stubborn(tmp_path / "stubborn.onnx")
    runner = OrtRunner(path, folder=tmp_path / "kept")
    given = rows(runner, 3)
    (found,) = runner.run(given)
    session = ort_runner.open_session(path, path.name, (("CPUExecutionProvider", {}),), 1)
    for number in range(3):
        (alone,) = session.run(None, {name: array[number : number + 1] for name, array in given.items()})
        assert np.array_equal(found[number : number + 1], alone)


def test_a_freed_graph_that_mixes_rows_is_refused(tmp_path: Path) -> None:
    """Frees and runs without a fault, and yet gives each row the mean of all: only the comparison can tell."""
    path = tmp_path / "mean.onnx"
    nodes = [
        onnx.helper.make_node("ReduceMean", ["target"], ["mean"], axes=[0], keepdims=1),
        onnx.helper.make_node("Mul", ["target", "zero"], ["nothing"]),
        onnx.helper.make_node("Add", ["nothing", "mean"], ["output"]),
    ]
    shape = ("target", small.FLOAT, [1, 4])
    zero = {"zero": np.zeros(1, np.float32)}
    small.write(path, nodes, [shape], [("output", small.FLOAT, [1, 4])], zero)
    runner = OrtRunner(path, folder=tmp_path / "kept")
    given = rows(runner, 2)
    (found,) = runner.run(given)
    assert np.allclose(found, given["target"])


def test_what_was_found_out_about_a_file_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = small.swapper(tmp_path / "good.onnx"), small.stubborn(tmp_path / "bad.onnx")
    for path in (good, bad):
        OrtRunner(path, folder=tmp_path / "kept")
    tried = []
    monkeypatch.setattr(batch_check, "same_in_batches", lambda *_: tried.append(1) or True)
    for path, alone in ((good, False), (bad, True)):
        assert (OrtRunner(path, folder=tmp_path / "kept")._most_rows == 1) is alone
    assert not tried
    (tmp_path / "kept").rename(tmp_path / "gone")
    (tmp_path / "kept").write_text("no folder")
    OrtRunner(good, folder=tmp_path / "kept")
    assert tried


def test_a_target_that_two_reshapes_share_is_freed_only_where_it_counts_rows(tmp_path: Path) -> None:
    weights = {"shape": np.array([1, 6], np.int64), "table": np.arange(6, dtype=np.float32).reshape(2, 3)}
    nodes = [
        onnx.helper.make_node("Reshape", ["target", "shape"], ["row"]),
        onnx.helper.make_node("Reshape", ["table", "shape"], ["constant"]),
        onnx.helper.make_node("Add", ["row", "constant"], ["output"]),
    ]
    path = tmp_path / "shared.onnx"
    small.write(path, nodes, [("target", small.FLOAT, [1, 2, 3])], [("output", small.FLOAT, [1, 6])], weights)
    model = onnx.load(path)
    assert free_batch(model)
    onnx.checker.check_model(model)
    runner = OrtRunner(path, folder=tmp_path / "kept")
    given = rows(runner, 4)
    assert runner._most_rows > 1
    assert np.allclose(runner.run(given)[0], given["target"].reshape(4, 6) + np.arange(6))


def test_a_free_file_is_left_as_it_is(tmp_path: Path) -> None:
    assert not free_batch(onnx.load(small.swapper(tmp_path / "free.onnx", rows="n")))


def test_a_detector_with_rows_of_its_own_takes_one_picture(tmp_path: Path) -> None:
    """Its output counts places in the picture, not pictures."""
    path = tmp_path / "places.onnx"
    nodes = [onnx.helper.make_node("Reshape", ["target", "places"], ["output"])]
    places = {"places": np.array([9, 1], np.int64)}
    small.write(path, nodes, [("target", small.FLOAT, [1, 1, 3, 3])], [("output", small.FLOAT, [9, 1])], places)
    runner = OrtRunner(path, folder=tmp_path / "kept")
    assert runner.run(rows(runner, 1))[0].shape == (9, 1)
    with pytest.raises(ModelError, match="one picture in a run; 2 were given"):
        runner.run(rows(runner, 2))


def test_a_backend_that_did_not_start_is_an_error_not_a_slow_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime itself carries on with the processor and says so in its log only."""
    path = small.swapper(tmp_path / "a.onnx", rows="n")
    real = ort_runner.open_session
    monkeypatch.setattr(
        ort_runner, "open_session", lambda source, name, wanted, threads: real(source, name, wanted[-1:], threads)
    )
    with pytest.raises(ModelError, match=r"cuda could not be started.*fell back to CPUExecutionProvider.*live doctor"):
        OrtRunner(path, "cuda", folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04]", bytes(range(256)) * 40])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx") as caught:
        OrtRunner(path, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_not_made_of_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "bytes.onnx"
    nodes = [onnx.helper.make_node("Cast", ["target"], ["output"], to=small.FLOAT)]
    small.write(path, nodes, [("target", onnx.TensorProto.UINT8, ["n", 3])], [("output", small.FLOAT, ["n", 3])], {})
    runner = OrtRunner(path, folder=tmp_path)
    assert runner.run({"target": np.array([[1, 2, 3]], np.uint8)})[0].dtype == np.float32
    with pytest.raises(ModelError, match="takes uint8, not float64"):
        runner.run({"target": np.ones((1, 3))})


def test_tensorrt_is_given_the_range_of_rows_it_builds_for(tmp_path: Path) -> None:
    ports = (Port("target", (None, 3, 128, 128), "float32"), Port("weight", (1,), "float64"))
    (first, options), *others = providers_for("tensorrt", "fp16", tmp_path, ports, 1)
    assert first == PROVIDERS["tensorrt"]
    assert options["trt_profile_min_shapes"] == "target:1x3x128x128,weight:1"
    assert options["trt_profile_max_shapes"] == "target:16x3x128x128,weight:1"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(tmp_path)
    assert options["trt_fp16_enable"] == "1"
    assert [name for name, _ in others] == [PROVIDERS["cuda"], PROVIDERS["cpu"]]
    unknown = (Port("target", (None, 3, None, None), "float32"),)
    assert "trt_profile_min_shapes" not in providers_for("tensorrt", "fp16", tmp_path, unknown, 1)[0][1]
