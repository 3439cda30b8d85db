"""Builds the device's engine that a preset names: networks as modules, tables and graphs on one card.

Says in a line what it chose; a card with too little memory gets less (fewer faces at once, no restorer), said aloud.
Knows which parts exist and what each needs; opens no input or output.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from live.engines import Chosen, choose_networks, identities_of, identity_shape, network_options, opener_of
from live.errors import ModelError
from live.faces.detector import thumbnail_size
from live.faces.masker import Masker
from live.nets.entry import Entry
from live.nets.lines import BUCKETS
from live.nets.place import Place
from live.nets.precision import next_rung
from live.nets.selftest import facts_of
from live.nets.torch_graph import TorchGraph, load_module
from live.nets.torch_math import multiplying
from live.nets.torch_open import open_torch
from live.preset import Preset
from live.resources import models_dir
from live.swap.device.contract import Wear
from live.swap.device.engine import TRACKS, DeviceEngine, Networks
from live.swap.device.mesh import MeshWear
from live.swap.device.network import NetworkWear, PatchModule, Restoring
from live.swap.identity import Identities
from live.swap.mesh.engine import MeshOptions
from live.values import Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of the card's memory may be asked for."""

    most: int = BUCKETS[-1]
    """Faces of a batch."""
    restorer: bool = True

    def less(self) -> Allowance | None:
        """What is tried next where this was too much; None: there is nothing less."""
        if self.most > 1:
            return replace(self, most=1)
        return replace(self, restorer=False) if self.restorer else None


def build_device_engine(
    preset: Preset, device: str, kind: Kind | None = None, rung: int = 0, *, live: bool = True, files: bool = False
) -> DeviceEngine:
    """Build everything, and capture the graphs for a kind of frames. Slow.

    Args: rung: how many rungs of the precision ladder above the chosen one: those below gave numbers that were none;
        live, files: what the frames may come from.
    Raises: ModelError when a network is missing or broken, no rung is left, or the card has too little memory.
    """
    chosen = None if preset.engine == "mesh" else choose_networks(preset)
    allowance: Allowance | None = Allowance(restorer=chosen is not None and chosen.restorer is not None)
    while allowance is not None:
        try:
            engine = _build(preset, chosen, Place(device), rung, allowance)
            if kind is not None:
                _warm(preset, engine, kind, live=live, files=files)
            return engine
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            allowance = allowance.less()
            if allowance is not None:
                what = "one face at a time" if allowance.restorer or chosen is None else "no restorer"
                log.warning("the card has too little memory; trying again with %s", what)
    raise ModelError(f"{preset.engine} does not fit this card's memory; a smaller network does, or engine: mesh")


def _build(preset: Preset, chosen: Chosen | None, place: Place, rung: int, allowance: Allowance) -> DeviceEngine:
    faces, names = preset.faces, ("detector.onnx", "landmarker.onnx", "masker.onnx")[: 3 if preset.faces.masks else 2]
    detector, landmarker, *masker = (load_module(models_dir() / name, device=place.device) for name in names)
    networks = Networks(detector, landmarker, masker[0] if masker else None)
    wear: Wear
    if chosen is None:
        options = MeshOptions(**preset.swap.model_dump(exclude={"strength", "shape"}))
        wear = MeshWear(options, Masker(models_dir() / "masker.onnx"), TRACKS, place.device)
    else:
        wear = _network_wear(preset, chosen, place, rung, restores=allowance.restorer)
    return DeviceEngine(
        place,
        networks,
        wear,
        steadiness=faces.steadiness,
        mask_steadiness=faces.mask_steadiness,
        most=min(allowance.most, max(faces.most, 1)),
        compiles=preset.nets.compile,
    )


def parts_of_engine(engine: DeviceEngine) -> tuple[Networks, PatchModule, PatchModule | None, Identities]:
    """The networks that an engine with a swapper runs, and what it tells it of source faces: for comparisons."""
    wear = engine.wear
    assert isinstance(wear, NetworkWear)
    restorer = wear.restoring.module if wear.restoring is not None else None
    return engine.networks, wear.module, restorer, wear.identities


def _warm(preset: Preset, engine: DeviceEngine, kind: Kind, *, live: bool, files: bool) -> None:
    """Capture every graph that the preset's frames can need."""
    size, started_s = thumbnail_size(kind.width_px, kind.height_px, preset.faces.detector_width_px), time.monotonic()
    # Of convolutions in float32 TF32 takes a sixth of the time (the embedded networks: 1.1 ms on an H100) and moves
    # landmarks by hundredths of a pixel; geometry is products of matrices, which stay exact.
    with multiplying(tf32=False, convolutions=True, tune=True):
        counts = [bucket for bucket in BUCKETS if bucket <= engine.most]
        engine.warm(kind, size.padded, counts, live=live, files=files)
    if engine.place.is_cuda:
        log.info("engine: %s, graphs captured in %.1f s", engine.name, time.monotonic() - started_s)


def _network_wear(preset: Preset, chosen: Chosen, place: Place, rung: int, *, restores: bool) -> NetworkWear:
    keys = preset.nets
    restoring = None
    if chosen.restorer is not None and restores:
        module = _module(preset, chosen, chosen.restorer, place, rung)
        restoring = Restoring(module, keys.restorer_blend, keys.restorer_every)
    return NetworkWear(
        _module(preset, chosen, chosen.swapper, place, rung),
        identities_of(chosen, opener_of(preset)),
        identity_shape(chosen.swapper.identity),
        network_options(preset),
        TRACKS,
        place.device,
        restoring,
    )


def _module(preset: Preset, chosen: Chosen, entry: Entry, place: Place, rung: int) -> PatchModule:
    """A network of the catalogue on the device, at the fastest precision that it bears."""
    path = chosen.catalogue.need(entry.name)
    module, line = open_module(path, place.device, preset.nets.precision, rung)
    log.info("%s runs on %s, %s", entry.name, place.name, line)
    return PatchModule(entry, module, tuple(port.name for port in module.graph.inputs), place.device)


def open_module(path: Path, device: torch.device, precision: str = "auto", rung: int = 0) -> tuple[TorchGraph, str]:
    """Read a network as a module on a device.

    Args: precision: auto is the fastest that the self-test lets pass; rung: how many rungs above that.
    Returns: the module, and its precision for people. Raises: ModelError.
    """
    runner, choice = open_torch(path, device=str(device), precision=precision)
    word, line = choice.precision, choice.line
    for _ in range(rung):
        above = next_rung(facts_of(device), word)
        if above is None:
            raise ModelError(f"{path.name}: its numbers are not finite at any precision; is the file whole?")
        word, line = above, f"{above} since {word} gave numbers that were none"
    if rung:
        runner.close()
        runner, _ = open_torch(path, device=str(device), precision=word)
    return runner.module, line
