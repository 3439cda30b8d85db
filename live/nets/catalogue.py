"""The catalogue: every model the program knows, and where its file lies on this computer.

models/catalogue.yaml ships with the program; the user's own entries lie as YAML beside their files in the models
folder. Reads and finds; fetches nothing (live/nets/pull.py does) and opens no network.
"""

from __future__ import annotations

import difflib
import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from live.config import plain_yaml
from live.errors import ModelError, UsageError
from live.nets.entry import Entry as Entry
from live.resources import home_dir, models_dir

log = logging.getLogger(__name__)

MOST_BYTES, MOST_OWN_BYTES = 256 * 1024, 16 * 1024
"""Of the program's catalogue, and of one entry of the user's."""
SHARED = ("role", "family", "licence", "input", "identity", "knobs", "output")
"""What an entry takes over from the one that it is `like`."""
MOST_OWN = 500
"""Entries of the user's that are read."""


@dataclass(frozen=True)
class Catalogue:
    """All entries, and the folder that holds their files."""

    entries: tuple[Entry, ...]
    folder: Path

    @cached_property
    def _by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}

    def get(self, name: str) -> Entry:
        """The entry of a name. Raises: UsageError with near names."""
        if name in self._by_name:
            return self._by_name[name]
        near = difflib.get_close_matches(name.casefold(), self._by_name, 3, 0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self._by_name)};"
        raise UsageError(f"there is no model {name[:80]!r}; {hint} `live models list` shows them, `add` takes your own")

    def path(self, entry: Entry) -> Path:
        """Where the entry's file is, or would be."""
        return (models_dir() if entry.embedded else self.folder) / entry.file

    def find(self, name: str) -> Path | None:
        """The file of a model that is there; None for one that is not. Raises: UsageError for an unknown name."""
        path = self.path(self.get(name))
        return path if path.is_file() else None

    def need(self, name: str) -> Path:
        """The file of a model. Raises: UsageError for an unknown name; ModelError with the command that brings it."""
        path = self.find(name)
        if path is None:
            raise missing(self.get(name))
        return path


def missing(entry: Entry) -> ModelError:
    """The error for a model whose file is not there: one line with the command that brings it."""
    if entry.embedded:
        return ModelError(f"no model file {entry.file}; reinstall live, or restore models/{entry.file} in the checkout")
    if entry.own:
        return ModelError(f"the file of your model {entry.name} is gone; bring it with: live models add FILE")
    size = f" ({entry.size_bytes / 1e6:.0f} MB)" if entry.size_bytes else ""
    return ModelError(
        f"the model {entry.name} is not on this computer; bring it{size} with: live models pull {entry.name}"
    )


def models_folder() -> Path:
    """The user's models: $LIVE_MODELS, else `models` in $LIVE_HOME or in the platform's folder for user data."""
    given = os.environ.get("LIVE_MODELS")
    return Path(given).expanduser() if given else home_dir() / "models"


def load_catalogue(folder: Path | None = None) -> Catalogue:
    """Read the catalogue and the user's entries.

    A broken entry of the user's is logged with what to do and left out; so is one that has the name of another.
    Args: folder: None is the user's models folder.
    Raises: ModelError when the program's own catalogue is broken.
    """
    folder = folder or models_folder()
    shipped = _shipped()
    taken = {entry.name for entry in shipped}
    files = {entry.file.casefold() for entry in shipped}
    own = []
    for path in _own_files(folder):
        try:
            entry = read_entry(path)
        except ModelError as error:
            log.warning("%s", error)
            continue
        if entry.name in taken or entry.file.casefold() in files:
            log.warning("%s: the name %s or its file is taken by another entry; it is left out", path.name, entry.name)
            continue
        taken.add(entry.name)
        files.add(entry.file.casefold())
        own.append(entry)
    return Catalogue((*shipped, *own), folder)


def read_entry(path: Path) -> Entry:
    """Read one of the user's entries. Raises: ModelError, one line."""
    values = _read(path, MOST_OWN_BYTES)
    if not isinstance(values, dict):
        raise ModelError(f"{path.name}: not an entry of the catalogue; remove it from {path.parent}")
    entry = _entry({**values, "own": True, "embedded": False, "urls": []}, path.name)
    if path.stem != entry.name:
        raise ModelError(f"{path.name}: says that its name is {entry.name}; rename it to {entry.name}.yaml")
    return entry


def _shipped() -> tuple[Entry, ...]:
    path = models_dir() / "catalogue.yaml"
    values = _read(path)
    try:
        licences, models = values["licences"], {item["name"]: item for item in values["models"]}
        for item in models.values():
            like = models[item.pop("like")] if "like" in item else {}
            item.update({key: like[key] for key in SHARED if key in like and key not in item})
        named = [{**item, "licence": licences[item["licence"]]} for item in models.values()]
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path.name}: not the catalogue of live ({error!r}); reinstall live") from None
    return tuple(_entry(item, path.name) for item in named)


def _entry(values: Any, origin: str) -> Entry:
    try:
        return Entry.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = values.get("name") if isinstance(values, dict) else None
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{origin}: {name or 'an entry'}: {where or 'entry'}: {first['msg']}") from None


def _own_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.yaml") if path.is_file())[:MOST_OWN]
    except OSError as error:
        log.warning("cannot read the models folder %s (%s)", folder, error.strerror or error)
        return []


def _read(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    try:
        if path.stat().st_size > most_bytes:
            raise ModelError(f"{path.name}: larger than {most_bytes // 1024} KiB, no entry of the catalogue")
        return plain_yaml(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
