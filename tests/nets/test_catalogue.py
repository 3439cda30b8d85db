"""The catalogue: complete, true to the files that come with the program, and able to say what engines need."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live.errors import ModelError, UsageError
from live.nets.catalogue import Catalogue, Entry, load_catalogue, missing, models_folder
from live.nets.templates import TEMPLATES, template

LICENCE = {"name": "MIT", "commercial": "yes", "redistribution": "yes"}
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
RESTORER: dict[str, Any] = {
    "name": "mine", "role": "restorer", "family": "plain", "file": "mine.onnx", "licence": LICENCE,
    "input": {"size_px": 512, "template": "ffhq_512", "normalisation": HALF}, "output": {"normalisation": HALF},
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(tmp_path_factory.mktemp("models"))


def own(folder: Path, name: str = "mine", **changes: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({**RESTORER, "name": name, "file": f"{name}.onnx"} | changes))
    return path


def test_what_comes_with_the_program_is_what_the_catalogue_says(catalogue: Catalogue) -> None:
    embedded = [entry for entry in catalogue.entries if entry.embedded]
    assert {entry.name for entry in embedded} == {"detector", "landmarker", "masker"}
    for entry in embedded:
        data = catalogue.need(entry.name).read_bytes()
        assert len(data) == entry.bytes
        assert hashlib.sha256(data).hexdigest() == entry.sha256, f"update {entry.name} in models/catalogue.yaml"


def test_names_and_files_are_unique_and_every_download_is_encrypted(catalogue: Catalogue) -> None:
    assert len({entry.name for entry in catalogue.entries}) == len(catalogue.entries)
    assert len({entry.file.casefold() for entry in catalogue.entries}) == len(catalogue.entries)
    for entry in catalogue.entries:
        assert entry.embedded or entry.urls
        assert all(url.startswith("https://") for url in entry.urls)


def test_every_model_that_another_needs_is_in_the_catalogue(catalogue: Catalogue) -> None:
    for entry in catalogue.entries:
        if entry.identity is not None and entry.identity.kind == "embedding":
            assert catalogue.get(entry.identity.recogniser).role == "recogniser"
            if entry.identity.projector is not None:
                assert catalogue.get(entry.identity.projector).role == "projector"


def test_like_takes_over_what_an_engine_needs_and_not_the_file(catalogue: Catalogue) -> None:
    base, half = catalogue.get("inswapper_128"), catalogue.get("inswapper_128_fp16")
    assert (half.input, half.identity, half.output, half.licence) == (
        base.input, base.identity, base.output, base.licence,
    )  # fmt: skip
    assert half.sha256 != base.sha256
    assert half.urls != base.urls


def test_inswapper_is_fed_as_its_authors_do(catalogue: Catalogue) -> None:
    entry = catalogue.get("inswapper_128")
    assert entry.input is not None
    assert entry.input.normalisation.mean == (0, 0, 0)
    assert entry.input.normalisation.order == "rgb"
    assert entry.identity is not None
    assert entry.identity.kind == "embedding"
    assert (entry.identity.projection, entry.identity.normalise_first, entry.identity.normalise_last) == (
        "emap", True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"input": {"input": "target", "size_px": 256, "template": "arcface_112_v1", "normalisation": HALF},
         "identity": {"kind": "embedding", "input": "source", "recogniser": "w600k_r50", "projection": "network",
                      "projector": "crossface_ghost", "normalise_first": False, "normalise_last": True}},
        {"input": {"input": "target", "size_px": 256, "template": "ffhq_512"},
         "identity": {"kind": "picture",
                      "picture": {"input": "source", "size_px": 112, "template": "arcface_112_v2"}}},
        {"family": "dfm", "file": "mine.dfm", "consent": "self",
         "input": {"input": "in_face:0", "size_px": 224, "template": "dfl_whole_face",
                   "normalisation": {"order": "bgr", "layout": "nhwc"}},
         "knobs": [{"input": "morph_value:0", "low": 0, "high": 1, "value": 0.5}],
         "output": {"picture": 1, "masks": [0, 2], "normalisation": {"order": "bgr", "layout": "nhwc"}}},
    ],
    ids=["projector", "source picture", "dfm"],
)  # fmt: skip
def test_other_families_can_be_said(fields: dict[str, Any]) -> None:
    entry = Entry.model_validate({**RESTORER, "role": "swapper", **fields})
    assert Entry.model_validate(entry.model_dump()) == entry


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"file": "../mine.onnx"}, "file"),
        ({"file": "/etc/mine.onnx"}, "file"),
        ({"file": "mine.pth"}, "file"),
        ({"name": "Mine/Too"}, "name"),
        ({"sha256": "1234"}, "sha256"),
        ({"output": None}, "output"),
        ({"role": "swapper"}, "consent"),
        ({"input": None}, "input"),
        ({"input": {"size_px": 512, "template": "ffhq"}}, "template"),
        ({"input": {"size_px": 512, "normalisation": {"std": [1, 0, 1]}}}, "std"),
        ({"input": {"size_px": 1 << 20}}, "size_px"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"knobs": [{"input": "w", "low": 0, "high": 1, "value": 2}]}, "value"),
    ],
)
def test_a_wrong_entry_of_the_users_is_named_and_left_out(
    fields: dict[str, Any], word: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mine.yaml").write_text(json.dumps(RESTORER | fields))
    found = load_catalogue(tmp_path)
    assert not any(entry.own for entry in found.entries)
    assert word in caplog.text
    assert "mine.yaml" in caplog.text


def test_without_a_hash_only_an_encrypted_address_will_do() -> None:
    with pytest.raises(ValueError, match="https"):
        Entry.model_validate({**RESTORER, "urls": ["http://mirror/mine.onnx"]})


def test_the_users_entries_come_after_ours_and_cannot_take_their_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own(tmp_path)
    own(tmp_path, "gpen_256")
    own(tmp_path, "thief", file="inswapper_128.onnx")
    found = load_catalogue(tmp_path)
    assert [entry.name for entry in found.entries if entry.own] == ["mine"]
    assert found.get("gpen_256").sha256 is not None
    assert "gpen_256" in caplog.text
    assert "thief" in caplog.text


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: *b\n", "[" * 3000, "\x00", "a: 1\na: 2\n"])
def test_a_broken_yaml_of_the_users_is_one_line(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert not any(entry.own for entry in load_catalogue(tmp_path).entries)
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_an_unknown_name_gets_near_ones(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="inswapper_128"):
        catalogue.get("inswaper_128")
    with pytest.raises(UsageError, match="models list"):
        catalogue.get("")


def test_a_missing_model_says_the_command_that_brings_it(catalogue: Catalogue) -> None:
    assert catalogue.find("hyperswap_1a_256") is None
    with pytest.raises(ModelError, match=r"403 MB.*live models pull hyperswap_1a_256"):
        catalogue.need("hyperswap_1a_256")
    assert "reinstall" in str(missing(catalogue.get("masker")))


def test_the_models_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "models"
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path / "elsewhere"))
    assert models_folder() == tmp_path / "elsewhere"
    assert load_catalogue().folder == tmp_path / "elsewhere"


def test_templates_are_faces_inside_the_square() -> None:
    for points in TEMPLATES.values():
        assert points.shape == (5, 2)
        assert ((points > 0) & (points < 1)).all()
        left, right, nose, mouth_left, mouth_right = points
        assert left[0] < nose[0] < right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
        assert not points.flags.writeable
    # the published points of 112 px, and the same ones shifted by 8 px into 128
    published = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    np.testing.assert_allclose(template("arcface_112_v2") * 112, published, atol=1e-3)
    np.testing.assert_allclose(template("arcface_128") * 128, np.add(published, (8, 0)), atol=1e-3)
    with pytest.raises(ModelError, match="ffhq_512"):
        template("ffhq")
