"""`live licences`: under which terms everything is that the program was installed with.

Told from what the packages say of themselves: imports none of them, asks no network. What a package's own words leave
out, that its wheel carries libraries of others, stands in NOTES.
"""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from live.errors import LiveError

PROJECT = "live-faceswap"
MISSING = "NOT INSTALLED"
WIDTH = 118
SHORT = 60
"""A longer `License` field is the licence's text, not its name."""
TEXTS = ("licen", "unlicen", "copying", "notice", "thirdparty", "third-party", "third_party")
"""How files with a licence's text begin, in small letters."""
CODE = {".py", ".pyi", ".pyc", ".h", ".hpp", ".so"}

NOTES = (
    "The code of live is MIT, and so are the embedded networks, whose cards are in models/; the mesh topology is "
    "MediaPipe's (Apache-2.0). The bundled people are composites, nobody's likeness.",
    "pyvirtualcam is GPL-2.0. PyAV's wheel carries an FFmpeg with x264 and x265, which are GPL. opencv-python's wheel "
    "carries an FFmpeg and, on Linux, Qt, which are LGPL. Installing and using them asks nothing of you. Whoever hands "
    "on a bundle with them inside (an installer, a container image) hands it on under the GPL, with its text and the "
    "sources.",
    'pyvirtualcam does not say "or later", and other parts are Apache-2.0 or LGPL-3.0, which do not go well with '
    "GPL-2.0 alone. Ask somebody who knows the law before you hand on such a bundle.",
    "NVIDIA's CUDA libraries, which torch brings where it is made for their cards, have NVIDIA's own terms, which "
    "limit handing on.",
    "Networks of the catalogue have the terms of their owners: `live models licence NAME`.",
    "This list says what the packages say of themselves. It is no legal advice.",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One distribution that the program needs or was given."""

    name: str
    version: str
    """Empty where it is not installed."""
    licence: str
    files: tuple[Path, ...] = ()
    """Its licence texts."""
    asked_by: tuple[str, ...] = ()
    """The distributions that need it, by name."""
    extra: bool = False
    """Only an extra of the project asks for it."""


def parts(project: str = PROJECT) -> list[Part]:
    """The project first, then all it needs here, and theirs; then what is installed of its extras. Each by name.

    Raises: LiveError when the project itself runs from a folder without being installed.
    """
    root = _installed(project)
    if root is None:
        raise LiveError(f"{project} is not installed, so nothing says what it needs; pip install -e . in its folder")
    needed = _asked(project, [""])
    wished = _asked(project, root.metadata.get_all("Provides-Extra") or [])
    extras = wished.keys() - needed.keys() - {canonicalize_name(project)}
    found = [_part(project, set())]
    found += [_part(name, needed[name]) for name in sorted(needed)]
    return found + [_part(name, wished[name], extra=True) for name in sorted(extras) if _installed(name)]


def lines(found: list[Part], *, files: bool = False) -> Iterator[str]:
    """The table and the notes, as wide as our lines. Args: files: with the paths of the licences' texts."""
    titles = Part("name", "version", "licence")
    name_width = max(len(part.name) for part in (titles, *found))
    version_width = max(len(part.version) for part in (titles, *found))
    extra = False
    for part in (titles, *found):
        if part.extra and not extra:
            yield from ("", "only for extras of the project:")
        extra = part.extra
        head = f"{part.name:{name_width}}  {part.version or '-':{version_width}}  "
        yield from textwrap.wrap(part.licence, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
        if files:
            yield from (f"    {file}" for file in part.files)
    for note in NOTES:
        yield ""
        yield from textwrap.wrap(note, WIDTH, break_on_hyphens=False)


def as_json(found: list[Part]) -> dict[str, Any]:
    """The same for programs: `parts` with the fields of Part, and `notes`."""
    rows = [{**asdict(part), "files": [str(file) for file in part.files]} for part in found]
    return {"parts": rows, "notes": list(NOTES)}


def _asked(project: str, extras: Iterable[str]) -> dict[str, set[str]]:
    """Who asks for what, by normal name, followed from the project's extras ("": what it always needs) to the end."""
    asked: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = deque((project, extra) for extra in extras)
    while waiting:
        link = waiting.popleft()
        asker = _installed(link[0])
        if link in seen or asker is None:
            continue
        seen.add(link)
        for need in _needs(asker, link[1]):
            name = canonicalize_name(need.name)
            asked.setdefault(name, set()).add(asker.metadata["Name"])
            waiting.extend((name, extra) for extra in ("", *sorted(need.extras)))
    return asked


def _installed(name: str) -> Distribution | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return found if "Version" in found.metadata else None  # a folder that a broken removal left behind has none


def _needs(asker: Distribution, extra: str) -> Iterator[Requirement]:
    """What a distribution needs on this system; for an extra only what is needed besides."""
    for text in asker.requires or ():
        need = Requirement(text)
        always = need.marker is None or need.marker.evaluate({"extra": ""})
        if always if not extra else not always and need.marker is not None and need.marker.evaluate({"extra": extra}):
            yield need


def _part(name: str, askers: set[str], *, extra: bool = False) -> Part:
    found, asked_by = _installed(name), tuple(sorted(askers, key=str.casefold))
    if found is None:
        return Part(name, "", f"{MISSING}; {', '.join(asked_by)} asks for it", (), asked_by, extra)
    files = tuple(sorted(_texts(found)))
    return Part(found.metadata["Name"], found.version, _licence(found.metadata, bool(files)), files, asked_by, extra)


def _licence(metadata: PackageMetadata, has_files: bool) -> str:
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    field = metadata["License"].strip() if "License" in metadata else ""
    if field and field != "UNKNOWN" and "\n" not in field and len(field) <= SHORT:
        return field
    classifiers = [text for text in metadata.get_all("Classifier") or () if text.startswith("License :: ")]
    named = [last for text in classifiers if (last := text.rpartition(" :: ")[2]) != "OSI Approved"]
    return " / ".join(named) or ("see its files" if has_files else "not stated")


def _texts(found: Distribution) -> Iterator[Path]:
    for file in found.files or ():
        is_text = file.name.casefold().startswith(TEXTS) and file.suffix not in CODE
        if is_text or ".dist-info/licenses/" in file.as_posix():
            yield Path(str(found.locate_file(file)))
