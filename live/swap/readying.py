"""Making something heavy ready on a thread of its own, with every source face that was asked for meanwhile.

For every slow preparation: building, loading, warming up. Knows no engines, only that what is made can prepare source
faces and be closed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from live.errors import LiveError
from live.values import SourceFace

log = logging.getLogger(__name__)

MOST_SOURCES = 32
"""Source faces that what is made is prepared for; the newest."""


class Heavy(Protocol):
    """What takes long to be ready."""

    name: str

    def prepare(self, source: SourceFace) -> None:
        """Do whatever a source face needs once."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


Made = TypeVar("Made", bound=Heavy)


class Readying(Generic[Made]):
    """Makes one heavy thing; any thread."""

    def __init__(self, make: Callable[[], Made], stays: str, *, cancel: Callable[[], None] = lambda: None) -> None:
        """Args: stays: who stays on air when it fails, for the log; cancel: ends `make` early."""
        self._make, self._stays, self._cancel = make, stays, cancel
        self._sources: dict[str, SourceFace] = {}
        self._made: Made | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.settled = threading.Event()
        """Set when it is ready or given up."""
        self._thread = threading.Thread(target=self._run, name="heavy engine", daemon=True)

    @property
    def made(self) -> Made | None:
        """What is ready; None before, and after it was dropped."""
        return self._made

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def prepare(self, source: SourceFace) -> None:
        """Remember a source face for what is being made, or prepare it where it is made."""
        with self._lock:
            self._sources.pop(source.key, None)
            self._sources[source.key] = source
            for key in list(self._sources)[:-MOST_SOURCES]:
                del self._sources[key]
            made = self._made
        if made is not None:
            made.prepare(source)

    def drop(self) -> None:
        """Close what was made: it failed."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def close(self) -> None:
        """Give up what is still being made, and free what was."""
        self._closed.set()
        self._cancel()
        self.drop()

    def _run(self) -> None:
        try:
            made = self._make()
        except LiveError as error:
            if not self._closed.is_set():
                log.error("%s stays on air: %s", self._stays, error)
            return self.settled.set()
        except Exception:
            log.exception("%s stays on air: the other engine could not be made", self._stays)
            return self.settled.set()
        if not self._offer(made):
            made.close()
        return self.settled.set()

    def _offer(self, made: Made) -> bool:
        """Hand it over as soon as it knows all source faces; False when it cannot be used."""
        known: set[str] = set()
        while True:
            with self._lock:
                if self._closed.is_set():
                    return False
                missing = [source for key, source in self._sources.items() if key not in known]
                if not missing:
                    self._made = made
                    return True
            try:
                for source in missing:
                    made.prepare(source)
                    known.add(source.key)
            except LiveError as error:
                log.error("%s stays on air, %s cannot take its place: %s", self._stays, made.name, error)
                return False
            except Exception:
                log.exception("%s stays on air, %s cannot take its place", self._stays, made.name)
                return False
