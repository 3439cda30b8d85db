"""Bringing a model into the models folder: from a folder of the user's, else from its mirrors in order.

A file gets its name only when it is whole, its hash is right and it is a model; until then it is `NAME.part`, which the
next try goes on with. Fetches what it is told to and asks nobody; the user's word is the command's business.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from live.errors import ModelError
from live.nets.catalogue import Catalogue, Entry
from live.nets.faults import MirrorError
from live.nets.fetch import Limits, Part, Tell, fetch
from live.nets.inspect import inspect_onnx
from live.nets.lock import alone
from live.nets.strangers import MOST_BYTES
from live.nets.verify import expected, hash_of, keep, look

log = logging.getLogger(__name__)

ROOM = 1.5
"""What a file of unknown exact size may have, over the size it is said to have."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is there now."""

    path: Path
    sha256: str
    known: bool
    """Whether the hash was known before; False: it was kept for the next time."""
    source: str
    """Where it came from: a host, a folder, or empty when it was there already."""


def offline_folder() -> Path | None:
    """The folder that is looked into before the network, $LIVE_MODELS_OFFLINE."""
    given = os.environ.get("LIVE_MODELS_OFFLINE")
    return Path(given).expanduser() if given else None


def pull(
    catalogue: Catalogue,
    entry: Entry,
    tell: Tell,
    *,
    only: Path | None = None,
    stall_s: float = 20.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Bring a model's file, check it, give it its name.

    Args: tell: told of the progress. only: a folder to take it from; the network is then left alone.
    Raises: ModelError, one line with every mirror's fault, when it cannot be had.
    """
    path = catalogue.path(entry)
    if entry.embedded or entry.own:
        raise ModelError(f"{entry.name} is not fetched from anywhere; it comes with the program or from you")
    verdict = look(catalogue, entry)
    if verdict.fine:
        return Pulled(path, hash_of(path), True, "")
    if verdict.there:
        raise ModelError(f"{path}: {verdict.text}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(path.with_name(f".{path.name}.lock")) as free:
            if not free:
                raise ModelError(f"{entry.name} is being fetched by another live; wait until it is done")
            return _pull_alone(catalogue, entry, tell, only, stall_s, sleep)
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"cannot write to {path.parent} ({why}); allow it, or name another in LIVE_MODELS") from None


def _pull_alone(
    catalogue: Catalogue, entry: Entry, tell: Tell, only: Path | None, stall_s: float, sleep: Callable[[float], None]
) -> Pulled:
    path, part = catalogue.path(entry), Part(catalogue.path(entry).with_name(f"{entry.file}.part"))
    folder = only or offline_folder()
    if folder is not None:
        try:
            return _finish(catalogue, entry, _copied(entry, folder, path.with_name(f"{entry.file}.copy")), str(folder))
        except MirrorError as error:
            if only is not None:
                raise ModelError(f"cannot take {entry.name} from {folder}: {error}") from None
            log.info("%s: %s; the network is asked", folder, error)
    limits = _limits(entry, stall_s)
    _room(path.parent, (entry.size_bytes or 0) - part.size)
    faults = []
    for url in entry.urls:
        host = urlsplit(url).hostname or url
        try:
            return _from_mirror(catalogue, entry, url, part, limits, tell, sleep)
        except MirrorError as error:
            log.info("%s: %s", host, error)
            faults.append(f"{host} {error}")
    raise ModelError(
        f"cannot bring {entry.name}: {'; '.join(faults)}. Fetch {entry.file} by hand, "
        f"then: live models pull {entry.name} --from FOLDER"
    )


def _from_mirror(
    catalogue: Catalogue,
    entry: Entry,
    url: str,
    part: Part,
    limits: Limits,
    tell: Tell,
    sleep: Callable[[float], None],
) -> Pulled:
    """From one mirror; a part whose whole proves wrong may be of another version, so it is fetched anew once."""
    known = expected(catalogue, entry) is not None
    for resumed in (part.size > 0, False):
        fetch(url, part, limits, trust_part=known, tell=tell, sleep=sleep)
        try:
            return _finish(catalogue, entry, part.path, urlsplit(url).hostname or url)
        except MirrorError:
            if not resumed:
                raise
        finally:
            part.drop()
    raise AssertionError("the second turn returns or raises")


def _finish(catalogue: Catalogue, entry: Entry, fresh: Path, source: str) -> Pulled:
    """Check a whole file and give it its name. Raises: MirrorError when it is another, and removes it."""
    path, known, found = catalogue.path(entry), expected(catalogue, entry), hash_of(fresh)
    try:
        if known is not None and found != known:
            raise MirrorError(f"has another file (sha256 {found[:12]}… instead of {known[:12]}…)")
        try:
            inspect_onnx(fresh)
        except ModelError as error:
            raise MirrorError(f"has no model: {error}") from None
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        if known is None:
            keep(path, found)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return Pulled(path, found, known is not None, source)


def _copied(entry: Entry, folder: Path, fresh: Path) -> Path:
    """A copy of the file in a folder of the user's, under our name or the mirror's. Raises: MirrorError."""
    names = dict.fromkeys([entry.file, *(PurePosixPath(urlsplit(url).path).name for url in entry.urls)])
    for name in names:
        if (folder / name).is_file():
            size = (folder / name).stat().st_size
            if size > _limits(entry, 0).most_bytes or (entry.bytes is not None and size != entry.bytes):
                raise MirrorError(f"{name} has {size} bytes, not those of {entry.name}")
            _room(fresh.parent, size)
            try:
                return shutil.copyfile(folder / name, fresh)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
    raise MirrorError(f"there is no {' or '.join(names)} in it")


def _limits(entry: Entry, stall_s: float) -> Limits:
    most = entry.bytes or (round(entry.megabytes * 1e6 * ROOM) if entry.megabytes else MOST_BYTES)
    return Limits(entry.bytes, min(most, MOST_BYTES), stall_s)


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(
            f"the disk of {folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are to come; "
            "free some, or name another folder in LIVE_MODELS"
        )
