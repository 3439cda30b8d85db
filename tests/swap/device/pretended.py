"""A card that is only pretended: tensors without numbers that claim to be on one, and the step computed with them.

`python -m tests.swap.device.pretended` counts a step's operations on it, about as many as kernels on a real one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
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
from live.swap.device.network import NetworkWear, PatchModule, Restoring
from live.swap.device.step import DetectStep, SwapStep
from live.values import Colour, PixelFormat

TRACKS = 8
TWINS = {"inswapper_128": SMALL, "hyperswap_1a_256": 1 / 8, "gfpgan_1.4": SMALL, "w600k_r50": SMALL}


class OnCard(TorchDispatchMode):
    """Every tensor that is made lies on the card. Counts what is done, a convolution's bias by itself."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = (_tensors(each) for each in ((args, kwargs), result))
        assert all(each.is_cuda for each in made), f"{func} leaves the card"
        name, known = func.overloadpacket.__name__, {_memory(each) for each in given}
        works = func._schema.is_mutable or any(_memory(each) not in known for each in made)
        self.count += works and not name.startswith(("empty", "new_empty"))
        self.count += "conv" in name and len(args) > 2 and args[2] is not None
        return result


def _tensors(values: Any) -> list[Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, Tensor)]


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def captured(card: FakeTensorMode) -> Iterator[OnCard]:
    """What is done within is done as in a graph's capture."""
    with card, torch.inference_mode(), OnCard() as seen:
        yield seen


def write_twins(place: Path) -> Path:
    for name, width in TWINS.items():
        list(write_stand_ins(place, [name], width=width))
    return place


def brought(card: FakeTensorMode, module: TorchGraph) -> TorchGraph:
    """A network with weights that claim to be on the card."""
    for name, weight in list(module.named_parameters()):
        with card:
            there = torch.empty_strided(weight.shape, weight.stride(), dtype=weight.dtype, device="cuda")
            module.register_parameter(name, torch.nn.Parameter(there, requires_grad=False))
    return module


def ours(card: FakeTensorMode, name: str) -> TorchGraph:
    return brought(card, load_module(models_dir() / f"{name}.onnx"))


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
        return NetworkWear(swapper, None, shape, options, TRACKS, "cuda", restoring)


def rows_of(card: FakeTensorMode, step: SwapStep | DetectStep, count: int) -> dict[str, Tensor]:
    with card:
        return {
            field.name: torch.empty(count, *field.shape, dtype=getattr(torch, field.type), device="cuda")
            for field in step.takes
        }


def swap_step(
    card: FakeTensorMode, wear: Wear, *, format: PixelFormat = PixelFormat.NV12, masks: bool = True, **options: Any
) -> SwapStep:
    landmarker, masker = ours(card, "landmarker"), ours(card, "masker")
    with card:
        look = Look(landmarker, TRACKS, 0.5, "cuda")
        cover = Cover(masker, TRACKS, 0.5, "cuda") if masks else None
        options = {"variant": "plain", "chained": False} | options
        return SwapStep(Layout(format, 256, Colour()), look, cover, wear, device="cuda", **options)


def main() -> None:
    card = FakeTensorMode()
    with tempfile.TemporaryDirectory() as place:
        folder = write_twins(Path(place))
        for engine, restorer in (
            ("inswapper_128", "none"),
            ("hyperswap_1a_256", "none"),
            ("inswapper_128", "gfpgan_1.4"),
        ):
            step = swap_step(card, network_wear(card, folder, engine, restorer, "fp16"), variant="restore")
            counts = []
            for faces in (1, 4):
                given = rows_of(card, step, faces)
                with captured(card) as seen:
                    step(given)
                counts.append(f"{seen.count} for {faces}")
            print(f"{engine}, restorer {restorer}: operations of the step at FP16, {', '.join(counts)} face(s)")


if __name__ == "__main__":
    main()
