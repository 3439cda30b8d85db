"""What a preset leaves to `auto` about networks comes to on this computer, said in one line.

Knows the catalogue and whether a card is there; builds nothing.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence

from live.config import load_preset
from live.engines import entry_of, needed_by
from live.nets.catalogue import Catalogue, load_catalogue
from live.nets.devices import look
from live.nets.entry import Entry
from live.preset import Preset

log = logging.getLogger(__name__)

AUTO = "auto"


def load_here(name: str, overrides: Sequence[str] = ()) -> Preset:
    """Read a preset as config.load_preset, and settle it. Raises: ConfigError; UsageError."""
    return settled(load_preset(name, overrides))


def settled(preset: Preset) -> Preset:
    """Return the preset with names for `engine: auto` and `restorer: auto`. Torch is imported only where a network and
    a card are there.

    Raises: UsageError for names in `nets.engines` and `nets.restorers` that the catalogue does not have.
    """
    if AUTO not in (preset.engine, preset.restorer):
        return preset
    catalogue = load_catalogue()
    engines = [entry_of(catalogue, "nets.engines", name, "swapper") for name in preset.nets.engines]
    restorers = [entry_of(catalogue, "nets.restorers", name, "restorer") for name in preset.nets.restorers]
    engine, restorer = preset.engine, preset.restorer
    if engine == AUTO:
        engine = _engine(preset, catalogue, engines)
    if restorer == AUTO:
        follows = engine not in ("mesh", "none") and preset.device != "cpu"
        here = _first(catalogue, restorers) if follows else None
        restorer = here.name if here is not None and look().torch_cuda else "none"
    if engine not in ("mesh", preset.engine):
        beside = "" if restorer == "none" else f" and {restorer}"
        log.info("engine: %s%s, since there is a graphics card; engine=mesh takes the embedded one", engine, beside)
    return preset.model_copy(update={"engine": engine, "restorer": restorer})


def _engine(preset: Preset, catalogue: Catalogue, engines: Sequence[Entry]) -> str:
    """The first network of the preset's choice that is here and has a card to run on, else the mesh."""
    if preset.device == "cpu" or not engines:
        return "mesh"
    first = _first(catalogue, engines)
    if first is None:
        if shutil.which("nvidia-smi"):
            pull = f"`live models pull {engines[0].name}`"
            log.info("engine: mesh; there is a graphics card, and %s brings a network for it", pull)
        return "mesh"
    if look().torch_cuda:
        return first.name
    log.info(
        "engine: mesh; %s wants a graphics card that torch can use (`live doctor`); engine=%s runs it without",
        first.name,
        first.name,
    )
    return "mesh"


def _first(catalogue: Catalogue, entries: Sequence[Entry]) -> Entry | None:
    """The first that is on this computer, with what it does not run without."""
    return next(
        (
            entry
            for entry in entries
            if all(catalogue.find(each.name) is not None for each in (entry, *needed_by(catalogue, entry)))
        ),
        None,
    )
