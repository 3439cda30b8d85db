"""Whole networks in torch beside ONNX Runtime: twins of the field's, and our own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from live.bench.twins import SMALL, TWINS, write_twin
from live.errors import ModelError
from live.nets.contract import Port
from live.nets.selftest import calibration, compare
from live.nets.torch_graph import TorchGraph, load_module, prepare, read_graph
from live.resources import models_dir
from tests.nets.networks import distance, info, reference, row_by_row, save

EXACT = [name for name, twin in TWINS.items() if twin.exact]
FLAT = ("det_10g",)
"""Its outputs have no axis of rows."""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Writes small twins, each once."""
    folder = tmp_path_factory.mktemp("twins")

    def path(name: str) -> Path:
        file = folder / f"{name}.onnx"
        return file if file.is_file() else write_twin(name, file, width=SMALL)

    return path


def named(ports: tuple[Port, ...], tensors: list[torch.Tensor]) -> dict[str, np.ndarray]:
    return {port.name: tensor.numpy() for port, tensor in zip(ports, tensors)}


@pytest.mark.parametrize("name", list(TWINS))
def test_a_twin_in_torch_is_what_it_is_in_onnx_runtime(twin, name: str) -> None:  # type: ignore[no-untyped-def]
    path = twin(name)
    module = load_module(path)
    rows = 1 if name in ("gpen_bfr_1024", *FLAT) else 3
    inputs = calibration(module.graph.inputs, rows)
    with torch.inference_mode():
        got = module(*inputs)
        first = module(*(t[:1] if t.dim() > 1 else t for t in inputs))
    shared = [port.name for port in module.graph.inputs if port.shape[:1] != (None,)]
    wanted = row_by_row(path, named(module.graph.inputs, inputs), shared)
    for tensor, alone, array in zip(got, first, wanted):
        assert distance(tensor.numpy(), array) < 1e-4
        assert distance(alone.numpy(), array if name in FLAT else array[:1]) < 1e-4
    assert module.rows_freed == (name not in FLAT)


@pytest.mark.parametrize("name", EXACT)
def test_the_chains_of_exporters_are_found(twin, name: str) -> None:  # type: ignore[no-untyped-def]
    graph = prepare(read_graph(twin(name)))
    ops = [node.op for node in graph.nodes]
    norms = {"inswapper_128": 12, "inswapper_256": 12, "simswap_256": 18}.get(name, 0)
    assert ops.count("live.Standardise") == norms
    assert {"ReduceMean", "Sqrt"}.isdisjoint(ops) or name.startswith("gpen")  # GPEN normalises its style once
    styled = {"gfpgan_1.4": 15 + 8, "gpen_bfr_512": 15 + 8, "gpen_bfr_256": 13 + 7}.get(name, 0)
    assert ops.count("live.ModulatedConv") == styled
    assert ops.count("live.Blend") == (22 if name == "hyperswap_1a_256" else 0)
    if name == "hyperswap_1a_256":
        assert ops.count("Split") == 1, "style layers"
        assert ops.count("live.Layers") == 6, "of a level's features, where it has several channels"
        assert ops.count("InstanceNormalization") == 16
    if name == "gfpgan_1.4":
        assert sum(len(node.inputs) == 4 for node in graph.nodes if node.op == "live.ModulatedConv") == 15
    if name == "codeformer":
        assert ops.count("live.Swish") > 60
        assert ops.count("LayerNormalization") == 9 * 2 + 1
        assert "InstanceNormalization" not in ops
        assert ops.count("live.GroupNorm") > 60
    if name.startswith("gpen"):
        assert "Pad" not in ops


@pytest.mark.parametrize("name", [name for name in EXACT if name != "codeformer"])
def test_half_precision_stays_near(twin, name: str) -> None:  # type: ignore[no-untyped-def]
    """CodeFormer is left out: it picks codes from a book by the largest of 1024 numbers, which rounding can change."""
    graph = prepare(read_graph(twin(name)))
    inputs = calibration(graph.inputs)
    with torch.inference_mode():
        verdict = compare(TorchGraph(graph, precision="fp16")(*inputs), TorchGraph(graph)(*inputs))
    assert verdict.finite
    assert verdict.relative_l2 < 2e-2


def faces(rows: int) -> np.ndarray:
    """(rows, 128, 128, 3) BGR of bundled people."""
    import cv2

    files = sorted((models_dir() / "people").glob("*.webp"))[:rows]
    return np.stack([cv2.resize(cv2.imread(str(f)), (128, 128), interpolation=cv2.INTER_AREA) for f in files])


@pytest.mark.parametrize("name", ["landmarker", "masker", "detector"])
def test_our_networks_in_torch_are_what_they_are_in_onnx_runtime(name: str) -> None:
    path = models_dir() / f"{name}.onnx"
    module = load_module(path)
    for rows in (1, 3):
        pictures = faces(rows)
        if name == "detector":
            pictures = np.pad(pictures, ((0, 0), (16, 48), (96, 96), (0, 0)))
        got = module(torch.from_numpy(pictures))
        wanted = reference(path, {module.graph.inputs[0].name: pictures})
        for tensor, array in zip(got, wanted):
            assert distance(tensor.numpy(), array) < 1e-4
    assert module.rows_freed


@pytest.mark.parametrize("name", ["landmarker", "masker", "detector"])
def test_our_networks_bear_half_precision(name: str) -> None:
    path = models_dir() / f"{name}.onnx"
    pictures = torch.from_numpy(faces(2))
    if name == "detector":
        pictures = torch.nn.functional.pad(pictures, (0, 0, 96, 96, 16, 48))
    exact, half = (load_module(path, precision=word)(pictures) for word in ("fp32", "fp16"))
    assert compare(half, exact).relative_l2 < 2e-2
    if name == "masker":
        error = float((half[0] - exact[0]).square().mean())
        assert -10 * np.log10(error) > 45  # dB, of a mask 0..1
    if name == "detector":  # boxes and points in thumbnail pixels
        assert float((half[0] - exact[0]).abs().max()) < 0.25
    if name == "landmarker":  # in parts of the patch's side
        assert float((half[0] - exact[0]).abs().max()) * 128 < 0.25


def test_a_picture_of_another_size_is_planned_anew_where_the_file_leaves_it_open() -> None:
    path = models_dir() / "detector.onnx"
    module = load_module(path)
    for size in ((64, 96), (192, 320), (64, 96)):
        pictures = np.random.default_rng(1).integers(0, 256, (2, *size, 3), np.uint8)
        got = module(torch.from_numpy(pictures))
        for tensor, array in zip(got, reference(path, {"image": pictures})):
            assert distance(tensor.numpy(), array) < 1e-4


def test_a_picture_of_another_size_is_refused_where_the_file_fixes_it() -> None:
    module = load_module(models_dir() / "masker.onnx")
    with pytest.raises(ModelError, match="the network takes"):
        module(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))


def test_rows_that_a_network_mixes_are_run_one_after_the_other(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0, 1], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    path = save(tmp_path / "mixed.onnx", nodes, [info("x", [1, 4])], [info("y", [1, 4])])
    module = load_module(path)
    given = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    assert distance(module(torch.from_numpy(given))[0].numpy(), row_by_row(path, {"x": given})[0]) < 1e-6
    assert not module.rows_freed


def test_an_output_that_is_the_same_for_all_rows_has_all_rows(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["w"], ["z"]), helper.make_node("Relu", ["x"], ["y"])]
    weights = {"w": np.ones((1, 2), np.float32)}
    outputs = [info("y", [1, 4]), info("z", [1, 2])]
    module = load_module(save(tmp_path / "c.onnx", nodes, [info("x", [1, 4])], outputs, weights))
    assert [tuple(t.shape) for t in module(torch.zeros(3, 4))] == [(3, 4), (3, 2)]


def test_parameters_carry_the_files_names(twin) -> None:  # type: ignore[no-untyped-def]
    module = load_module(twin("inswapper_128"), precision="fp16")
    names = dict(module.named_parameters())
    assert "weight_1__float16" in names  # weight_1 in the file
    assert all(not tensor.requires_grad for tensor in names.values())
    kernels = [tensor for name, tensor in names.items() if tensor.dim() == 4 and min(tensor.shape[1:]) > 1]
    assert kernels
    assert all(t.dtype == torch.float16 and t.is_contiguous(memory_format=torch.channels_last) for t in kernels)


def test_what_comes_after_the_last_layer_is_computed_in_float32() -> None:
    module = load_module(models_dir() / "detector.onnx", precision="fp16")
    outputs = module(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))
    assert all(tensor.dtype == torch.float32 for tensor in outputs)
    steps = module.plan_for(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)).steps
    assert sum(step.op == "cast" for step in steps) >= 3


def test_a_node_named_wide_runs_in_float32(twin) -> None:  # type: ignore[no-untyped-def]
    graph = prepare(read_graph(twin("inswapper_128")))
    convs = [node.name for node in graph.nodes if node.op == "Conv"]
    module = TorchGraph(graph, precision="fp16", wide=frozenset(convs[:2]))
    types = {tensor.dtype for tensor in module.parameters() if tensor.dim() == 4}
    assert types == {torch.float16, torch.float32}
    inputs = calibration(graph.inputs)
    assert compare(module(*inputs), TorchGraph(graph)(*inputs)).relative_l2 < 2e-2
