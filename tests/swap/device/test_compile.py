"""`nets.compile`: torch has to be able to follow the whole step. Kernels are made on a card only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.config import load_preset
from live.device_engines import build_device_engine
from live.nets.place import Place
from live.nets.torch_graph import load_module
from live.swap.device.engine import DeviceEngine
from live.swap.device.network import NetworkWear
from live.swap.device.step import Fused, SwapStep
from live.values import Colour, PixelFormat


def step_of(engine: DeviceEngine, *, chained: bool) -> SwapStep:
    key = engine.swap_key(PixelFormat.NV12, Colour(), 256, "plain", chained=chained)
    step = engine.batcher._lines[key].step
    assert isinstance(step, SwapStep)
    step._fork = None  # as the engine does it where it compiles
    return step


def check(step: SwapStep) -> None:
    """The step followed by torch gives what it gives by itself."""
    given = {field.name: torch.zeros(2, *field.shape, dtype=getattr(torch, field.type)) for field in step.takes}
    given |= {"fresh": torch.ones(2), "before": torch.full((2,), -1)}
    followed = torch.compile(step.__call__, fullgraph=True, dynamic=False, backend="eager")
    with torch.inference_mode():
        made, wanted = followed(given), step(given)
    for name, tensor in wanted.items():
        assert torch.equal(made[name], tensor), name


@pytest.mark.parametrize("chained", [True, False])
def test_a_networks_step_is_followed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chained: bool) -> None:
    list(write_stand_ins(tmp_path, ["w600k_r50", "inswapper_128"], width=SMALL))
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path))
    engine = build_device_engine(load_preset("fast", ["engine=inswapper_128", "faces.most=2"]), "cpu")
    assert isinstance(engine.wear, NetworkWear)
    engine.wear.module.network = load_module(tmp_path / "inswapper_128.onnx", precision="fp16")
    check(step_of(engine, chained=chained))


def test_where_torch_cannot_compile_the_step_runs_as_it_is_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(given: object) -> None:
        raise RuntimeError("no working triton installation\nmany more lines")

    step = step_of(build_device_engine(load_preset("fast", ["engine=mesh", "faces.most=1"]), "cpu"), chained=False)
    monkeypatch.setattr(Place, "compiled", lambda self, function: fails)
    fused = Fused(step, Place())
    given = {field.name: torch.zeros(1, *field.shape, dtype=getattr(torch, field.type)) for field in step.takes}
    given["fresh"] += 1
    with torch.inference_mode():
        for _ in range(2):
            assert torch.equal(fused(given)["plane0"], step(given)["plane0"])
    assert [record.getMessage() for record in caplog.records] == [
        "nets.compile: the step runs as it is, since torch says: no working triton installation"
    ]


def test_the_meshs_step_is_followed_whole() -> None:
    engine = build_device_engine(load_preset("fast", ["engine=mesh", "faces.most=2"]), "cpu")
    check(step_of(engine, chained=False))
