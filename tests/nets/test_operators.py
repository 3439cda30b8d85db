"""Every operator beside ONNX Runtime, with one row and with three."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper

from live.errors import ModelError
from live.nets.operators import OPERATORS
from live.nets.torch_graph import load_module
from tests.nets.networks import distance, info, one_node, reference, row_by_row, save

RANDOM = np.random.default_rng(5)


def f(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def i(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def n(number: float) -> np.ndarray:
    return np.array(number, np.float32)


PICTURE = (1, 4, 6, 8)
EMPTY = np.zeros(0, np.float32)


def case(op: str, *inputs: Any, opset: int = 13, outputs: int = 1, **attributes: Any) -> Any:
    words = " ".join(f"{key}={value}" for key, value in attributes.items())[:60]
    return pytest.param(op, inputs, outputs, opset, attributes, id=f"{op}-{opset} {words}")


UNARY = ["Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus"]
UNARY += ["Tanh", "HardSigmoid", "Elu", "Selu", "Identity"]
CASES = [
    *(case(op, PICTURE) for op in UNARY),
    case("HardSwish", PICTURE, opset=14),
    case("Mish", PICTURE, opset=18),
    case("Gelu", PICTURE, opset=20),
    case("Gelu", PICTURE, opset=20, approximate="tanh"),
    case("LeakyRelu", PICTURE, alpha=0.2),
    case("ThresholdedRelu", PICTURE, alpha=0.5),
    case("PRelu", PICTURE, f(4, 1, 1)),
    case("PRelu", PICTURE, f(1)),
    case("Clip", PICTURE, n(-0.3), n(0.4)),
    case("Clip", PICTURE, None, n(0.4)),
    case("Clip", PICTURE, opset=6, min=-0.2, max=0.3),
    case("Cast", PICTURE, to=6),
    case("Dropout", PICTURE, opset=12),
    *(case(op, PICTURE, PICTURE) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")),
    *(case(op, PICTURE, f(4, 1, 1)) for op in ("Add", "Sub", "Mul", "Div")),
    *(case(op, n(2.5), PICTURE) for op in ("Add", "Sub", "Mul", "Div")),
    *(case(op, PICTURE, n(0.1)) for op in ("Max", "Min")),
    case("Pow", PICTURE, n(2)),
    case("Pow", PICTURE, n(3)),
    case("Mod", PICTURE, n(0.7), fmod=1),
    case("Add", (1, 6), (1, 5, 6), opset=13),
    case("Transpose", PICTURE, perm=[0, 2, 3, 1]),
    case("Transpose", PICTURE, perm=[2, 0, 1, 3]),
    case("Reshape", PICTURE, i(1, 2, 2, 48)),
    case("Reshape", PICTURE, i(0, -1)),
    case("Reshape", PICTURE, i(1, 1, 4, 48)),
    case("Reshape", PICTURE, i(-1, 6, 8)),
    case("Flatten", PICTURE, axis=1),
    case("Squeeze", (1, 4, 1, 3), i(2)),
    case("Squeeze", (1, 4, 1, 3), opset=11, axes=[2]),
    case("Unsqueeze", (1, 4), i(2, 3)),
    case("Unsqueeze", (1, 4), opset=11, axes=[1]),
    case("Expand", (1, 4, 1, 1), i(1, 4, 5, 6)),
    case("Expand", (1, 4, 1, 1), i(5, 1)),
    case("Tile", PICTURE, i(1, 2, 1, 3)),
    case("Concat", PICTURE, PICTURE, axis=1),
    case("Concat", PICTURE, f(1, 4, 6, 3), axis=3),
    case("Concat", f(1, 4, 6, 3), PICTURE, axis=-1),
    case("Split", PICTURE, i(1, 3), outputs=2, axis=1),
    case("Split", PICTURE, outputs=2, axis=1),
    case("Split", PICTURE, outputs=2, opset=11, axis=2, split=[2, 4]),
    case("Slice", PICTURE, i(1), i(3), i(1)),
    case("Slice", PICTURE, i(-1), i(-100), i(3), i(-2)),
    case("Slice", PICTURE, i(0, 1), i(2**40, 5), i(0, 2), i(1, 2)),
    case("Slice", PICTURE, opset=9, starts=[1], ends=[3], axes=[2]),
    case("Gather", PICTURE, np.array(2), axis=1),
    case("Gather", PICTURE, np.array([[0, 3], [-1, 1]]), axis=1),
    case("DepthToSpace", (1, 8, 3, 5), blocksize=2, mode="DCR"),
    case("DepthToSpace", (1, 8, 3, 5), blocksize=2, mode="CRD"),
    case("SpaceToDepth", PICTURE, blocksize=2),
    case("Pad", PICTURE, i(0, 0, 1, 2, 0, 1, 0, 3), n(0.5)),
    case("Pad", PICTURE, i(0, 0, 2, 2, 0, 0, 2, 2), mode="reflect"),
    case("Pad", PICTURE, i(0, 0, 5, 1, 0, 0, 2, 7), mode="reflect"),
    case("Pad", PICTURE, i(0, 1, 2, 0, 0, 2, 0, 1), mode="edge"),
    case("Pad", PICTURE, i(0, 0, 0, -1, 0, 0, -2, 0)),
    case("Pad", PICTURE, opset=2, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"),
    case("Softmax", PICTURE, axis=1),
    case("Softmax", (1, 4, 6), opset=11, axis=1),
    case("LogSoftmax", PICTURE, axis=-1),
    *(
        case(op, PICTURE, axes=[2, 3], keepdims=1)
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd")
    ),
    case("ReduceMean", PICTURE, axes=[1], keepdims=0),
    case("ReduceSum", PICTURE, i(1, -1), keepdims=0),
    case("ReduceSum", PICTURE, opset=11, axes=[2, 3]),
    case("ReduceLogSumExp", PICTURE, axes=[1]),
    case("ArgMax", PICTURE, axis=1, keepdims=0),
    case("ArgMin", PICTURE, axis=3),
    case("TopK", PICTURE, i(2), outputs=2, axis=1),
    case("CumSum", PICTURE, np.array(2)),
    case("MatMul", (1, 5, 4), f(4, 3)),
    case("MatMul", (1, 5, 4), (1, 4, 3)),
    case("MatMul", (1, 2, 5, 4), f(2, 4, 3)),
    case("MatMul", (1, 4), f(4, 3)),
    case("MatMul", f(5, 4), (1, 4, 3)),
    case("Gemm", (1, 4), f(3, 4), f(3), transB=1),
    case("Gemm", (1, 4), f(4, 3), f(1, 3), alpha=0.5, beta=2.0),
    case("Einsum", (1, 4, 5), (1, 5, 3), equation="nij,njk->nik"),
    case("Conv", PICTURE, f(5, 4, 3, 3), f(5), pads=[1, 1, 1, 1]),
    case("Conv", PICTURE, f(5, 4, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1]),
    case("Conv", PICTURE, f(4, 1, 3, 3), group=4, auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", PICTURE, f(4, 2, 2, 2), group=2, auto_pad="SAME_LOWER", dilations=[1, 1]),
    case("Conv", PICTURE, f(2, 4, 3, 2), auto_pad="VALID", dilations=[2, 1]),
    case("Conv", (1, 4, 9), f(2, 4, 3), f(2), pads=[1, 1]),
    case("ConvTranspose", PICTURE, f(4, 3, 4, 4), f(3), strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", PICTURE, f(4, 2, 3, 3), group=2, strides=[2, 2], output_padding=[1, 1]),
    case("ConvTranspose", PICTURE, f(4, 3, 3, 3), strides=[2, 2], pads=[0, 1, 1, 2]),
    case("MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("MaxPool", PICTURE, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]),
    case("MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case("AveragePool", PICTURE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("AveragePool", PICTURE, kernel_shape=[3, 3], pads=[1, 0, 1, 2], count_include_pad=1),
    case("GlobalAveragePool", PICTURE),
    case("GlobalMaxPool", PICTURE),
    case("BatchNormalization", PICTURE, f(4), f(4), f(4), np.abs(f(4)) + 0.1, epsilon=1e-3),
    case("InstanceNormalization", PICTURE, f(4), f(4), epsilon=1e-4),
    case("LayerNormalization", (1, 5, 8), f(8), f(8), opset=17),
    case("GroupNormalization", PICTURE, f(4), f(4), opset=21, num_groups=2),
    case("LpNormalization", (1, 8), axis=1),
    case("GridSample", PICTURE, f(1, 3, 5, 2) / 2, opset=16),
    case("Where", RANDOM.random((6, 8)) < 0.5, PICTURE, n(0)),
]
MODES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
CASES += [
    case(
        "Resize", PICTURE, None, np.array([1, 1, *scales], np.float32), mode=mode, coordinate_transformation_mode=where
    )
    for mode in ("linear", "cubic")
    for where in MODES
    for scales in ((2, 2), (0.5, 0.5), (1.3, 0.7))
]
CASES += [
    case(
        "Resize", PICTURE, None, np.array([1, 1, *scales], np.float32),
        mode="nearest", coordinate_transformation_mode=where, nearest_mode=rounding,
    )
    for where in ("half_pixel", "asymmetric")
    for rounding in ROUNDINGS
    for scales in ((2, 2), (0.5, 0.5), (1.4, 3))
]  # fmt: skip
CASES += [
    case("Resize", PICTURE, EMPTY, EMPTY, i(1, 4, 9, 5), mode="linear"),
    case("Resize", PICTURE, np.array([1, 1, 2, 2], np.float32), opset=10, mode="nearest"),
    case("Upsample", PICTURE, np.array([1, 1, 2, 3], np.float32), opset=9, mode="nearest"),
    case("Resize", PICTURE, None, np.array([1, 1, 2, 2], np.float32), mode="cubic", exclude_outside=1),
]


@pytest.mark.parametrize(("op", "inputs", "outputs", "opset", "attributes"), CASES)
def test_an_operator_gives_what_onnx_runtime_gives(
    tmp_path: Path, op: str, inputs: Any, outputs: int, opset: int, attributes: dict[str, Any]
) -> None:
    path = one_node(tmp_path / "one.onnx", op, inputs, outputs, opset, **attributes)
    module = load_module(path)
    for rows in (1, 3):
        free = {f"in{k}": f(rows, *item[1:]) for k, item in enumerate(inputs) if isinstance(item, tuple)}
        got = module(*(torch.from_numpy(array) for array in free.values()))
        for tensor, wanted in zip(got, row_by_row(path, free)):
            assert distance(tensor.numpy(), wanted) < 1e-5


def test_operators_on_host_numbers_are_folded_at_load(tmp_path: Path) -> None:
    x = info("x", ["N", 3, 5, 7])
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "three"], ["width"], axis=0),
        helper.make_node("Range", ["zero", "width", "one"], ["line"]),
        helper.make_node("Cast", ["line"], ["floats"], to=1),
        helper.make_node("Size", ["line"], ["size"]),
        helper.make_node("Greater", ["size", "zero"], ["more"]),
        helper.make_node("Where", ["more", "floats", "floats"], ["ramp"]),
        helper.make_node("ConstantOfShape", ["tall"], ["ones"], value=helper.make_tensor("v", 1, [1], [1.0])),
        helper.make_node("Mul", ["ones", "ramp"], ["grid"]),
        helper.make_node("Add", ["x", "grid"], ["y"]),
    ]
    weights = {"zero": np.array(0), "one": np.array(1), "three": np.array(3), "tall": np.array([5, 1])}
    path = save(tmp_path / "fold.onnx", nodes, [x], [info("y", ["N", 3, 5, 7])], weights)
    module = load_module(path)
    given = f(2, 3, 5, 7)
    tensor = torch.from_numpy(given)
    assert [step.op for step in module.plan_for(tensor).steps] == ["live.MultiplyAdd"]
    assert distance(module(tensor)[0].numpy(), reference(path, {"x": given})[0]) < 1e-6


def test_an_unknown_operator_is_named_in_one_line(tmp_path: Path) -> None:
    path = one_node(tmp_path / "one.onnx", "Det", [(1, 3, 3)])
    with pytest.raises(ModelError, match=r"the operator Det \(out0\) is not known") as caught:
        load_module(path)
    assert "\n" not in str(caught.value)


def test_axes_that_come_from_a_picture_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["axes"], to=7), helper.make_node("ReduceSum", ["x", "axes"], ["y"])]
    path = save(tmp_path / "a.onnx", nodes, [info("x", [1, 4])], [info("y", [1, 1])])
    with pytest.raises(ModelError, match="only networks with shapes known at load"):
        load_module(path)


def test_a_network_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Expand", ["x", "huge"], ["y"])]
    weights = {"huge": i(1 << 20, 1 << 20, 1)}
    path = save(tmp_path / "a.onnx", nodes, [info("x", [1, 4])], [info("y", [1, 1, 4])], weights)
    with pytest.raises(ModelError, match="more than is allowed"):
        load_module(path)


def test_there_are_as_many_operators_as_promised() -> None:
    assert len([name for name in OPERATORS if not name.startswith("live.")]) >= 60
