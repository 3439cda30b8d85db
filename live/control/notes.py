"""The last lines of the log, for those who cannot see the terminal. Knows the logging module only."""

from __future__ import annotations

import logging
import time
from collections import deque

KEPT = 100
MOST_LETTERS = 300


class Notes(logging.Handler):
    """Keeps the newest lines; only what people are told, no tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[dict[str, object]] = deque(maxlen=KEPT)
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._number += 1
        text = record.getMessage()[:MOST_LETTERS]
        level = record.levelname.lower()
        self._lines.append({"number": self._number, "at": time.strftime("%H:%M:%S"), "level": level, "text": text})

    def newest(self, count: int = KEPT) -> list[dict[str, object]]:
        """Return the newest lines, the oldest of them first: number, at, level, text."""
        return list(self._lines)[-count:]
