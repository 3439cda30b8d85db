"""Where frames come from: `open_capture` finds the module for an address and imports it only then."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from live.errors import UsageError

from .contract import Capture, CaptureInfo, Wanted

__all__ = ["Capture", "CaptureInfo", "Wanted", "open_capture"]

MODULES = {
    "camera": "camera",
    "screen": "screen",
    "demo": "demo",
    "pattern": "pattern",
    "file": "file",
    "picture": "picture",
    "rtmp": "stream",
    "rtmps": "stream",
    "rtsp": "stream",
    "rtsps": "stream",
    "http": "stream",
    "https": "stream",
    "udp": "stream",
    "tcp": "stream",
    "srt": "stream",
}
"""What stands before the first colon of an address, and the file in this folder that opens it."""

ALLOWED = (
    "camera, camera:0, camera:NAME, the path of a video or picture (or file:PATH), screen, screen:X,Y,W,H, "
    "screen:WINDOW TITLE, rtmp:// rtsp:// http(s):// udp:// tcp:// srt://, demo, demo:NAME, pattern"
)


def open_capture(address: str, wanted: Wanted) -> Capture:
    """Open what an address names: `camera:0`, `clip.mp4`, `screen`, `rtsp://…`, `demo`, `pattern`.

    Raises: UsageError for an address or file that does not exist; CaptureError for one that cannot be opened.
    """
    name, rest = route(address)
    module = import_module(f".{name}", __name__)
    capture: Capture = module.open(rest, wanted)
    return capture


def route(address: str) -> tuple[str, str]:
    """The module for an address and the rest that its `open` takes. Raises: UsageError."""
    address = address.strip()
    if address.isdecimal() or re.fullmatch(r"/dev/video\d+", address):
        return "camera", address
    prefix, _, rest = address.partition(":")
    name = MODULES.get(prefix.lower())
    if name == "stream":
        if rest.startswith("//"):
            return name, address
    elif name in {"file", "picture"}:
        return _route_path(rest)
    elif name is not None:
        return name, rest
    if "://" in address:
        raise UsageError(f"{prefix}:// is not a kind of address; known are {ALLOWED}")
    return _route_path(address)


def _route_path(given: str) -> tuple[str, str]:
    """A still picture or a video, by content."""
    from .path import existing_file, similar_names

    path = Path(given).expanduser()
    looks_like_a_path = path.suffix or path.parent != Path(".") or similar_names(path)
    if not given or not (looks_like_a_path or path.exists()):
        raise UsageError(f"{given!r} is neither a file nor a known address; known are {ALLOWED}")
    existing_file(given)
    from live.pixels.pictures import is_still_picture

    return ("picture" if is_still_picture(path) else "file"), given
