"""Prepared networks on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from live.bench.twins import SMALL, write_twin
from live.errors import ModelError
from live.nets import weights
from live.nets.selftest import calibration
from live.nets.torch_graph import TorchGraph, prepare, read_graph


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_twin("gfpgan_1.4", tmp_path_factory.mktemp("model") / "gfpgan.onnx", width=SMALL)


def kept(place: Path) -> list[Path]:
    return sorted(place.glob("*.safetensors"))


def test_a_network_from_the_cache_computes_the_very_same(model: Path, tmp_path: Path) -> None:
    made = weights.load_prepared(model, "fp16", place=tmp_path)
    read = weights.load_prepared(model, "fp16", place=tmp_path)
    inputs = calibration(made.inputs)
    first, again = (TorchGraph(graph, precision="fp16")(*inputs) for graph in (made, read))
    straight = TorchGraph(prepare(read_graph(model)), precision="fp16")(*inputs)
    assert torch.equal(first[0], again[0])
    # The sums of squared weights are taken of rounded weights here.
    assert float((first[0] - straight[0]).norm() / straight[0].norm()) < 1e-2
    assert len(kept(tmp_path)) == 1


def test_half_precision_takes_half_the_space(tmp_path: Path) -> None:
    model = write_twin("simswap_256", tmp_path / "simswap.onnx", width=SMALL)
    weights.load_prepared(model, "fp16", place=tmp_path)
    assert kept(tmp_path)[0].stat().st_size < 0.6 * model.stat().st_size  # lines are small and stay float32


def test_float32_is_not_kept_twice(model: Path, tmp_path: Path) -> None:
    weights.load_prepared(model, "fp32", place=tmp_path)
    assert not kept(tmp_path)


def test_the_model_is_not_opened_when_its_hash_is_known(model: Path, tmp_path: Path) -> None:
    digest = weights.digest_of(model)
    weights.load_prepared(model, "bf16", place=tmp_path)
    graph = weights.load_prepared(tmp_path / "gone.onnx", "bf16", digest=digest, place=tmp_path)
    assert graph.weights


def test_precisions_and_exceptions_have_files_of_their_own(model: Path, tmp_path: Path) -> None:
    for word, wide in (("fp16", frozenset()), ("bf16", frozenset()), ("fp16", frozenset({"Conv_1"}))):
        weights.load_prepared(model, word, wide, place=tmp_path)
    assert len(kept(tmp_path)) == 3


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "pickle", "header"])
def test_a_broken_file_is_made_anew(model: Path, tmp_path: Path, harm: str) -> None:
    weights.load_prepared(model, "fp16", place=tmp_path)
    file = kept(tmp_path)[0]
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[-100] ^= 64
    header = bytearray(whole)
    header[40] ^= 1
    file.write_bytes(
        {"cut": whole[:-9], "flipped": bytes(flipped), "empty": b"", "pickle": b"\x80\x04.", "header": bytes(header)}[
            harm
        ]
    )
    assert weights.read_kept(file) is None
    weights.load_prepared(model, "fp16", place=tmp_path)
    again = weights.read_kept(file)
    assert again is not None
    assert file.stat().st_size == len(whole)


def test_a_folder_that_cannot_be_written_stops_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert weights.load_prepared(model, "fp16", place=tmp_path / "file").nodes


def test_a_weight_too_large_for_half_precision_stays_float32(model: Path) -> None:
    graph = prepare(read_graph(model))
    name = next(name for name, array in graph.weights.items() if array.ndim == 4)
    changed = dict(graph.weights) | {name: graph.weights[name] * 1e9}
    narrow = weights.with_precision(type(graph)(graph.nodes, changed, graph.inputs, graph.outputs, graph.opset), "fp16")
    assert narrow.weights[name].dtype == torch.float32


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        weights.load_prepared(tmp_path / "none.onnx", "fp16", place=tmp_path)
