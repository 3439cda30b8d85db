"""Taking a user's own model file into the models folder, with an entry that says what it is.

The file is looked at before it is copied and never run. An entry is YAML beside its file, for the user to mend.
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from live.consent import checked_consent
from live.errors import ModelError, UsageError
from live.nets.catalogue import Catalogue, Entry
from live.nets.inspect import inspect_onnx
from live.nets.kinds import Kind, kind_of
from live.nets.refill import with_weights
from live.nets.safetensors import inspect_safetensors
from live.nets.strangers import refuse_strangers
from live.nets.verify import forget, hash_of

SUFFIXES = (".onnx", ".dfm")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user says about the file."""

    file: Path
    name: str | None = None
    role: str | None = None
    family: str | None = None
    network: str | None = None
    licence: str | None = None
    consent: str = ""


def add(catalogue: Catalogue, wish: Wish) -> tuple[Entry, str]:
    """Copy a file into the models folder and write its entry; whole or not at all.

    Returns: the entry, and what the file was taken for. A file of the catalogue's becomes that one.
    Raises: ModelError or UsageError, one line, for a file that live cannot use, and ConsentError for a network with
    somebody's face inside and no statement of consent.
    """
    if wish.file.suffix.lower() == ".safetensors":
        return _add_weights(catalogue, wish)
    kind = _look(wish)
    sha256 = hash_of(wish.file)
    for entry in catalogue.entries:
        if entry.sha256 == sha256 and not entry.embedded:
            if not entry.own:
                _place(wish.file, catalogue.path(entry))
            return entry, f"the catalogue's {entry.name}" if not entry.own else f"{entry.name}, which is there already"
    if kind.fields is None:
        raise ModelError(f"{wish.file.name} is {kind.title}; live has its own and cannot use another yet")
    entry = _entry(catalogue, wish, kind, sha256)
    _place(wish.file, catalogue.path(entry))
    _write(catalogue.folder / f"{entry.name}.yaml", entry)
    return entry, kind.title


def remove(catalogue: Catalogue, entry: Entry) -> None:
    """Delete a model's file, its part and its kept hash, and of the user's own the entry. Raises: ModelError."""
    if entry.embedded:
        raise ModelError(f"{entry.name} comes with the program and stays")
    path = catalogue.path(entry)
    others = [path.with_name(path.name + suffix) for suffix in (".part", ".part.tag")]
    if entry.own:
        others.append(catalogue.folder / f"{entry.name}.yaml")
    if not any(one.is_file() for one in (path, *others)):
        raise ModelError(f"the model {entry.name} is not on this computer; there is nothing to remove")
    try:
        for one in (path, *others):
            one.unlink(missing_ok=True)
        forget(path)
    except OSError as error:
        raise ModelError(f"cannot remove {path} ({error.strerror or error}); allow it and try again") from None


def needs(catalogue: Catalogue, entry: Entry) -> list[str]:
    """What a model works with and is not there yet: the commands that bring it."""
    if entry.identity is None or entry.identity.kind != "embedding":
        return []
    names = [entry.identity.recogniser, *([entry.identity.projector] if entry.identity.projector else [])]
    known = {one.name for one in catalogue.entries}
    return [
        f"live models pull {name}" if name in known else f"live models add FILE --name {name}"
        for name in names
        if name not in known or catalogue.find(name) is None
    ]


def _add_weights(catalogue: Catalogue, wish: Wish) -> tuple[Entry, str]:
    """Weights without a network become a copy of a network that is here, with them in it."""
    weights = inspect_safetensors(wish.file)
    if wish.network is None:
        numbers = sum(math.prod(size or 0 for size in stored.tensor.shape) for stored in weights)
        raise UsageError(
            f"{wish.file.name} holds {len(weights)} weights ({numbers / 1e6:.1f} million numbers) and no network that "
            "says what to do with them; name the model here that they belong to with --network, or export it as ONNX"
        )
    base = catalogue.get(wish.network)
    whole = with_weights(catalogue.need(base.name), wish.file, weights)
    fields = base.model_dump(exclude_unset=True)
    licence = {"licence": _licence(wish.licence)} if wish.licence else {}
    about = f"{base.name} with the weights of {wish.file.name}"[:300]
    sha256 = hashlib.sha256(whole).hexdigest()
    changes = {"about": about, "embedded": False, "urls": (), "bytes": len(whole), "megabytes": None, "sha256": sha256}
    entry = _checked(catalogue, wish, {**fields, **changes, **licence}, ".onnx")
    with _writing(catalogue.path(entry)) as fresh:
        fresh.write_bytes(whole)
    _write(catalogue.folder / f"{entry.name}.yaml", entry)
    return entry, about


def _look(wish: Wish) -> Kind:
    """What the file is. Raises: ModelError, UsageError."""
    suffix = wish.file.suffix.lower()
    refuse_strangers(wish.file)
    if suffix not in SUFFIXES:
        raise UsageError(f"{wish.file.name} does not end with {' or '.join(SUFFIXES)}; give a model in such a file")
    found = inspect_onnx(wish.file)
    if found.external:
        raise ModelError(
            f"{wish.file.name} keeps its weights in another file, {found.external[0]!r}; save it as one file: "
            "python -c \"import onnx; onnx.save(onnx.load('OLD'), 'NEW')\""
        )
    try:
        return kind_of(found, wish.family or f"{wish.name or ''} {wish.file.stem}", wish.role)
    except UsageError as error:
        raise UsageError(f"{wish.file.name}: {error}") from None


def _entry(catalogue: Catalogue, wish: Wish, kind: Kind, sha256: str) -> Entry:
    fields: dict[str, Any] = {
        "role": kind.role,
        "family": kind.family,
        "about": kind.title,
        "bytes": wish.file.stat().st_size,
        "sha256": sha256,
        "licence": _licence(wish.licence),
        **(kind.fields or {}),
    }
    if kind.role == "swapper" and "identity" not in fields:
        fields["consent"] = checked_consent(wish.consent, wish.file, "live models add {photo}")
    return _checked(catalogue, wish, fields, wish.file.suffix.lower())


def _licence(text: str | None) -> dict[str, str]:
    unknown = "nothing was said about it; ask its author before you show or hand on what it makes"
    note = "as the user said when it was added" if text else unknown
    return {"name": text or "unknown", "commercial": "unclear", "redistribution": "unclear", "note": note}


def _checked(catalogue: Catalogue, wish: Wish, fields: dict[str, Any], suffix: str) -> Entry:
    """The entry, under a name that is free. Raises: UsageError, ModelError."""
    name = wish.name or re.sub(r"[^a-z0-9_.-]+", "_", wish.file.stem.lower()).strip("_.-")[:64]
    file = f"{name}{suffix}"
    for entry in catalogue.entries:
        if name == entry.name or file.casefold() == entry.file.casefold():
            or_else = f", or first: live models remove {entry.name}" if entry.own else ""
            raise UsageError(f"the name {name} is taken by the model {entry.name}; choose another --name{or_else}")
    try:
        return Entry.model_validate({**fields, "name": name, "file": file, "own": True})
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"][:1] in (("name",), ("file",)):
            raise UsageError(f"{name!r} cannot be a name: up to 64 of a-z 0-9 _ . -; choose another --name") from None
        raise ModelError(f"{wish.file.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _place(source: Path, path: Path) -> None:
    """Copy a file under its name, whole or not at all; one that lies there already stays."""
    if path.exists():
        if source.samefile(path):
            return
        raise UsageError(f"there is a file {path} already; remove it, or choose another --name")
    with _writing(path) as fresh:
        shutil.copyfile(source, fresh)


def _write(path: Path, entry: Entry) -> None:
    values = entry.model_dump(mode="json", exclude_unset=True, exclude={"own"})
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    with _writing(path) as fresh:
        fresh.write_text(f"# Written by `live models add`; what the keys mean: live/nets/entry.py.\n{text}", "utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    fresh = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield fresh
        fresh.replace(path)
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"cannot write {path} ({why}); allow it, free some space, or set LIVE_MODELS") from None
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
