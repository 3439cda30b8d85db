"""Users' own files: told by their inputs and outputs, copied whole, with an entry that an engine can be built from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from live.errors import ConsentError, LiveError, ModelError, UsageError
from live.nets.add import Wish, add, needs, remove
from live.nets.catalogue import Catalogue, load_catalogue
from live.nets.inspect import inspect_onnx
from live.nets.kinds import kind_of
from live.nets.onnx import Network
from live.nets.verify import look
from live.resources import models_dir

from .files import Shape, network, ports, safetensors, write

B: Any = "batch"


def picture(side: int, channels: int = 3) -> Shape:
    return [1, channels, side, side]


Ports = dict[str, Shape]
KINDS: list[tuple[str, Ports, Ports, str, str]] = [
    ("a.onnx", {"target": picture(128), "source": [1, 512]}, {"output": picture(128)}, "swapper", "inswapper"),
    ("b.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256), "mask": picture(256, 1)},
     "swapper", "hyperswap"),
    ("ghost_2.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256)}, "swapper", "ghost"),
    ("simswap.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256)}, "swapper", "simswap"),
    ("simswap_512.onnx", {"input": picture(512), "onnx::Gemm_1": [1, 512]}, {"out": picture(512)},
     "swapper", "simswap"),
    ("hififace.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256)}, "swapper", "hififace"),
    ("c.onnx", {"source": picture(112), "target": picture(256)}, {"output": picture(256)}, "swapper", "blendswap"),
    ("d.onnx", {"source": picture(256), "target": picture(256)}, {"output": picture(256)}, "swapper", "uniface"),
    ("e.dfm", {"in_face:0": [B, 224, 224, 3]},
     {"out_face_mask:0": [B, 224, 224, 1], "out_celeb_face:0": [B, 224, 224, 3],
      "out_celeb_face_mask:0": [B, 224, 224, 1]}, "swapper", "dfm"),
    ("f.dfm", {"in_face:0": [B, 320, 320, 3], "morph_value:0": [1]},
     {"out_face_mask:0": [B, 320, 320, 1], "out_celeb_face:0": [B, 320, 320, 3],
      "out_celeb_face_mask:0": [B, 320, 320, 1]}, "swapper", "dfm"),
    ("g.onnx", {"input.1": [None, 3, 112, 112]}, {"683": [1, 512]}, "recogniser", "arcface"),
    ("h.onnx", {"input": [1, 512]}, {"output": [1, 512]}, "projector", "crossface"),
    ("gfpgan.onnx", {"input": picture(512)}, {"output": picture(512)}, "restorer", "gfpgan"),
    ("GPEN-BFR-256.onnx", {"input": picture(256)}, {"output": picture(256)}, "restorer", "gpen"),
    ("i.onnx", {"input": picture(512), "weight": []}, {"output": picture(512)}, "restorer", "codeformer"),
    ("j.onnx", {"x": picture(512), "w": [1]}, {"y": picture(512), "logits": [1, 256, 1024]}, "restorer", "codeformer"),
    ("k.onnx", {"input": [B, 256, 256, 3]}, {"output": [B, 256, 256, 1]}, "masker", "xseg"),
    ("l.onnx", {"img": picture(256)}, {"output": picture(256, 1)}, "masker", "occluder"),
    ("m.onnx", {"input": picture(512)}, {"output": picture(512, 19)}, "masker", "bisenet"),
    ("n.onnx", {"input": picture(256)}, {"landmarks_xyscore": [1, 68, 3], "heatmaps": [1, 68, 64, 64]},
     "landmarker", "plain"),
    ("o.onnx", {"data": picture(192)}, {"fc1": [1, 212]}, "landmarker", "plain"),
    ("p.onnx", {"input.1": [1, 3, "?", "?"]},
     {f"{kind}{stride}": [None, size] for kind, size in (("s", 1), ("b", 4), ("k", 10)) for stride in (8, 16, 32)},
     "detector", "scrfd"),
    ("q.onnx", {"input": picture(640)},
     {f"{kind}_{stride}": [1, None, size] for kind, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
      for stride in (8, 16, 32)}, "detector", "yunet"),
    ("r.onnx", {"images": picture(640)}, {"output0": [1, 20, 8400]}, "detector", "yoloface"),
]  # fmt: skip


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return load_catalogue(tmp_path / "models")


@pytest.mark.parametrize(("name", "inputs", "outputs", "role", "family"), KINDS, ids=[kind[0] for kind in KINDS])
def test_the_families_of_the_field_are_told_apart(
    name: str, inputs: Ports, outputs: Ports, role: str, family: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    path = write(tmp_path / name, inputs, outputs, (512, 512) if family == "inswapper" else None)
    kind = kind_of(inspect_onnx(path), name)
    assert (kind.role, kind.family) == (role, family)
    if kind.fields is None:
        with pytest.raises(ModelError, match="cannot use another yet"):
            add(catalogue, Wish(path))
        assert not catalogue.folder.exists()
        return
    entry, title = add(catalogue, Wish(path, name=f"my_{name.lower()}"[:-5].rstrip("."), consent="self"))
    assert family in title.casefold() or family in ("arcface", "crossface", "gfpgan", "gpen", "codeformer")
    again = load_catalogue(catalogue.folder)
    assert again.get(entry.name) == entry
    assert again.need(entry.name).read_bytes() == path.read_bytes()
    if entry.input is not None:
        assert entry.input.input in inputs
    assert {knob.input for knob in entry.knobs} <= set(inputs)


def test_entries_of_known_families_say_what_the_catalogue_says(tmp_path: Path, catalogue: Catalogue) -> None:
    def added(name: str, inputs: Ports, outputs: Ports, last: tuple[int, ...] | None = None) -> Any:
        return add(catalogue, Wish(write(tmp_path / f"own_{name}.onnx", inputs, outputs, last)))[0]

    vector, mask = [1, 512], picture(256, 1)
    for name, inputs, outputs, last in (
        ("inswapper_128", {"target": picture(128), "source": vector}, {"o": picture(128)}, (512, 512)),
        ("hyperswap_1a_256", {"target": picture(256), "source": vector}, {"o": picture(256), "m": mask}, None),
        ("ghost_1_256", {"target": picture(256), "source": vector}, {"o": picture(256)}, None),
        ("simswap_512", {"input": picture(512), "onnx::Gemm_1": vector}, {"o": picture(512)}, None),
    ):
        own, ours = added(name, inputs, outputs, last), catalogue.get(name)
        assert (own.role, own.family) == (ours.role, ours.family)
        assert own.identity == ours.identity
        assert own.input == ours.input
        assert own.output == ours.output


def test_a_dfm_needs_the_consent_of_the_face_inside(tmp_path: Path, catalogue: Catalogue) -> None:
    name, inputs, outputs, *_ = KINDS[8]
    path = write(tmp_path / name, inputs, outputs)
    with pytest.raises(ConsentError, match="live models add"):
        add(catalogue, Wish(path))
    assert not catalogue.folder.exists()
    entry, _ = add(catalogue, Wish(path, consent="Maria Lopez agreed by mail on 2026-03-01"))
    assert entry.holds_a_face
    assert load_catalogue(catalogue.folder).get("e").consent.startswith("Maria")


def test_what_looks_like_several_families_asks_which(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "mine.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256)})
    with pytest.raises(UsageError, match="--family"):
        add(catalogue, Wish(path))
    entry, _ = add(catalogue, Wish(path, family="ghost"))
    assert entry.identity is not None
    assert needs(catalogue, entry) == ["live models pull w600k_r50", "live models pull crossface_ghost"]
    entry, _ = add(catalogue, Wish(path, name="other", family="hififace"))
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_projector_is_found_under_the_name_that_is_asked_for(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "hififace.onnx", {"source": [1, 512], "target": picture(256)}, {"output": picture(256)})
    entry, _ = add(catalogue, Wish(path))
    assert "live models add FILE --name crossface_hififace" in needs(catalogue, entry)
    projector = write(tmp_path / "p.onnx", {"input": [1, 512]}, {"output": [1, 512]})
    add(catalogue, Wish(projector, name="crossface_hififace"))
    assert needs(load_catalogue(catalogue.folder), entry) == ["live models pull w600k_r50"]


def test_a_role_that_does_not_fit_is_said(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "r.onnx", {"input": picture(512)}, {"output": picture(512)})
    with pytest.raises(UsageError, match="is no swapper"):
        add(catalogue, Wish(path, role="swapper"))
    assert add(catalogue, Wish(path, role="restorer"))[0].role == "restorer"


def test_a_file_of_the_catalogues_becomes_that_one(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "whatever.onnx", {"input": picture(256)}, {"output": picture(256)})
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    known = catalogue.get("gpen_256").model_copy(update={"sha256": sha256})
    others = tuple(entry for entry in catalogue.entries if entry.name != "gpen_256")
    entry, title = add(Catalogue((*others, known), catalogue.folder), Wish(path))
    assert entry.name == "gpen_256"
    assert "gpen_256" in title
    assert catalogue.need("gpen_256").name == "GPEN-BFR-256.onnx"
    assert not list(catalogue.folder.glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil", "cannot be a name"),
        ("Big", "cannot be a name"),
        ("gpen_256", "taken"),
        ("gpen-bfr-256", "taken"),
        ("x" * 99, "cannot be"),
    ],
)
def test_names_are_checked(name: str, words: str, tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "r.onnx", {"input": picture(512)}, {"output": picture(512)})
    with pytest.raises(UsageError, match=words):
        add(catalogue, Wish(path, name=name))
    assert not list(tmp_path.glob("*evil*"))


def test_a_name_is_made_of_the_files(tmp_path: Path, catalogue: Catalogue) -> None:
    path = write(tmp_path / "My Föce (v2).ONNX", {"input": picture(512)}, {"output": picture(512)})
    assert add(catalogue, Wish(path))[0].name == "my_f_ce_v2"


def weights(named: dict[str, np.ndarray[Any, Any]], kind: str = "F32") -> bytes:
    head, data = {}, b""
    for name, numbers in named.items():
        raw = numbers.tobytes()
        head[name] = {"dtype": kind, "shape": list(numbers.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return safetensors(head, data)


@pytest.fixture
def product(catalogue: Catalogue) -> Catalogue:
    """A catalogue with a recogniser here, y = sum over x times w."""
    weight = numpy_helper.from_array(np.zeros((3 * 112 * 112, 64), np.float32), "fc.weight")
    shape = numpy_helper.from_array(np.array([1, -1]), "shape")
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "fc.weight"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", ports({"x": picture(112)}), ports({"y": [1, 64]}), [weight, shape])
    path = catalogue.folder.parent / "product.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    add(catalogue, Wish(path, licence="CC0"))
    return load_catalogue(catalogue.folder)


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_weights_alone_become_a_copy_of_the_network_they_belong_to(
    kind: str, tmp_path: Path, product: Catalogue
) -> None:
    ones = np.ones((3 * 112 * 112, 64), np.float32)
    stored = {"F32": ones, "F16": ones.astype(np.float16), "BF16": (ones.view(np.uint32) >> 16).astype(np.uint16)}
    path = tmp_path / "tuned.safetensors"
    path.write_bytes(weights({"fc.weight": stored[kind]}, kind))
    entry, title = add(product, Wish(path, network="product"))
    assert "product with the weights of tuned.safetensors" in title
    again = load_catalogue(product.folder)
    assert again.get("tuned").input == again.get("product").input
    assert again.get("tuned").licence.name == "CC0"
    assert look(again, entry).fine
    (result,) = Network(again.need("tuned"), inputs=("x",), outputs=("y",)).run(x=np.ones((1, 3, 112, 112), np.float32))
    assert (result == 3 * 112 * 112).all()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"other.weight": np.ones((2, 2), np.float32)}, "lacks the weight 'fc.weight'"),
        ({"fc.weight": np.ones((64, 3 * 112 * 112), np.float32)}, "shape"),
        ({"fc.weight": np.full((3 * 112 * 112, 64), np.nan, np.float32)}, "not finite"),
        ({"fc.weight": np.ones((3 * 112 * 112, 64), np.float32), "z": np.ones((1, 1), np.float32)}, "no weight 'z'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    named: dict[str, np.ndarray[Any, Any]], words: str, tmp_path: Path, product: Catalogue
) -> None:
    path = tmp_path / "tuned.safetensors"
    path.write_bytes(weights(named))
    with pytest.raises(ModelError, match=words):
        add(product, Wish(path, network="product"))
    assert not (product.folder / "tuned.onnx").exists()
    with pytest.raises(UsageError, match="no model"):
        add(product, Wish(path, network="nobody"))
    with pytest.raises(ModelError, match="live models pull gpen_256"):
        add(product, Wish(path, network="gpen_256"))


def test_what_live_cannot_run_says_what_it_would_need(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16)))
    with pytest.raises(UsageError, match=r"1 weights.*--network"):
        add(catalogue, Wish(path))
    (tmp_path / "w.pth").write_bytes(b"\x80\x02")
    with pytest.raises(ModelError, match="export one"):
        add(catalogue, Wish(tmp_path / "w.pth"))
    (tmp_path / "w.txt").write_bytes(network({"i": picture(512)}, {"o": picture(512)}).SerializeToString())
    with pytest.raises(UsageError, match=r"\.onnx or \.dfm"):
        add(catalogue, Wish(tmp_path / "w.txt"))
    strange = write(tmp_path / "s.onnx", {"audio": [1, 80, 16], "x\n\x1b": picture(96)}, {"y": picture(96)})
    with pytest.raises(UsageError, match=r"'audio' \(1×80×16\)") as caught:
        add(catalogue, Wish(strange))
    assert "\n" not in str(caught.value)
    assert not catalogue.folder.exists()


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, catalogue: Catalogue) -> None:
    catalogue.folder.mkdir()
    dropped = write(catalogue.folder / "mine.onnx", {"input": picture(512)}, {"output": picture(512)})
    other = write(tmp_path / "mine.onnx", {"input": picture(256)}, {"output": picture(256)})
    with pytest.raises(UsageError, match="already"):
        add(catalogue, Wish(other))
    entry, _ = add(catalogue, Wish(dropped))  # what the user put there himself only gets its entry
    assert load_catalogue(catalogue.folder).need(entry.name) == dropped


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"")
    path = write(tmp_path / "r.onnx", {"input": picture(512)}, {"output": picture(512)})
    with pytest.raises(ModelError, match="LIVE_MODELS"):
        add(Catalogue((), tmp_path / "models"), Wish(path))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["models", "r.onnx"]


def test_remove_takes_the_file_the_part_and_the_entry(tmp_path: Path, catalogue: Catalogue) -> None:
    entry, _ = add(catalogue, Wish(write(tmp_path / "r.onnx", {"input": picture(512)}, {"output": picture(512)})))
    (catalogue.folder / "r.onnx.part").write_bytes(b"")
    again = load_catalogue(catalogue.folder)
    remove(again, again.get("r"))
    assert not list(catalogue.folder.iterdir())
    for name, error in (("gpen_256", ModelError), ("masker", LiveError)):
        with pytest.raises(error):
            remove(again, again.get(name))
    assert (models_dir() / "masker.onnx").is_file()
    assert entry.own
