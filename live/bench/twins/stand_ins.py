"""Twins under the names of the catalogue's files, so that engines run on them where the real ones are not at hand.

What they make is noise: they are for speed and memory. Knows the catalogue and twins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from live.bench.twins.catalogue import TWINS, write_twin
from live.errors import OutputError, UsageError
from live.nets.catalogue import load_catalogue

NAMES = {"w600k_r50": "arcface_w600k_r50", "gpen_256": "gpen_bfr_256", "gpen_512": "gpen_bfr_512"}
"""Entries of the catalogue whose twins have another name."""


def write_stand_ins(folder: Path, names: Sequence[str], *, width: float = 1.0) -> Iterator[Path]:
    """Write a twin for each entry, as the file that the entry names. Yields: the paths, as they are done.

    Args: width: less than 1 is narrower.
    Raises: UsageError for a name that is none or has no twin; OutputError where there is a file already, which may be a
    real one, or nothing can be written.
    """
    catalogue = load_catalogue(folder)
    paths = [(name, folder / catalogue.get(name).file) for name in names]
    for name, path in paths:
        if NAMES.get(name, name) not in TWINS:
            known = ", ".join(
                sorted(entry.name for entry in catalogue.entries if NAMES.get(entry.name, entry.name) in TWINS)
            )
            raise UsageError(f"there is no twin of {name}; there are those of {known}")
        if path.exists():
            raise OutputError(f"{path} is there already; twins go into a folder of their own")
    for name, path in paths:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            yield write_twin(NAMES.get(name, name), path, width=width)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from None
