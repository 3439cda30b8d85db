"""Where running programs can be reached: a small file for each, which only this user can read.

Knows files and process numbers; nothing about what is said. A file whose process is gone is as good as none.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from live.errors import UsageError
from live.resources import home_dir

MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Reach:
    """How one running program is reached."""

    process: int
    host: str
    port: int
    token: str | None


def announce(reach: Reach) -> Path | None:
    """Write the file of this program. None where it cannot be: then `live ctl --port` has to be told."""
    path = _folder() / f"{reach.process}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(reach), file)
    except OSError:
        return None
    return path


def withdraw(path: Path | None) -> None:
    """Remove the file again."""
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def running() -> list[Reach]:
    """The programs that run now, the newest first."""
    found = []
    for path in _folder().glob("*.json"):
        try:
            reach, begun_s = _read(path), path.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if _is_alive(reach.process):
            found.append((begun_s, reach))
        else:
            withdraw(path)
    return [reach for _, reach in sorted(found, key=lambda pair: pair[0], reverse=True)]


def choose(port: int | None) -> Reach:
    """The program on a port, or the only one there is. Raises: UsageError."""
    found = running()
    if port is not None:
        return next((reach for reach in found if reach.port == port), Reach(0, "127.0.0.1", port, None))
    if not found:
        raise UsageError("no live is running for this user; start one, or name its --port")
    if len(found) > 1:
        ports = ", ".join(str(reach.port) for reach in found)
        raise UsageError(f"{len(found)} of them are running; choose with --port: {ports}")
    return found[0]


def _folder() -> Path:
    return home_dir() / "running"


def _read(path: Path) -> Reach:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("too large")
    values = json.loads(path.read_text("utf-8"))
    token = values["token"]
    return Reach(
        int(values["process"]), str(values["host"]), int(values["port"]), None if token is None else str(token)
    )


def _is_alive(process: int) -> bool:
    if os.name == "nt":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, 0, process)  # type: ignore[attr-defined]  # may be asked
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)  # type: ignore[attr-defined]
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
