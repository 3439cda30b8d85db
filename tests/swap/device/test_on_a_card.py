"""The captured step on a card that is only pretended.

A CUDA graph may neither ask the host nor bring anything from it; what would, ends here in an error, on any computer.
What a real card says of it is told by the tests with the mark gpu.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from live.nets.torch_graph import load_module
from live.resources import models_dir
from live.swap.device.mesh import MeshWear
from live.swap.device.step import DetectStep, SwapStep
from live.swap.mesh.engine import MeshOptions
from live.values import PixelFormat
from tests.swap.device.pretended import TRACKS, brought, captured, network_wear, rows_of, swap_step, write_twins


@pytest.fixture(scope="module")
def card() -> FakeTensorMode:
    return FakeTensorMode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_twins(tmp_path_factory.mktemp("models"))


def check(card: FakeTensorMode, step: SwapStep | DetectStep, counts: tuple[int, ...] = (1, 4)) -> None:
    """The step gives what it says, from nothing but what is on the card."""
    for count in counts:
        given = rows_of(card, step, count)
        with captured(card):
            made = step(given)
        for field in step.gives:
            assert tuple(made[field.name].shape) == (count, *field.shape), field.name


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
