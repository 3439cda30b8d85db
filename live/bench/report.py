"""What every `live bench` report shares: the machine it was measured on, where it may be written, and writing it."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from live import __version__
from live.errors import OutputError


def head(**more: Any) -> dict[str, Any]:
    """Begin a report: the program's version, the machine, and what else the bench has to say of itself."""
    return {"live": __version__, "machine": machine(), **more}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return {"cpu": name, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def check_places(**places: Path | None) -> None:
    """Look before the long work whether files can be written later. Raises: OutputError with the option's name.

    Args: places by their option: json=..., sheet=...; None is not asked for.
    """
    for option, path in places.items():
        if path is not None and (path.is_dir() or not path.resolve().parent.is_dir()):
            raise OutputError(f"{path} cannot be written; choose a file in a folder that exists with --{option}")


def write_json(report: dict[str, Any], path: Path) -> None:
    """Write the report. Raises: OutputError when the file cannot be written."""
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place with --json") from None
