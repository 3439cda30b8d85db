"""Builds the engine that a preset names: the embedded mesh, none, or a network of the catalogue with all it needs.

A network is made ready behind the mesh where somebody is waiting for pictures, and at once where none may be lost.
Knows which parts exist and what each needs; opens no input or output.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from live.errors import ModelError, UsageError
from live.faces.masker import Masker
from live.faces.recogniser import Recogniser
from live.nets.catalogue import Catalogue, load_catalogue
from live.nets.devices import look
from live.nets.emap import read_emap
from live.nets.entry import Embedding, Entry, Likeness, Role
from live.nets.files import content_hash, nets_folder
from live.nets.opening import Opener
from live.preset import Preset
from live.resources import models_dir
from live.swap.contract import Engine
from live.swap.identity import Emap, Identities, Projection, Projector
from live.swap.network import NetworkEngine, NetworkOptions
from live.swap.patches import PatchNetwork
from live.swap.restore import Restorer
from live.swap.switching import SwitchingEngine

log = logging.getLogger(__name__)

SHARED = ("colour", "softness", "reach", "crossfade_s")
"""Keys of the section `swap` that networks follow, too."""


def build_engine(preset: Preset, *, wait: bool = True) -> Engine:
    """The engine a preset names.

    Args: wait: until a network is ready; else the mesh is on air meanwhile.
    Raises: UsageError for a name that is no engine, and for `none` without the word `pass`; ModelError for a model that
    is not on this computer, with the command that brings it, or that cannot be run.
    """
    if preset.engine == "none":
        return _none(preset)
    if preset.engine == "mesh":
        if preset.restorer != "none":
            raise UsageError(f"restorer {preset.restorer} works on networks; engine mesh has none: set restorer=none")
        return build_mesh(preset)
    chosen, opener = choose_networks(preset), opener_of(preset)
    if wait:
        return _network(preset, chosen, opener)
    engine = SwitchingEngine(
        build_mesh(preset),
        lambda: _network(preset, chosen, opener),
        crossfade_s=preset.swap.crossfade_s,
        cancel=opener.cancel,
    )
    log.info("engine: mesh until %s is ready", chosen.swapper.name)
    engine.start()
    return engine


@dataclass(frozen=True, slots=True)
class Chosen:
    """The networks that a preset names. Their files are there."""

    catalogue: Catalogue
    swapper: Entry
    restorer: Entry | None


def choose_networks(preset: Preset) -> Chosen:
    """The networks that a preset names. Raises: UsageError; ModelError for a file that is missing."""
    catalogue = load_catalogue()
    swapper = entry_of(catalogue, "engine", preset.engine, "swapper", ("auto", "mesh", "none"))
    restorer = None
    if preset.restorer != "none":
        restorer = entry_of(catalogue, "restorer", preset.restorer, "restorer", ("auto", "none"))
    for entry in (swapper, *needed_by(catalogue, swapper), *((restorer,) if restorer else ())):
        catalogue.need(entry.name)
    return Chosen(catalogue, swapper, restorer)


def opener_of(preset: Preset) -> Opener:
    """What opens networks as a preset asks for it. Raises: ModelError for a backend or precision that is not here."""
    keys = preset.nets
    return Opener(
        look(),
        backend=keys.backend,
        precision=keys.precision,
        threads=preset.threads.network,
        limit_s=keys.build_limit_s,
    )


def _none(preset: Preset) -> Engine:
    from live.swap.none import NoEngine

    if preset.privacy.unproven != "pass":
        raise UsageError(
            "engine none swaps nothing; it needs --set privacy.unproven=pass, which shows the bare picture"
        )
    log.warning("engine none and privacy.unproven=pass: everybody who watches sees the BARE picture")
    return NoEngine()


def device_of(preset: Preset) -> str | None:
    """The device on which a preset's frames are swapped, as torch names it; None: the processor, or what a backend of
    ONNX Runtime's takes.

    Raises: ModelError where a card is asked for that torch cannot use.
    """
    if preset.device == "cpu" or preset.engine == "none":
        return None
    fits = preset.engine == "mesh" or _fits_device(preset.engine)
    if preset.device == "auto":
        networks = preset.engine != "mesh" and fits and preset.nets.backend in ("auto", "torch")
        return "cuda" if networks and look().torch_cuda else None
    if not fits:
        raise UsageError(
            f"device {preset.device}: {preset.engine} is a DFM, which runs through nets.backend: device=auto"
        )
    if preset.nets.backend not in ("auto", "torch"):
        raise UsageError(
            f"device {preset.device} is torch's, nets.backend {preset.nets.backend} is not: leave one at auto"
        )
    if not look().torch_cuda:
        raise ModelError(f"device {preset.device}: torch can use no card here; `live doctor` says why; or device: cpu")
    return preset.device


def _fits_device(name: str) -> bool:
    """Whether the device's path knows the arithmetic of an engine; of a name that is none whoever opens it says so."""
    return all(entry.family != "dfm" for entry in load_catalogue().entries if entry.name == name)


def build_mesh(preset: Preset) -> Engine:
    """The embedded engine, on the host."""
    from live.swap.mesh import MeshEngine, MeshOptions

    keys = preset.swap.model_dump(exclude={"strength", "shape"})
    return MeshEngine(MeshOptions(**keys), Masker(models_dir() / "masker.onnx"))


def entry_of(catalogue: Catalogue, key: str, name: str, role: Role, others: tuple[str, ...] = ()) -> Entry:
    """The entry of a name that is one of its role. Args: others: what the key may say else.

    Raises: UsageError with those there are.
    """
    names = [entry.name for entry in catalogue.entries if entry.role == role]
    if name in names:
        return catalogue.get(name)
    other = next((entry.role for entry in catalogue.entries if entry.name == name), None)
    what = f"{name} is a {other}" if other else f"there is no {role} {name[:60]!r}"
    allowed = ", ".join((*others, *names))
    raise UsageError(f"{key}: {what}; allowed: {allowed}; `live models list` says what they are")


def needed_by(catalogue: Catalogue, swapper: Entry) -> list[Entry]:
    """What a swapper does not run without."""
    how = swapper.identity
    if not isinstance(how, Embedding):
        return []
    return [catalogue.get(name) for name in (how.recogniser, how.projector) if name is not None]


def _network(preset: Preset, chosen: Chosen, opener: Opener) -> NetworkEngine:
    """Open everything and run it once. Slow. Raises: ModelError."""
    keys, catalogue, swapper, restorer = preset.nets, chosen.catalogue, chosen.swapper, chosen.restorer
    network = PatchNetwork(swapper, opener.open(catalogue.need(swapper.name)))
    second = None
    if restorer is not None:
        second = Restorer(
            PatchNetwork(restorer, opener.open(catalogue.need(restorer.name))),
            blend=keys.restorer_blend,
            every=keys.restorer_every,
        )
    engine = NetworkEngine(network, identities_of(chosen, opener), network_options(preset), second)
    spent_s = _warm(network, swapper, keys.boost) + (_warm(second.network, restorer, 1) if second and restorer else 0)
    log.info("engine: %s is ready, %.0f ms a face", engine.name, 1000 * spent_s)
    return engine


def network_options(preset: Preset) -> NetworkOptions:
    """What networks follow of a preset."""
    return NetworkOptions(**preset.swap.model_dump(include=set(SHARED)), boost=preset.nets.boost)


def identities_of(chosen: Chosen, opener: Opener) -> Identities:
    """What turns source faces into what the swapper is told of them. Slow. Raises: ModelError."""
    catalogue, swapper, how = chosen.catalogue, chosen.swapper, chosen.swapper.identity
    if not isinstance(how, Embedding):
        return Identities(swapper)
    path = catalogue.need(how.recogniser)
    recogniser = Recogniser(catalogue.get(how.recogniser), opener.open(path), content_hash(path))
    projection: Projection | None = None
    if how.projection == "emap":
        projection = Emap(read_emap(catalogue.need(swapper.name), how.length, nets_folder()))
    elif how.projector is not None:
        projection = Projector(opener.open(catalogue.need(how.projector)))
    return Identities(swapper, recogniser, projection)


def _warm(network: PatchNetwork, entry: Entry, boost: int) -> float:
    """Run a network twice on nothing, as often as one face will. Returns: seconds of the second run."""
    rows, side = boost * boost, network.side_px
    identities = None if entry.identity is None else np.zeros((rows, *identity_shape(entry.identity)), np.float32)
    for _ in range(2):
        started_s = time.perf_counter()
        network.run(np.zeros((rows, side, side, 3), np.uint8), identities)
    return time.perf_counter() - started_s


def identity_shape(how: Embedding | Likeness | None) -> tuple[int, ...]:
    """Of what a swapper is told of a source face; () for nothing."""
    if how is None:
        return ()
    if isinstance(how, Embedding):
        return (how.length,)
    side, layout = how.picture.size_px, how.picture.normalisation.layout
    return (3, side, side) if layout == "nchw" else (side, side, 3)
