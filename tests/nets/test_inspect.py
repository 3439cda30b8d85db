"""Files from strangers: what they say about themselves, and one line for everything that is broken or hostile."""

from __future__ import annotations

import pickle
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from live.errors import ModelError
from live.nets import wire
from live.nets.inspect import inspect_onnx
from live.nets.onnx import Network
from live.nets.safetensors import inspect_safetensors
from live.resources import models_dir

from .files import addition, network, outside, ports, safetensors


def save(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path, look: Callable[[Path], object] = inspect_onnx) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(ModelError) as caught:
        look(path)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    assert len(line) < 400
    return line


@pytest.mark.parametrize("name", ["detector", "landmarker", "masker"])
def test_what_the_library_reads_is_what_is_seen(name: str) -> None:
    path = models_dir() / f"{name}.onnx"
    model = onnx.load(str(path))
    found = inspect_onnx(path)
    for seen, real in ((found.inputs, model.graph.input), (found.outputs, model.graph.output)):
        assert [port.name for port in seen] == [port.name for port in real]
        for port, other in zip(seen, real, strict=True):
            kind = other.type.tensor_type
            assert port.shape == tuple(size.dim_value or None for size in kind.shape.dim)
            assert port.type == helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    assert found.nodes == len(model.graph.node)
    assert found.operators == {node.op_type for node in model.graph.node}
    assert found.parameters == sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)
    assert found.opset == model.opset_import[0].version
    assert found.last is not None
    assert found.last.name == model.graph.initializer[-1].name


def varint(number: int) -> bytes:
    head = bytes(128 | (number >> shift) & 127 for shift in range(0, 63, 7) if number >> shift >= 128)
    return head + bytes([number >> 7 * len(head)])


def test_a_large_file_is_read_without_its_weights(tmp_path: Path) -> None:
    count = 400_000_000
    weight = onnx.TensorProto(name="large", data_type=TensorProto.FLOAT, dims=[count]).SerializeToString()
    weight += b"\x4a" + varint(4 * count)
    graph = b"\x2a" + varint(len(weight) + 4 * count) + weight
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:  # a second part of the graph, whose numbers are a hole in the file
        file.write(addition().SerializeToString() + b"\x3a" + varint(len(graph) + 4 * count) + graph)
        file.truncate(file.tell() + 4 * count)
    began = time.process_time()
    assert inspect_onnx(path).parameters == count + 4
    assert time.process_time() - began < 0.1
    with path.open("r+b") as file:
        file.truncate(2**31)
    assert "GB" in refused(path)


def test_weights_that_old_files_list_as_inputs_are_none(tmp_path: Path) -> None:
    model = addition()
    model.graph.input.extend(ports({"w": [4]}))
    assert [port.name for port in inspect_onnx(save(tmp_path / "old.onnx", model)).inputs] == ["x"]


@pytest.mark.parametrize("typed", [TensorProto.FLOAT16, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.STRING])
def test_weights_in_typed_fields_are_as_good_as_raw_ones(typed: int, tmp_path: Path) -> None:
    values = [b"a", b"b", b"c"] if typed == TensorProto.STRING else [1, 2, 3]
    model = addition()
    model.graph.initializer.append(helper.make_tensor("typed", typed, [3], values))
    assert inspect_onnx(save(tmp_path / "typed.onnx", model)).last is not None
    model.graph.initializer[-1].dims[0] = 1000
    assert "typed" in refused(save(tmp_path / "typed.onnx", model))


def test_what_is_no_model_is_told_by_what_it_is(tmp_path: Path) -> None:
    def line(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return refused(path)

    assert "empty" in line("a.onnx", b"")
    assert "web page" in line("b.onnx", b"\n <!DOCTYPE html><html><body>403 Forbidden</body></html>")
    assert "git-lfs" in line("c.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "whole ONNX" in line("d.onnx", random.Random(1).randbytes(4096))
    assert "whole ONNX" in line("e.onnx", bytes(4096))
    assert "whole ONNX" in line("f.dfm", b"just some text, nothing else")
    assert "no file" in refused(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "no file" in refused(tmp_path / "folder.onnx")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.ckpt", "w.bin", "w.pkl", "w.onnx", "w.safetensors", "w.dfm"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pickle_is_never_opened_whatever_its_name(
    name: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    else:
        path.write_bytes(pickle.dumps(Bomb()))
    look = inspect_safetensors if path.suffix == ".safetensors" else inspect_onnx
    line = refused(path, look)
    assert "ONNX" in line
    assert "code" in line
    assert not (tmp_path / "exploded").exists()


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = network({"target": [1, 3, 8, 8], "source": [1, 512]}, {"output": [1, 3, 8, 8]}, (4, 4)).SerializeToString()
    path = tmp_path / "cut.onnx"
    complete, lines = [], set()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            inspect_onnx(path)
        except ModelError as error:
            lines.add(str(error))
        else:
            complete.append(length)
    # what follows the graph are the operator sets: without them a file is still a message, which no reader can tell
    assert all(length > len(whole) - 10 for length in complete)
    assert all("whole ONNX" in line for line in lines)


def test_a_file_with_any_byte_changed_gives_a_line_or_a_network(tmp_path: Path) -> None:
    whole, chance = addition().SerializeToString(), random.Random(7)
    path = tmp_path / "changed.onnx"
    lines, networks = set(), 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            inspect_onnx(path)
            networks += 1
        except ModelError as error:
            lines.add(str(error))
    assert networks > 100
    assert len(lines) > 20
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../secret.bin", "sub/../../secret.bin", "..\\secret.bin", "C:\\secret.bin", "\\\\host\\share\\w",
     "link.bin", "linked/secret.bin", "", ".", "a\x00b"],
)  # fmt: skip
def test_weights_outside_the_folder_are_never_read(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "linked").symlink_to(tmp_path)
    line = refused(save(folder / "thief.onnx", outside(location)))
    assert "outside its own folder" in line
    assert refused(folder / "thief.onnx", lambda path: Network(path, inputs=("x",), outputs=("y",))) == line


@pytest.mark.parametrize("where", ["attribute", "branch", "function", "sparse"])
def test_weights_outside_are_found_wherever_they_hide(where: str, tmp_path: Path) -> None:
    model, thief = addition(), outside("/etc/passwd").graph.initializer[0]
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=thief))
    if where == "attribute":
        model.graph.node.append(constant)
    elif where == "branch":
        branch = helper.make_graph([constant], "branch", [], ports({"c": [4]}))
        model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    elif where == "function":
        model.functions.append(helper.make_function("own", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)]))
    else:
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=thief, dims=[4]))
    assert "outside its own folder" in refused(save(tmp_path / "hidden.onnx", model))


def test_weights_beside_the_file_are_allowed_when_they_are_there_and_long_enough(tmp_path: Path) -> None:
    path = save(tmp_path / "two.onnx", outside("two.bin"))
    assert "not there" in refused(path)
    (tmp_path / "two.bin").write_bytes(bytes(8))
    assert "too short" in refused(path)
    (tmp_path / "two.bin").write_bytes(np.ones(4, np.float32).tobytes())
    assert inspect_onnx(path).external == ("two.bin",)
    (result,) = Network(path, inputs=("x",), outputs=("y",)).run(x=np.zeros((2, 4), np.float32))
    assert (result == 1).all()
    assert "too short" in refused(save(path, outside("two.bin", offset="1")))
    assert "no number" in refused(save(path, outside("two.bin", offset="-1")))


def test_operators_from_elsewhere_are_refused_and_own_functions_are_not(tmp_path: Path) -> None:
    model = addition()
    model.graph.node.append(helper.make_node("Steal", ["x"], ["z"], domain="evil.example"))
    assert "evil.example" in refused(save(tmp_path / "custom.onnx", model))
    model.graph.node[1].domain = "com.microsoft"
    assert inspect_onnx(save(tmp_path / "custom.onnx", model)).nodes == 2
    model.graph.node[1].domain = "own"
    model.functions.append(
        helper.make_function(
            "own", "Steal", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
        )
    )
    assert "Neg" in inspect_onnx(save(tmp_path / "custom.onnx", model)).operators
    model.functions[0].node[0].domain = "evil.example"
    assert "evil.example" in refused(save(tmp_path / "custom.onnx", model))


def test_a_strangers_words_cannot_break_the_line(tmp_path: Path) -> None:
    model = addition()
    model.graph.node.append(helper.make_node("X", ["x"], ["z"], domain="a\n\x1b[31m" + "b" * 500))
    assert "\x1b" not in refused(save(tmp_path / "words.onnx", model))


def test_what_is_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beyond.onnx"

    model = addition()
    graph = model.graph
    for _ in range(12):
        inner = helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "inner", [], ports({"z": [1]}))
        node = helper.make_node("If", ["x"], ["z"], then_branch=inner)
        graph.node.append(node)
        graph = graph.node[-1].attribute[0].g
    assert "deep" in refused(save(path, model))

    model = addition()
    model.graph.node.extend([helper.make_node("Neg", ["x"], ["z"])] * 50_001)
    assert "nodes" in refused(save(path, model))

    model = addition()
    model.graph.initializer[0].name = "n" * 5000
    assert "5000 bytes" in refused(save(path, model))

    model = addition()
    model.graph.initializer[0].dims[:] = [1] * 9
    assert "impossible shape" in refused(save(path, model))

    for dims in ([-4], [2**62, 2**62], [2**40]):
        model = addition()
        model.graph.initializer[0].dims[:] = dims
        assert "weight" in refused(save(path, model))

    monkeypatch.setattr(wire, "MOST_FIELDS", 1000)
    path.write_bytes(b"\x08\x01" * 1001)
    assert "fields" in refused(path)


def test_training_graphs_and_unknown_types_are_refused(tmp_path: Path) -> None:
    model = addition()
    model.training_info.add()
    assert "training" in refused(save(tmp_path / "training.onnx", model))
    model = addition()
    model.graph.initializer[0].data_type = 77
    assert "77" in refused(save(tmp_path / "type.onnx", model))


F4 = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


def test_a_safetensors_file_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    half = {"dtype": "F16", "shape": [2, 3], "data_offsets": [16, 28]}
    path.write_bytes(safetensors({"b": half, "__metadata__": {"format": "pt"}, "a": F4}, bytes(28)))
    first, second = (stored.tensor for stored in inspect_safetensors(path))
    assert (first.name, first.shape, first.type) == ("a", (4,), "float32")
    assert (second.name, second.shape, second.type) == ("b", (2, 3), "float16")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",
        safetensors({"a": F4}, bytes(15)),
        safetensors({"a": F4}, bytes(17)),
        safetensors({"a": F4}, bytes(16), length=2**63),
        safetensors({"a": F4}, bytes(16), length=3),
        safetensors(b"[" * 100_000),
        safetensors(b'{"a": 1, "a": 2}'),
        safetensors([1, 2]),
        safetensors({"a": {**F4, "shape": [5]}}, bytes(16)),
        safetensors({"a": {**F4, "shape": [-4]}}, bytes(16)),
        safetensors({"a": {**F4, "shape": [4.0]}}, bytes(16)),
        safetensors({"a": {**F4, "shape": [True, 4]}}, bytes(16)),
        safetensors({"a": {**F4, "shape": [1] * 9 + [4]}}, bytes(16)),
        safetensors({"a": {**F4, "dtype": "F99"}}, bytes(16)),
        safetensors({"a": {**F4, "data_offsets": [16, 0]}}, bytes(16)),
        safetensors({"a": F4, "b": F4}, bytes(32)),
        safetensors({"a": {**F4, "data_offsets": [16, 32]}}, bytes(32)),
        safetensors({"a\n" + "x" * 2000: F4}, bytes(16)),
        safetensors({"a": 7}, bytes(16)),
    ],
)
def test_a_safetensors_file_that_lies_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    assert "whole safetensors" in refused(path, inspect_safetensors)
