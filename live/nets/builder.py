"""Slow preparations that may hang or crash, in a child process: its result is a folder, whole or not at all.

The child gets its task as JSON and a folder to fill; it says JSON lines on its stdout: `{"note": "..."}` for the user,
`{"error": "..."}` when it gives up. Its stdin ends with this process, and so does the child. Knows processes and
folders; knows nothing about what is built.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import live
from live.errors import ModelError

log = logging.getLogger(__name__)

READY = "ready.json"
"""A folder with this file is whole."""
STILL_S = 15.0
"""So often a build that says nothing is reported to be still going on."""
_UNFINISHED = ".unfinished-"
_LOOK_S = 0.1
"""So often it is looked whether the child has ended."""
_LEAVE_S = 1.0
_LINE_BYTES = 4096
_OLD_S = 24 * 3600.0


class Builder:
    """One build; `run` on any thread, `cancel` from any other."""

    def __init__(self, what: str, folder: Path, task: Mapping[str, Any], *, module: str, limit_s: float) -> None:
        """Args: what: its name for the user; folder: where the result goes; task: anything JSON; module: the program
        of the child; limit_s: how long it may take.
        """
        self._what, self._folder, self._task = what, folder, dict(task)
        self._module, self._limit_s = module, limit_s
        self._cancelled = threading.Event()
        self._error = ""

    def run(self) -> Path:
        """Build, or find built already. Returns: the folder, whole.

        Raises: ModelError, one line, when the child gives up, crashes or takes too long, or this was cancelled.
        """
        if (self._folder / READY).is_file():
            return self._folder
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            _sweep(self._folder.parent)
            work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._folder.parent))
        except OSError as error:
            raise ModelError(
                f"{self._what}: cannot write to {self._folder.parent} ({error.strerror or error})"
            ) from error
        try:
            self._build(work)
            self._put_in_place(work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self._folder

    def cancel(self) -> None:
        """End the build; `run` raises. May be called at any time and again."""
        self._cancelled.set()

    def _build(self, work: Path) -> None:
        started_s = time.monotonic()
        process = self._start(work)
        listener = threading.Thread(
            target=self._listen, args=(process.stdout,), name=f"{self._what} build", daemon=True
        )
        listener.start()
        try:
            self._wait(process, started_s)
        finally:
            _end(process)
            listener.join(_LEAVE_S)
        if process.returncode != 0 or not (work / READY).is_file():
            raise ModelError(f"{self._what}: {self._error or f'its process ended with {process.returncode}'}")
        log.info("%s: ready after %.0f s", self._what, time.monotonic() - started_s)

    def _wait(self, process: subprocess.Popen[bytes], started_s: float) -> None:
        """Until the child ends. Raises: ModelError when it takes too long or this was cancelled."""
        told_s = started_s
        while process.poll() is None:
            now_s = time.monotonic()
            if self._cancelled.wait(_LOOK_S):
                raise ModelError(f"{self._what}: cancelled")
            if now_s - started_s > self._limit_s:
                raise ModelError(
                    f"{self._what}: not done after {self._limit_s:g} s; --set nets.build_limit_s=N gives it longer"
                )
            if now_s - told_s > STILL_S:
                told_s = now_s
                log.info("%s: still building, %.0f s", self._what, now_s - started_s)

    def _start(self, work: Path) -> subprocess.Popen[bytes]:
        """Start the child in a session of its own: Ctrl+C in the terminal is our business, not the child's."""
        home = str(Path(live.__file__).parent.parent)
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", self._module, json.dumps({**self._task, "folder": str(work)})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=os.name == "posix",
                creationflags=flags,
            )
        except OSError as error:
            raise ModelError(f"{self._what}: its process cannot be started ({error.strerror or error})") from error

    def _listen(self, lines: IO[bytes]) -> None:
        """Take what the child says until it ends. Runs on a thread of its own."""
        with lines:
            while line := lines.readline(_LINE_BYTES):
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if isinstance(said, dict) and "error" in said:
                    self._error = " ".join(str(said["error"]).split())[:300]
                elif isinstance(said, dict) and "note" in said:
                    log.info("%s: %s", self._what, " ".join(str(said["note"]).split())[:200])

    def _put_in_place(self, work: Path) -> None:
        try:
            os.replace(work, self._folder)
        except OSError as error:
            if not (self._folder / READY).is_file():  # else another process was faster with the same
                reason = error.strerror or error
                raise ModelError(f"{self._what}: cannot be kept in {self._folder} ({reason}); delete it") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child, whatever it does."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    if process.poll() is None:
        process.kill()
    process.wait()


def _sweep(folder: Path) -> None:
    """Drop what a build left that was cut off with its parent."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_S:
                shutil.rmtree(path, ignore_errors=True)
