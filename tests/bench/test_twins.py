"""Twins: that they are what the public definitions say, and stay so."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from live.bench.twins import SMALL, TWINS, write_twin
from live.bench.twins.builder import Net
from live.bench.twins.count import count
from live.errors import UsageError

EXACT = [name for name, twin in TWINS.items() if twin.exact]


@pytest.mark.parametrize("name", EXACT)
def test_parameters_and_arithmetic_are_those_of_the_public_definition(name: str) -> None:
    twin = TWINS[name]
    net = Net(opset=twin.opset)
    twin.write(net, 1.0)
    counted = count(net.model(filled=False))
    assert counted.parameters / 1e6 == pytest.approx(twin.parameters_m, rel=0.03)
    assert counted.flop / 1e9 == pytest.approx(twin.gflop, rel=0.03)


@pytest.mark.parametrize("name", list(TWINS))
def test_a_small_twin_is_a_sound_file(tmp_path: Path, name: str) -> None:
    path = write_twin(name, tmp_path / "twin.onnx", width=SMALL)
    onnx.checker.check_model(str(path), full_check=True)
    assert path.stat().st_size < 6e6


@pytest.mark.parametrize("name", EXACT)
def test_a_small_twin_has_the_nodes_of_the_full_one(name: str) -> None:
    def nodes(width: float) -> list[str]:
        net = Net(opset=TWINS[name].opset)
        TWINS[name].write(net, width)
        return [node.op_type for node in net.model(filled=False).graph.node]

    assert nodes(SMALL) == nodes(1.0)


def test_inswappers_twin_is_fixed_at_one_row_and_ends_with_the_emap(tmp_path: Path) -> None:
    graph = onnx.load(str(write_twin("inswapper_128", tmp_path / "twin.onnx", width=SMALL))).graph
    shapes = {item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim] for item in graph.input}
    assert shapes == {"target": [1, 3, 128, 128], "source": [1, 512]}
    last = graph.initializer[-1]
    assert (last.name, list(last.dims)) == ("emap", [512, 512])
    emap = onnx.numpy_helper.to_array(last)
    assert np.allclose(emap @ emap.T, np.eye(512), atol=1e-4)


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    files = [
        write_twin("gpen_bfr_256", tmp_path / f"{k}.onnx", width=SMALL, seed=seed) for k, seed in enumerate((1, 1, 2))
    ]
    first, again, other = (hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    assert first == again != other


def test_an_unknown_twin_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no twin nobody; there are: 2d106det"):
        write_twin("nobody", tmp_path / "twin.onnx")


@pytest.mark.slow
def test_half_a_gigabyte_is_written_quickly(tmp_path: Path) -> None:
    start = time.process_time()
    path = write_twin("inswapper_128", tmp_path / "twin.onnx")
    assert path.stat().st_size == pytest.approx(554_253_681, rel=1e-3)  # the real file's size
    assert time.process_time() - start < 20
