"""Reading ONNX files that are not to be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from live.errors import ModelError
from live.nets.graph import MOST_NODES, read_graph
from tests.nets.networks import info, save


def relu(path: Path) -> Path:
    return save(path, [helper.make_node("Relu", ["x"], ["y"])], [info("x", [1, 4])], [info("y", [1, 4])])


def refused(path: Path, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_graph(path)
    assert "\n" not in str(caught.value)


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    graph = read_graph(relu(tmp_path / "a.onnx"))
    assert [node.op for node in graph.nodes] == ["Relu"]
    assert graph.inputs[0].shape == (None, 4)
    assert graph.inputs[0].dtype == "float32"


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", "no model file")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07" * 50, b"\x80\x04\x95pickle"])
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    refused(path, "no readable ONNX file|has no inputs")


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = relu(tmp_path / "a.onnx")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError):
        read_graph(path)


def test_a_value_that_nothing_makes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "lost"], ["y"])]
    refused(save(tmp_path / "a.onnx", nodes, [info("x", [1])], [info("y", [1])]), "lost, which nothing before it makes")


def test_nodes_in_a_circle(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    refused(save(tmp_path / "a.onnx", nodes, [info("x", [1])], [info("b", [1])]), "nothing before it makes")


def test_a_value_made_twice(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])]
    refused(save(tmp_path / "a.onnx", nodes, [info("x", [1])], [info("y", [1])]), "made twice")


def test_a_program_inside_the_network(tmp_path: Path) -> None:
    body = helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "body", [], [info("z", [1])])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    inputs = [info("x", [1]), info("c", [1], np.bool_)]
    refused(save(tmp_path / "a.onnx", nodes, inputs, [info("y", [1])]), "holds a program")


def test_an_operator_of_somebody_elses(tmp_path: Path) -> None:
    nodes = [helper.make_node("Magic", ["x"], ["y"], domain="com.example")]
    refused(save(tmp_path / "a.onnx", nodes, [info("x", [1])], [info("y", [1])]), "com.example.Magic")


def test_more_nodes_than_any_network_has(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], [f"y{index}"]) for index in range(MOST_NODES + 1)]
    refused(save(tmp_path / "a.onnx", nodes, [info("x", [1])], [info("y0", [1])]), "nodes; at most")


def test_a_weight_that_lies_about_its_size(tmp_path: Path) -> None:
    path = relu(tmp_path / "a.onnx")
    model = onnx.load(str(path))
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.dims[0] = 1 << 40
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    refused(path, "no sane weight")


def test_a_weight_with_too_few_bytes(tmp_path: Path) -> None:
    path = relu(tmp_path / "a.onnx")
    model = onnx.load(str(path))
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.dims[0] = 40
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    refused(path, "weight w is broken")


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname"])
def test_data_outside_the_files_folder_is_not_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    folder = tmp_path / "models"
    folder.mkdir()
    path = relu(folder / "a.onnx")
    model = onnx.load(str(path))
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=place)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_graph(path)
    assert "\n" not in str(caught.value)
