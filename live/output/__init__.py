"""Where pictures go: one file per kind of output, found by the address.

Knows the addresses, nothing about what the outputs do with pictures. A kind is imported when it is named.
"""

from __future__ import annotations

import importlib
from pathlib import PurePath

from live.addresses import without_key
from live.errors import UsageError
from live.output.contract import Format, Output

KINDS = {
    "virtualcam": "live.output.virtualcam",
    "window": "live.output.window",
    "file": "live.output.file",
    "web": "live.output.web",
    "stream": "live.output.stream",
    "null": "live.output.null",
}
"""Word before the colon -> module with `open(rest, format) -> Output`."""

RECORDINGS = (".mp4", ".mov", ".mkv")
"""Endings that make an address a file even without `file:`."""

STREAMS = ("rtmp", "rtmps", "rtsp", "rtsps", "udp", "tcp", "srt")
"""Words before `://` that make an address a server's, even without `stream:`."""

WATCHED = {"auto", "virtualcam", "window", "web", "stream", *STREAMS}
"""Outputs at which somebody looks now; files and null take every picture, however late."""

ALLOWED = (
    "virtualcam, virtualcam:/dev/video10, window, web, web:8910, null, rtmp://server/app/key, rtsp://server/path, "
    "udp://server:port, tcp://server:port, or a file name ending in " + ", ".join(RECORDINGS)
)


def open_output(address: str, format: Format) -> Output:
    """Open the output an address names.

    Args: address `KIND`, `KIND:REST`, a server's address or the name of a video file; format what the pictures are.
    Raises: UsageError for an address that means nothing; OutputError when the device or file cannot be opened.
    """
    address = address.strip()
    kind, colon, rest = address.partition(":")
    if rest.startswith("//") and kind.lower() in STREAMS:
        kind, rest = "stream", address
    elif rest.startswith("//"):
        raise UsageError(f"output {without_key(address)!r}: nothing streams to such an address; allowed: {ALLOWED}")
    if not colon and kind.partition("?")[0] in KINDS:
        kind, mark, options = kind.partition("?")
        rest = mark + options
    if kind not in KINDS and PurePath(address).suffix.lower() in RECORDINGS:
        kind, rest = "file", address
    if kind not in KINDS:
        raise UsageError(f"output {address!r} is unknown; allowed: {ALLOWED}")
    if colon and not rest:
        raise UsageError(f"output {address!r}: nothing after the colon; allowed: {ALLOWED}")
    output: Output = importlib.import_module(KINDS[kind]).open(rest, format)
    return output
