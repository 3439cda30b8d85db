"""The user's models: where they lie, how many are there, and whether their sizes are right. Reads no file."""

from __future__ import annotations

from live.doctor.finding import Finding
from live.errors import LiveError
from live.nets import verify
from live.nets.catalogue import Catalogue, load_catalogue


def judge(catalogue: Catalogue) -> Finding:
    """Judge the models of a folder. None at all is fine: the embedded engine needs none."""
    others = [entry for entry in catalogue.entries if not entry.embedded]
    seen = [(entry, verify.look(catalogue, entry, hashed=False)) for entry in others]
    there = [(entry, verdict) for entry, verdict in seen if verdict.there]
    if not there:
        text = f"none in {catalogue.folder}; the embedded engine needs none"
        return Finding("models", True, text, ("live models list   # what there is, and its licences",))
    broken = [entry for entry, verdict in there if not verdict.fine]
    size = sum(catalogue.path(entry).stat().st_size for entry, _ in there) / 1e6
    text = f"{len(there)} of {len(others)} in {catalogue.folder}, {size:.0f} MB"
    if not broken:
        return Finding("models", True, f"{text}, sizes right; `live models verify` reads them whole")
    names = ", ".join(entry.name for entry in broken)
    mend = [step for entry in broken for step in (f"live models remove {entry.name}", verify.bring(entry))]
    return Finding("models", False, f"{text}; not whole: {names}", tuple(mend))


def look() -> Finding:
    """The models of this user."""
    try:
        return judge(load_catalogue())
    except (LiveError, OSError) as error:
        return Finding(
            "models", False, f"cannot be looked at: {error}", ("pip install --force-reinstall live-faceswap",)
        )
