"""Snapshots and recordings of what is shown, started and stopped on air. Never of what was captured.

Knows the session's gate-kept pictures and the outputs' files; nothing about commands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, PngImagePlugin

from live import __version__
from live.errors import OutputError, UsageError
from live.output.contract import Output
from live.output.web import Slot
from live.pixels.host import to_bgr
from live.session import Session

FINISH_S = 30.0


class Keeper:
    """Writes files into one folder."""

    def __init__(self, session: Session, shown: Slot, folder: Path, record: Callable[[Path], Output]) -> None:
        """Args: shown: what the first output shows; record: opens a recording, raises LiveError."""
        self._session, self._shown, self._folder, self._open = session, shown, folder, record
        self._output: Output | None = None
        self._lock = threading.Lock()

    @property
    def recording(self) -> str | None:
        """What is recorded into now, None for nothing."""
        output = self._output
        return output.name if output is not None and output in self._session.outputs else None

    def snapshot(self) -> str:
        """Write the picture that is shown. Raises: OutputError; UsageError before the first picture."""
        _, _, frame = self._shown.newest()
        if frame is None:
            raise UsageError("nothing is shown yet")
        path = self._free(".png")
        about = PngImagePlugin.PngInfo()
        about.add_text("Comment", f"face swapped with live {__version__}")
        try:
            Image.fromarray(to_bgr(frame)[..., ::-1]).save(path, pnginfo=about)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}; set control.folder") from error
        return f"snapshot: {path}"

    def record(self, on: bool) -> str:
        """Start or stop. Raises: LiveError when the file cannot be opened, or cannot be finished."""
        with self._lock:
            return self._start() if on else self._stop()

    def _start(self) -> str:
        if self.recording is not None:
            raise UsageError(f"already recording into {self.recording}")
        output = self._open(self._free(".mp4"))
        self._session.add(output)
        self._output = output
        return f"recording into {output.name}"

    def _stop(self) -> str:
        output, self._output = self._output, None
        if output is None:
            raise UsageError("nothing is recorded")
        if not self._session.remove(output, FINISH_S):
            raise OutputError(f"{output.name} could not be finished in {FINISH_S:g} s")
        return f"recorded: {output.name}"

    def _free(self, ending: str) -> Path:
        """A name that says when, in the folder."""
        stem = time.strftime("live-%Y%m%d-%H%M%S")
        path, number = self._folder / f"{stem}{ending}", 1
        while path.exists():
            number += 1
            path = self._folder / f"{stem}-{number}{ending}"
        return path
