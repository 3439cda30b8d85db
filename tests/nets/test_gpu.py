"""What only a GPU can show. Runs alone too: `pytest --noconftest tests/nets/test_gpu.py` needs torch and onnx only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from live.bench.twins import SMALL, TWINS, write_twin
from live.nets.cuda_graph import Captured
from live.nets.guard import guarded
from live.nets.selftest import calibration, choose_precision, compare
from live.nets.torch_graph import TorchGraph, prepare, read_graph
from live.nets.torch_math import multiplying
from live.nets.torch_runner import TorchRunner
from live.resources import models_dir
from tests.nets.networks import distance, row_by_row

pytestmark = [pytest.mark.gpu]
EXACT = [name for name, twin in TWINS.items() if twin.exact]
OURS = ("landmarker", "masker", "detector")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


def model(name: str, folder: Path) -> Path:
    if name in OURS:
        return models_dir() / f"{name}.onnx"
    path = folder / f"{name}.onnx"
    # Very narrow, hyperswap's norms over 2 x 2 pixels magnify rounding as the full one's do not.
    return path if path.is_file() else write_twin(name, path, width=1 / 8 if "hyperswap" in name else SMALL)


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with torch.inference_mode(), multiplying(tf32=False):
        yield


@pytest.mark.parametrize("name", [*EXACT, *OURS])
def test_float32_without_tf32_is_onnx_runtime_on_the_processor(folder: Path, name: str) -> None:
    path = model(name, folder)
    graph = prepare(read_graph(path))
    module = TorchGraph(graph).cuda()
    rows = 1 if "512" in name or name in ("gfpgan_1.4", "codeformer") else 3
    inputs = calibration(graph.inputs, rows)
    got = module(*(tensor.cuda() for tensor in inputs))
    named = {port.name: tensor.numpy() for port, tensor in zip(graph.inputs, inputs)}
    shared = [port.name for port in graph.inputs if port.shape[:1] != (None,)]
    for tensor, wanted in zip(got, row_by_row(path, named, shared)):
        assert distance(tensor.cpu().numpy(), wanted) < 1e-4


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", [*(name for name in EXACT if name != "codeformer"), *OURS])
def test_half_precision_is_near_float32(folder: Path, name: str, rows: int) -> None:
    graph = prepare(read_graph(model(name, folder)))
    inputs = [tensor.cuda() for tensor in calibration(graph.inputs, rows)]
    half, exact = (TorchGraph(graph, precision=word).cuda()(*inputs) for word in ("fp16", "fp32"))
    verdict = compare(half, exact)
    assert verdict.finite
    # The landmarker scores noise, which is no face, with almost nothing: only its landmarks are compared.
    assert (compare(half[:1], exact[:1]) if name == "landmarker" else verdict).relative_l2 < 2e-2


@pytest.mark.parametrize("name", ["inswapper_128", "hyperswap_1a_256", "gfpgan_1.4", "codeformer", *OURS])
def test_a_captured_graph_gives_what_the_module_gives(folder: Path, name: str) -> None:
    graph = prepare(read_graph(model(name, folder)))
    module = TorchGraph(graph, precision="fp16").cuda()
    first, second = ([t.cuda() for t in calibration(graph.inputs, 2, seed)] for seed in (0, 1))
    captured = Captured(module, first)
    for inputs in (second, first, second):
        eager = [tensor.clone() for tensor in module(*inputs)]
        for got, wanted in zip(captured.run(*inputs), eager):
            assert (
                compare([got], [wanted]).relative_l2 < 1e-2
                if name == "codeformer"
                else torch.allclose(got, wanted, rtol=1e-2, atol=2e-3)
            )


@pytest.mark.parametrize("name", ["inswapper_128", "hyperswap_1a_256", "gpen_bfr_256", "codeformer", *OURS])
def test_running_never_waits_for_the_device(folder: Path, name: str) -> None:
    graph = prepare(read_graph(model(name, folder)))
    module = TorchGraph(graph, precision="fp16").cuda()
    inputs = [tensor.cuda() for tensor in calibration(graph.inputs, 2)]
    module(*inputs)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        outputs = module(*inputs)
        _, ok = guarded(outputs[0], outputs[0])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert ok.all()


def test_the_guard_works_inside_a_graph(folder: Path) -> None:
    graph = prepare(read_graph(model("inswapper_128", folder)))
    module = TorchGraph(graph, precision="fp16").cuda()
    target, source = (tensor.cuda() for tensor in calibration(graph.inputs, 2))

    def step(target: torch.Tensor, source: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (face,) = module(target, source)
        return guarded(face, target)

    captured = Captured(step, (target, source))
    bad = target.clone()
    bad[1, 0, 5, 5] = float("nan")
    face, ok = captured.run(bad, source)
    assert ok.tolist() == [True, False]
    assert torch.isfinite(face[0]).all()
    assert torch.equal(face[1].nan_to_num(7), bad[1].nan_to_num(7))
    face, ok = captured.run(target, source)
    assert ok.all()


def test_two_graphs_keep_their_faces_apart(folder: Path) -> None:
    """Two owners replay on their own streams at once; each gets its own face."""
    graph = prepare(read_graph(model("inswapper_128", folder)))
    module = TorchGraph(graph, precision="fp16").cuda()
    inputs = [[t.cuda() for t in calibration(graph.inputs, 1, seed)] for seed in (0, 1)]
    alone = [module(*given)[0].clone() for given in inputs]
    assert not torch.allclose(alone[0], alone[1], atol=0.05)
    captured = [Captured(module, given) for given in inputs]
    streams = [torch.cuda.Stream() for _ in inputs]
    for _ in range(50):
        for own, stream, given in zip(captured, streams, inputs):
            with torch.cuda.stream(stream):
                own.run(*given)
    torch.cuda.synchronize()
    for own, wanted in zip(captured, alone):
        assert torch.allclose(own.outputs[0], wanted, rtol=1e-2, atol=2e-3)


def test_one_picture_normalised_alone_is_what_it_is_in_a_batch(folder: Path) -> None:
    graph = prepare(read_graph(model("simswap_256", folder)))
    module = TorchGraph(graph).cuda()
    inputs = [tensor.cuda() for tensor in calibration(graph.inputs, 3)]
    together = module(*inputs)[0]
    for row in range(3):
        alone = module(*(tensor[row : row + 1] for tensor in inputs))[0]
        assert compare([together[row : row + 1]], [alone]).relative_l2 < 1e-4


def test_a_card_with_tensor_cores_runs_our_masker_in_half_precision() -> None:
    graph = prepare(read_graph(models_dir() / "masker.onnx"))
    choice = choose_precision(graph, torch.device("cuda"))
    assert choice.precision == ("fp16" if torch.cuda.get_device_capability() >= (7, 0) else "fp32")


def test_a_runner_moves_arrays_to_the_card_and_back() -> None:
    runner = TorchRunner(models_dir() / "masker.onnx", "cuda", "fp16")
    for rows in (0, 1, 3):
        (mask,) = runner.run({"patch": np.zeros((rows, 128, 128, 3), np.uint8)})
        assert mask.shape == (rows, 128, 128)
        assert mask.dtype == np.float32
    runner.close()
