"""The engine that a preset names, with all that it needs, or the line that says what is missing."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from live import engines
from live.bench.twins import SMALL, write_twin
from live.config import load_preset
from live.ends import Ask
from live.engines import build_engine
from live.errors import ModelError, UsageError
from live.nets.backends import Present
from live.pixels.people import read_person
from live.studio import build
from live.swap.mesh import MeshEngine
from live.swap.network import NetworkEngine
from live.swap.switching import SwitchingEngine
from live.values import Settings, SourceFace
from tests.nets import small
from tests.swap import faces

TWINS = {
    "inswapper_128": "inswapper_128.onnx",
    "hyperswap_1a_256": "hyperswap_1a_256.onnx",
    "arcface_w600k_r50": "w600k_r50.onnx",
    "gpen_bfr_256": "GPEN-BFR-256.onnx",
    "ghost_1_256": "ghost_1_256.onnx",
}
"""Of the bench's twins, and the files they stand for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Narrow twins under the names of the catalogue."""
    place = tmp_path_factory.mktemp("models")
    for name, file in TWINS.items():
        write_twin(name, place / file, width=SMALL)
    small.projector(place / "crossface_ghost.onnx", np.eye(512, dtype=np.float32)[::-1].copy())
    return place


@pytest.fixture
def models(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LIVE_MODELS", str(folder))
    monkeypatch.setenv("LIVE_HOME", str(tmp_path / "home"))
    return folder


def person(name: str = "ada") -> SourceFace:
    one = read_person(name)
    return SourceFace(one.name, name, one.image, one.landmarks, "composite")


def preset(*overrides: str):
    return load_preset("default", ("nets.backend=cpu", *overrides))


@pytest.mark.parametrize("name", ["inswapper_128", "hyperswap_1a_256", "ghost_1_256"])
def test_a_network_is_built_from_its_entry_and_swaps(models: Path, name: str) -> None:
    engine = build_engine(preset(f"engine={name}", "restorer=gpen_256"))
    assert isinstance(engine, NetworkEngine)
    assert engine.name == name
    engine.prepare(person())
    jobs = [faces.job(track=number, face=person()) for number in range(3)]
    found = engine.swap(jobs, Settings(source=person()))
    assert len(found) == 3
    for job, worn in zip(jobs, found, strict=True):
        assert worn.pixels.shape == job.region.shape
        assert worn.alpha.shape == job.region.shape[:2]
        assert worn.opacity in (0, 1)
    engine.close()
    engine.close()


def test_a_model_that_is_not_here_names_the_command_that_brings_it(models: Path, tmp_path: Path, monkeypatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("LIVE_MODELS", str(empty))
    with pytest.raises(ModelError, match="live models pull inswapper_128"):
        build_engine(preset("engine=inswapper_128"), wait=False)
    (empty / "inswapper_128.onnx").write_bytes((models / "inswapper_128.onnx").read_bytes())
    with pytest.raises(ModelError, match="live models pull w600k_r50"):
        build_engine(preset("engine=inswapper_128"), wait=False)
    (empty / "w600k_r50.onnx").write_bytes((models / "w600k_r50.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"live models pull gfpgan_1\.4"):
        build_engine(preset("engine=inswapper_128", "restorer=gfpgan_1.4"), wait=False)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("engine=insvapper", r"engine: there is no swapper 'insvapper'; allowed: auto, mesh, none, inswapper_128"),
        ("engine=gpen_256", r"engine: gpen_256 is a restorer; allowed: auto, mesh, none"),
        ("engine=detector", r"engine: detector is a detector"),
        ("restorer=gpen_256", r"restorer gpen_256 works on networks"),
        ("engine=none", r"privacy\.unproven=pass"),
    ],
)
def test_a_name_that_will_not_do_says_what_will(models: Path, override: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build_engine(preset(override))


def test_a_restorer_has_to_be_one(models: Path) -> None:
    with pytest.raises(UsageError, match="restorer: inswapper_128 is a swapper; allowed: auto, none, gfpgan"):
        build_engine(preset("engine=inswapper_128", "restorer=inswapper_128"))


def test_the_mesh_is_on_air_until_the_network_is_ready(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        engine = build_engine(preset("engine=inswapper_128", "swap.crossfade_s=0"), wait=False)
        assert isinstance(engine, SwitchingEngine)
        engine.prepare(person())
        assert engine.settled.wait(60)
        engine.swap([faces.job(face=person())], Settings(source=person()))
    assert engine.name == "inswapper_128"
    engine.close()
    for line in ("mesh until inswapper_128 is ready", "runs on cpu, fp32", "ms a face", "takes over from mesh"):
        assert line in caplog.text


def test_a_network_that_cannot_be_loaded_leaves_the_mesh_on_air(
    models: Path, tmp_path: Path, monkeypatch, caplog
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    small.recogniser(broken / "inswapper_128.onnx")
    small.recogniser(broken / "w600k_r50.onnx")
    monkeypatch.setenv("LIVE_MODELS", str(broken))
    with pytest.raises(ModelError, match="inswapper_128"):
        build_engine(preset("engine=inswapper_128"))
    engine = build_engine(preset("engine=inswapper_128"), wait=False)
    engine.prepare(person())
    assert engine.settled.wait(60)
    (worn,) = engine.swap([faces.job(face=person())], Settings(source=person()))
    assert worn.opacity == 1
    assert engine.name == "mesh"
    assert [r.message for r in caplog.records if r.levelname == "ERROR" and "mesh stays on air" in r.message]
    engine.close()


def test_a_recording_waits_for_the_network_and_a_live_run_does_not(models: Path, tmp_path: Path) -> None:
    wanted = preset("engine=inswapper_128", "capture.width_px=320", "capture.height_px=240")
    for pace, kind in (("max", NetworkEngine), ("real", SwitchingEngine)):
        session, engine = build(wanted, Ask("pattern", ("null",), ("ada",), pace=pace, duration_s=1))
        assert isinstance(engine, kind)
        engine.close()
        session.capture.close()
        for output in session.outputs:
            output.close()


def on_a_card(monkeypatch: pytest.MonkeyPatch, *, card: bool = True) -> None:
    monkeypatch.setattr(engines, "look", lambda: Present("linux", torch="2", torch_cuda=card))


@pytest.mark.parametrize(
    ("overrides", "device"),
    [
        (("engine=mesh",), None),
        (("engine=mesh", "device=cuda"), "cuda"),
        (("engine=inswapper_128",), "cuda"),
        (("engine=inswapper_128", "device=cuda:1"), "cuda:1"),
        (("engine=inswapper_128", "device=cpu"), None),
        (("engine=inswapper_128", "nets.backend=tensorrt"), None),
    ],
)
def test_with_a_card_networks_run_on_it_and_the_mesh_where_it_is_told(monkeypatch, overrides, device) -> None:
    on_a_card(monkeypatch)
    assert engines.device_of(load_preset("default", overrides)) == device


def test_without_a_card_auto_is_the_processor_and_a_card_that_was_asked_for_is_missed(monkeypatch) -> None:
    on_a_card(monkeypatch, card=False)
    assert engines.device_of(load_preset("default", ["engine=inswapper_128"])) is None
    with pytest.raises(ModelError, match="no card here"):
        engines.device_of(load_preset("default", ["engine=mesh", "device=cuda"]))


def test_a_backend_of_another_library_and_a_card_for_torch_contradict_each_other(monkeypatch) -> None:
    on_a_card(monkeypatch)
    with pytest.raises(UsageError, match="leave one at auto"):
        engines.device_of(load_preset("default", ["engine=inswapper_128", "device=cuda", "nets.backend=tensorrt"]))


def test_a_dfm_runs_through_its_backend_and_not_on_the_devices_path(monkeypatch) -> None:
    on_a_card(monkeypatch)
    dfm = SimpleNamespace(name="somebody", family="dfm")
    monkeypatch.setattr(engines, "load_catalogue", lambda: SimpleNamespace(entries=[dfm]))
    assert engines.device_of(load_preset("default", ["engine=somebody"])) is None
    with pytest.raises(UsageError, match="is a DFM"):
        engines.device_of(load_preset("default", ["engine=somebody", "device=cuda"]))


def test_the_mesh_needs_no_network_library() -> None:
    code = (
        "import sys; from live.config import load_preset; from live.engines import build_engine;"
        "build_engine(load_preset()); sys.exit(bool({'torch', 'onnx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_the_default_is_the_mesh() -> None:
    assert isinstance(build_engine(load_preset()), MeshEngine)
    assert np.isfinite(load_preset().nets.build_limit_s)
