"""A file that somebody else made, at first sight: what it says it is, and where it may point.

Reads nothing but its head.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from live.errors import ModelError

MOST_BYTES = 2**31 - 1
"""Of a model file: what protobuf can hold."""
PICKLED = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"})


def refuse_strangers(path: Path) -> None:
    """Refuse by name, size and first bytes what can be no model, saying what it is. Raises: ModelError."""
    try:
        if not path.is_file():
            raise ModelError(f"no file {path}; give the path of an ONNX or DFM file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}); allow it and try again") from None
    if not head:
        raise ModelError(f"{path.name} is empty; get it again from where it came")
    if size > MOST_BYTES:
        raise ModelError(f"{path.name} has {size / 1e9:.1f} GB; a model has at most {MOST_BYTES / 1e9:.1f}")
    what = _stranger(path, head)
    if what:
        raise ModelError(f"{path.name} {what}")


def _stranger(path: Path, head: bytes) -> str:
    pickled = "which may run any code when it is opened; live never opens it. Ask for an ONNX file, or export one"
    if path.suffix.lower() in PICKLED:
        return f"is a PyTorch or pickle file, {pickled}"
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return f"is a pickle under another name, {pickled}"
    if head[:4] == b"PK\x03\x04":
        return f"is a zip archive, perhaps a PyTorch file, {pickled}; what was only packed, unpack first"
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not a model: the download gave an error page; open its address in a browser"
    if start.startswith(b"version https://git-lfs"):
        return "is only a pointer of git-lfs; fetch the file itself (git lfs pull, or the page's download button)"
    return ""


def inside(folder: Path, location: str) -> Path | None:
    """The file of a relative location, links followed; None where it is not inside the folder."""
    for kind in (PurePosixPath, PureWindowsPath):
        given = kind(location)
        if given.is_absolute() or given.anchor or ".." in given.parts:
            return None
    if not location or "\x00" in location:
        return None
    try:
        root, file = folder.resolve(), (folder / location).resolve()
    except (OSError, RuntimeError):
        return None
    return file if file.is_relative_to(root) and file != root else None


def shown(text: str) -> str:
    """A stranger's text as it can be shown on one line."""
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
