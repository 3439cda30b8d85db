"""Chains that look like what is fused, and are not; they stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper

from live.errors import ModelError
from live.nets.torch_graph import load_module, prepare, read_graph
from tests.nets.networks import distance, info, row_by_row, save

N = helper.make_node
RANDOM = np.random.default_rng(2)


def f(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def norm(end: list[Any], *, spare: bool = False) -> list[Any]:
    """An instance norm written out, up to the root, and what follows."""
    nodes = [
        N("ReduceMean", ["x"], ["mean"], axes=[2, 3]),
        N("Sub", ["x", "mean"], ["c"]),
        N("Mul", ["c", "c"], ["square"]),
        N("ReduceMean", ["square"], ["variance"], axes=[2, 3]),
        N("Add", ["variance", "epsilon"], ["damped"]),
        N("Sqrt", ["damped"], ["root"]),
        *end,
    ]
    return [*nodes, N("Add", ["y", "root"], ["z"])] if spare else nodes


WEIGHTS = {
    "epsilon": np.array(0.1, np.float32), "one": np.array(1, np.float32), "two": np.array(2, np.float32),
    "wide": f(1, 4, 5, 6), "lines": f(4, 1, 1), "kernel": f(4, 4, 3, 3), "bias": f(4),
}  # fmt: skip


def check(path: Path, nodes: list[Any], absent: str, output: str = "y") -> list[str]:
    """The result is ONNX Runtime's and the operator was not found. Returns: the operators of the prepared network."""
    weights = {name: array for name, array in WEIGHTS.items() if any(name in node.input for node in nodes)}
    save(path, nodes, [info("x", [1, 4, 5, 6])], [info(output, [1, 4, 5, 6])], weights)
    given = f(3, 4, 5, 6)
    got = load_module(path)(torch.from_numpy(given))[0].numpy()
    assert distance(got, row_by_row(path, {"x": given})[0]) < 1e-4
    ops = [node.op for node in prepare(read_graph(path)).nodes]
    assert absent not in ops
    return ops


@pytest.mark.parametrize(
    "end",
    [
        [N("Div", ["c", "root"], ["y"])],
        [N("Div", ["one", "root"], ["i"]), N("Mul", ["c", "i"], ["y"])],
        [N("Reciprocal", ["root"], ["i"]), N("Mul", ["i", "c"], ["y"])],
    ],
)
def test_all_ways_of_ending_a_norm_are_found(tmp_path: Path, end: list[Any]) -> None:
    assert check(tmp_path / "a.onnx", norm(end), "Sqrt") == ["live.Standardise"]


@pytest.mark.parametrize(
    "end",
    [
        [N("Div", ["root", "c"], ["y"])],
        [N("Div", ["two", "root"], ["i"]), N("Mul", ["c", "i"], ["y"])],
        [N("Div", ["c", "root"], ["n"]), N("Add", ["n", "c"], ["y"])],
        [N("Div", ["x", "root"], ["y"])],
    ],
)
def test_what_only_resembles_a_norm_stays(tmp_path: Path, end: list[Any]) -> None:
    check(tmp_path / "a.onnx", norm(end), "live.Standardise")


def test_a_norm_whose_root_is_wanted_elsewhere_stays(tmp_path: Path) -> None:
    check(tmp_path / "a.onnx", norm([N("Div", ["c", "root"], ["y"])], spare=True), "live.Standardise", output="z")


def test_a_scale_for_every_pixel_stays_outside_the_norm(tmp_path: Path) -> None:
    end = [N("Div", ["c", "root"], ["n"]), N("Mul", ["n", "wide"], ["g"]), N("Add", ["g", "lines"], ["y"])]
    assert check(tmp_path / "a.onnx", norm(end), "Sqrt") == ["live.Standardise", "live.MultiplyAdd"]


def test_a_scale_per_channel_goes_into_the_norm_and_the_bias_before_it_away(tmp_path: Path) -> None:
    end = [N("Div", ["c", "root"], ["n"]), N("Mul", ["n", "lines"], ["g"]), N("Add", ["lines", "g"], ["y"])]
    first = N("Conv", ["given", "kernel", "bias"], ["x"], pads=[1, 1, 1, 1])
    nodes = [first, *norm(end)]
    path = save(
        tmp_path / "a.onnx", nodes, [info("given", [1, 4, 5, 6])], [info("y", [1, 4, 5, 6])],
        {name: WEIGHTS[name] for name in ("epsilon", "lines", "kernel", "bias")},
    )  # fmt: skip
    graph = prepare(read_graph(path))
    assert [node.op for node in graph.nodes] == ["Conv", "live.Standardise"]
    assert len(graph.nodes[0].inputs) == 2
    given = f(2, 4, 5, 6)
    got = load_module(path)(torch.from_numpy(given))[0].numpy()
    assert distance(got, row_by_row(path, {"given": given})[0]) < 1e-5


BLEND = [N("Sigmoid", ["x"], ["m"]), N("Sub", ["one", "m"], ["rest"]), N("Mul", ["rest", "x"], ["p"])]


def test_a_blend_is_found(tmp_path: Path) -> None:
    nodes = [*BLEND, N("Mul", ["wide", "m"], ["q"]), N("Add", ["q", "p"], ["y"])]
    assert check(tmp_path / "a.onnx", nodes, "Sub") == ["Sigmoid", "live.Blend"]


def test_a_blend_with_another_mask_stays(tmp_path: Path) -> None:
    nodes = [*BLEND, N("Tanh", ["x"], ["t"]), N("Mul", ["wide", "t"], ["q"]), N("Add", ["q", "p"], ["y"])]
    check(tmp_path / "a.onnx", nodes, "live.Blend")


def test_a_blend_whose_rest_does_not_begin_with_one_stays(tmp_path: Path) -> None:
    nodes = [
        N("Sigmoid", ["x"], ["m"]), N("Sub", ["two", "m"], ["rest"]), N("Mul", ["rest", "x"], ["p"]),
        N("Mul", ["wide", "m"], ["q"]), N("Add", ["q", "p"], ["y"]),
    ]  # fmt: skip
    check(tmp_path / "a.onnx", nodes, "live.Blend")


def test_a_product_read_twice_is_not_taken_into_a_sum(tmp_path: Path) -> None:
    nodes = [N("Mul", ["x", "wide"], ["p"]), N("Add", ["p", "lines"], ["s"]), N("Sub", ["s", "p"], ["y"])]
    check(tmp_path / "a.onnx", nodes, "live.MultiplyAdd")


def style_layers(*others: Any) -> list[Any]:
    return [
        N("Gemm", ["s", "one_weight", "one_bias"], ["gain"], transB=1),
        N("Gemm", ["s", "two_weight", "two_bias"], ["shift"], alpha=0.5, beta=2.0),
        N("Unsqueeze", ["gain", "last"], ["gains"]),
        N("Unsqueeze", ["shift", "last"], ["shifts"]),
        N("Mul", ["x", "gains"], ["scaled"]),
        N("Add", ["scaled", "shifts"], ["y"]),
        *others,
    ]


def test_style_layers_of_one_input_become_one_product(tmp_path: Path) -> None:
    weights = {
        "one_weight": f(4, 7), "one_bias": f(4), "two_weight": f(7, 4), "two_bias": f(1, 4), "bare": f(7, 4),
        "last": np.array([2, 3], np.int64),
    }  # fmt: skip
    nodes = style_layers(N("Gemm", ["s", "bare"], ["z"]))
    inputs = [info("x", [None, 4, 5, 6]), info("s", [None, 7])]
    save(tmp_path / "a.onnx", nodes, inputs, [info("y", [None, 4, 5, 6]), info("z", [None, 4])], weights)
    for rows in (1, 3):
        given = {"x": f(rows, 4, 5, 6), "s": f(rows, 7)}
        got = load_module(tmp_path / "a.onnx")(*(torch.from_numpy(array) for array in given.values()))
        for mine, theirs in zip(got, row_by_row(tmp_path / "a.onnx", given)):
            assert distance(mine.numpy(), theirs) < 1e-5
    ops = [node.op for node in prepare(read_graph(tmp_path / "a.onnx")).nodes]
    assert ops.count("Gemm") == 2, "the one that adds nothing stays by itself"
    assert ops.count("Split") == 1


@pytest.mark.parametrize("odd", [{"bias": f(3, 4)}, {"weight": f(7)}, {"weight": f(5, 4)}])
def test_products_that_do_not_fit_stay_as_they_are_and_end_with_one_line(tmp_path: Path, odd: dict[str, Any]) -> None:
    weights = {"weight": f(7, 4), "bias": f(4), "other": f(7, 4), "more": f(4)} | odd
    nodes = [N("Gemm", ["s", "other", "more"], ["y"]), N("Gemm", ["s", "weight", "bias"], ["z"])]
    outputs = [info("y", [None, 4]), info("z", [None, 4])]
    save(tmp_path / "a.onnx", nodes, [info("s", [None, 7])], outputs, weights)
    assert [node.op for node in prepare(read_graph(tmp_path / "a.onnx")).nodes] == ["Gemm", "Gemm"]
    with pytest.raises(ModelError) as error:
        load_module(tmp_path / "a.onnx")(torch.zeros(1, 7))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("plain", [True, False])
def test_an_instance_norm_that_scales_nothing_takes_no_lines(tmp_path: Path, plain: bool) -> None:
    weights = {"gain": np.ones(4, np.float32), "shift": np.zeros(4, np.float32)}
    if not plain:
        weights["shift"][2] = 0.5
    nodes = [N("InstanceNormalization", ["x", "gain", "shift"], ["y"])]
    save(tmp_path / "a.onnx", nodes, [info("x", [None, 4, 5, 6])], [info("y", [None, 4, 5, 6])], weights)
    module, given = load_module(tmp_path / "a.onnx"), f(2, 4, 5, 6)
    got = module(torch.from_numpy(given))[0].numpy()
    assert distance(got, row_by_row(tmp_path / "a.onnx", {"x": given})[0]) < 1e-5
    assert len(list(module.parameters())) == (0 if plain else 2)


def features(*ends: Any) -> list[Any]:
    """Two 1 x 1 convolutions of one picture."""
    return [N("Conv", ["x", "gain", "lines_a"], ["g"]), N("Conv", ["x", "shift", "lines_b"], ["s"]), *ends]


LAYERS = {"gain": f(9, 4, 1, 1), "shift": f(9, 4, 1, 1), "lines_a": f(9), "lines_b": f(9)}


def operators(path: Path) -> list[str]:
    return [node.op for node in prepare(read_graph(path)).nodes]


def runs_alike(path: Path, given: np.ndarray) -> None:
    """Float32 as ONNX Runtime, half precision nearly."""
    wanted = row_by_row(path, {"x": given})
    for precision, off in (("fp32", 1e-5), ("fp16", 5e-3), ("bf16", 5e-2)):
        got = load_module(path, precision=precision)(torch.from_numpy(given))
        assert all(distance(mine.numpy(), theirs) < off for mine, theirs in zip(got, wanted))


@pytest.mark.parametrize("side", [5, 40])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
def test_layers_that_read_one_picture_become_one(tmp_path: Path, rows: int, biased: bool, side: int) -> None:
    path = tmp_path / "a.onnx"
    nodes = features(N("Sigmoid", ["g"], ["m"]), N("Mul", ["m", "s"], ["y"]))
    if not biased:
        nodes[:2] = [N("Conv", ["x", name], [out]) for name, out in (("gain", "g"), ("shift", "s"))]
    save(path, nodes, [info("x", [1, 4, side, side])], [info("y", [1, 9, side, side])], LAYERS)
    assert operators(path) == ["live.Layers", "Sigmoid", "Mul"]
    runs_alike(path, f(rows, 4, side, side))


def test_layers_of_other_sizes_stay_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    weights = {**LAYERS, "shift": f(1, 4, 1, 1), "lines_b": f(1)}
    save(path, features(N("Mul", ["g", "s"], ["y"])), [info("x", [1, 4, 5, 6])], [info("y", [1, 9, 5, 6])], weights)
    assert operators(path) == ["Conv", "Conv", "Mul"]
    runs_alike(path, f(2, 4, 5, 6))


@pytest.mark.parametrize("odd", [{"strides": [2, 2]}, {"pads": [1, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}])
def test_a_layer_that_reads_elsewhere_stays_alone(tmp_path: Path, odd: dict[str, Any]) -> None:
    path = tmp_path / "a.onnx"
    nodes = [
        N("Conv", ["x", "gain", "lines_a"], ["g"], **odd), N("Conv", ["x", "shift", "lines_b"], ["s"], **odd),
        N("Mul", ["g", "s"], ["y"]),
    ]  # fmt: skip
    save(path, nodes, [info("x", [1, 4, 6, 6])], [info("y", [1, 9, None, None])], LAYERS)
    assert operators(path) == ["Conv", "Conv", "Mul"]
    runs_alike(path, f(2, 4, 6, 6))


def test_what_nodes_compute_alike_is_computed_once(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    lines = {"g1": np.ones(4, np.float32), "g2": np.ones(4, np.float32), "s": np.zeros(4, np.float32)}
    nodes = [
        N("InstanceNormalization", ["x", "g1", "s"], ["a"]), N("InstanceNormalization", ["x", "g2", "s"], ["b"]),
        N("InstanceNormalization", ["x", "g2", "s"], ["c"], epsilon=1.0),
        N("Tanh", ["a"], ["t"]), N("Tanh", ["b"], ["z"]), N("Mul", ["b", "c"], ["p"]), N("Mul", ["t", "p"], ["y"]),
    ]  # fmt: skip
    save(path, nodes, [info("x", [1, 4, 5, 6])], [info("y", [1, 4, 5, 6]), info("z", [1, 4, 5, 6])], lines)
    ops = operators(path)
    assert ops.count("InstanceNormalization") == 2, "the third has another epsilon"
    assert ops.count("Tanh") == 2, "one of them is asked for by its name"
    runs_alike(path, f(2, 4, 5, 6))


def test_constants_that_are_added_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    weights = {"noise": f(1, 1, 5, 6), "bias": f(4, 1, 1)}
    nodes = [N("Relu", ["x"], ["r"]), N("Add", ["r", "noise"], ["n"]), N("Add", ["bias", "n"], ["y"])]
    save(path, nodes, [info("x", [1, 4, 5, 6])], [info("y", [1, 4, 5, 6])], weights)
    assert operators(path) == ["Relu", "Add"]
    runs_alike(path, f(2, 4, 5, 6))


def test_constants_of_which_another_sum_is_wanted_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    weights = {"noise": f(1, 1, 5, 6), "bias": f(4, 1, 1)}
    nodes = [N("Add", ["x", "noise"], ["n"]), N("Add", ["bias", "n"], ["m"]), N("Mul", ["m", "n"], ["y"])]
    save(path, nodes, [info("x", [1, 4, 5, 6])], [info("y", [1, 4, 5, 6])], weights)
    assert operators(path) == ["Add", "Add", "Mul"]
    runs_alike(path, f(2, 4, 5, 6))
