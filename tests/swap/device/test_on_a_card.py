"""The captured step on a card that is only pretended: tensors without numbers that claim to be on one.

A CUDA graph may neither ask the host nor bring anything from it; what would, ends here in an error, on any computer.
What a real card says of it is told by the tests with the mark gpu.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.config import load_preset
from live.engines import choose_networks, identity_shape, network_options
from live.faces.device_look import Cover, Look
from live.nets.entry import Entry
from live.nets.torch_graph import TorchGraph, load_module
from live.pixels.device import Layout
from live.resources import models_dir
from live.swap.device.contract import Wear
from live.swap.device.mesh import MeshWear
from live.swap.device.network import NetworkWear, PatchModule, Restoring
from live.swap.device.step import DetectStep, SwapStep
from live.swap.mesh.engine import MeshOptions
from live.values import Colour, PixelFormat

TRACKS = 8
TWINS = {"inswapper_128": SMALL, "hyperswap_1a_256": 1 / 8, "gfpgan_1.4": SMALL, "w600k_r50": SMALL}


class OnCard(TorchDispatchMode):  # type: ignore[misc]
    """Every tensor that is made lies on the card."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        elsewhere = [each for each in tree_leaves(result) if isinstance(each, Tensor) and not each.is_cuda]
        assert not elsewhere, f"{func} leaves the card"
        return result


@pytest.fixture(scope="module")
def card() -> FakeTensorMode:
    return FakeTensorMode()


@contextmanager
def captured(card: FakeTensorMode) -> Iterator[None]:
    with card, torch.inference_mode(), OnCard():
        yield


def brought(card: FakeTensorMode, module: TorchGraph) -> TorchGraph:
    """A network with weights that claim to be on the card."""
    for name, weight in list(module.named_parameters()):
        with card:
            there = torch.empty_strided(weight.shape, weight.stride(), dtype=weight.dtype, device="cuda")
            module.register_parameter(name, torch.nn.Parameter(there, requires_grad=False))
    return module


def ours(card: FakeTensorMode, name: str) -> TorchGraph:
    return brought(card, load_module(models_dir() / f"{name}.onnx"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for name, width in TWINS.items():
        list(write_stand_ins(place, [name], width=width))
    return place


def network_wear(card: FakeTensorMode, folder: Path, engine: str, restorer: str, precision: str) -> Wear:
    preset = load_preset("fast", [f"engine={engine}", f"restorer={restorer}", "nets.restorer_every=2"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVE_MODELS", str(folder))
        chosen = choose_networks(preset)
        paths = {each.name: chosen.catalogue.need(each.name) for each in (chosen.swapper, chosen.restorer) if each}

    def module(entry: Entry) -> PatchModule:
        network = brought(card, load_module(paths[entry.name], precision=precision))
        with card:
            return PatchModule(entry, network, tuple(port.name for port in network.graph.inputs), "cuda")

    swapper = module(chosen.swapper)
    restoring = Restoring(module(chosen.restorer)) if chosen.restorer is not None else None
    options, shape = network_options(preset), identity_shape(chosen.swapper.identity)
    with card:
        return NetworkWear(swapper, None, shape, options, TRACKS, "cuda", restoring)  # type: ignore[arg-type]


def rows_of(card: FakeTensorMode, step: SwapStep | DetectStep, count: int) -> dict[str, Tensor]:
    with card:
        return {
            field.name: torch.empty(count, *field.shape, dtype=getattr(torch, field.type), device="cuda")
            for field in step.takes
        }


def check(card: FakeTensorMode, step: SwapStep | DetectStep, counts: tuple[int, ...] = (1, 4)) -> None:
    """The step gives what it says, from nothing but what is on the card."""
    for count in counts:
        given = rows_of(card, step, count)
        with captured(card):
            made = step(given)
        for field in step.gives:
            assert tuple(made[field.name].shape) == (count, *field.shape), field.name


def swap_step(
    card: FakeTensorMode, wear: Wear, *, format: PixelFormat = PixelFormat.NV12, masks: bool = True, **options: Any
) -> SwapStep:
    landmarker, masker = ours(card, "landmarker"), ours(card, "masker")
    with card:
        look = Look(landmarker, TRACKS, 0.5, "cuda")
        cover = Cover(masker, TRACKS, 0.5, "cuda") if masks else None
        variant = options.pop("variant", "plain")
        return SwapStep(Layout(format, 256, Colour()), look, cover, wear, variant, "cuda", **options)


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("engine", ["inswapper_128", "hyperswap_1a_256"])
def test_a_swapper_is_captured(card: FakeTensorMode, folder: Path, engine: str, precision: str) -> None:
    check(card, swap_step(card, network_wear(card, folder, engine, "none", precision)))


@pytest.mark.parametrize("variant", ["plain", "restore"])
def test_a_restorer_is_captured_with_and_without_its_turn(card: FakeTensorMode, folder: Path, variant: str) -> None:
    check(card, swap_step(card, network_wear(card, folder, "inswapper_128", "gfpgan_1.4", "fp16"), variant=variant))


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("masks", [True, False])
def test_rows_of_files_and_of_cameras_are_captured_with_and_without_masks(
    card: FakeTensorMode, folder: Path, chained: bool, masks: bool
) -> None:
    wear = network_wear(card, folder, "inswapper_128", "none", "fp16")
    check(card, swap_step(card, wear, chained=chained, masks=masks), (2,))


@pytest.mark.parametrize("format", list(PixelFormat))
def test_every_pixel_format_is_captured(card: FakeTensorMode, folder: Path, format: PixelFormat) -> None:
    check(card, swap_step(card, network_wear(card, folder, "inswapper_128", "none", "fp16"), format=format), (1,))


def test_the_mesh_is_captured(card: FakeTensorMode) -> None:
    with card:
        wear = MeshWear(MeshOptions(), None, TRACKS, "cuda")
    check(card, swap_step(card, wear), (2,))


def test_the_detector_is_captured(card: FakeTensorMode) -> None:
    network = load_module(models_dir() / "detector.onnx")
    network(torch.zeros(1, 192, 320, 3, dtype=torch.uint8))  # the file leaves the size open: it is planned at first use
    brought(card, network)
    with card:
        step = DetectStep(network, 192, 320, "cuda")
    check(card, step, (1,))


def test_what_asks_the_host_or_leaves_the_card_is_found(card: FakeTensorMode) -> None:
    with card:
        there = torch.empty(3, device="cuda")
    with captured(card), pytest.raises(DataDependentOutputException):
        there.sum().item()
    with captured(card), pytest.raises(AssertionError, match="leaves the card"):
        there.cpu()
    with captured(card), pytest.raises(AssertionError, match="leaves the card"):
        there * torch.tensor([1.0, 2.0, 3.0])
