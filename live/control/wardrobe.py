"""The source faces of one run: prepared ahead on a thread of their own, so that putting one on costs no picture.

Whoever is wanted and not ready yet comes first. Knows names and how to load and prepare; nothing about who wears what.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import cv2

from live.errors import LiveError, UsageError
from live.faces.landmarker import MESH_POINTS
from live.values import SourceFace

log = logging.getLogger(__name__)

READY = 12
"""Source faces that are kept ready; every engine keeps more."""
NICENESS = 5
"""Of the preparing thread on Linux, where each thread has its own: frames come first."""
END_S = 10.0
THUMBNAIL_PX = 160
JPEG_QUALITY = 85

Then = Callable[[SourceFace], None]


class Wardrobe:
    """Names, and the faces that are ready. May be asked from any thread."""

    def __init__(
        self, names: Sequence[str], load: Callable[[str], SourceFace], prepare: Callable[[SourceFace], None]
    ) -> None:
        """Args: names of all faces, in order; load: gives one; prepare: does what the engine needs, slowly. Both raise
        LiveError.
        """
        self.names = tuple(names)
        self._load, self._prepare = load, prepare
        self._ready: OrderedDict[str, SourceFace] = OrderedDict()
        self._thumbnails: dict[str, bytes] = {}
        self._wanted: dict[str, tuple[str, Then]] = {}
        self._ahead: deque[str] = deque()
        self._closed = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="prepare", daemon=True)

    def start(self, first: str | None) -> None:
        """Begin to prepare ahead, in the order in which `next-face` comes to them from `first` on."""
        self._queue(first)
        self._thread.start()

    @property
    def ready(self) -> tuple[str, ...]:
        """Names of the faces that can be put on at once."""
        return tuple(self._ready)

    def want(self, name: str, for_whom: str, then: Then) -> bool:
        """Put a face on: `then` is called with it, at once when it is ready. The last wish for somebody counts.

        Returns: whether it was ready. Raises: UsageError for an unknown name.
        """
        if name not in self.names:
            raise UsageError(f'no face "{name[:60]}"; there are: {", ".join(self.names)}')
        with self._condition:
            source = self._ready.get(name)
            if source is None:
                self._wanted[for_whom] = (name, then)
                self._condition.notify()
                return False
            self._wanted.pop(for_whom, None)
        then(source)
        return True

    def add(self, name: str) -> None:
        """Add a name, or read a face anew that was changed, and prepare it."""
        with self._condition:
            self._ready.pop(name, None)
            self._thumbnails.pop(name, None)
            if name not in self.names:
                self.names = tuple(sorted([*self.names, name], key=str.casefold))
            self._ahead.appendleft(name)
            self._condition.notify()

    def change(self, prepare: Callable[[SourceFace], None], first: str | None) -> None:
        """Prepare for another engine from now on, everything anew."""
        with self._condition:
            self._prepare = prepare
            self._ready.clear()
        self._queue(first)

    def thumbnail(self, name: str) -> bytes:
        """The face as a small JPEG. Raises: LiveError for an unknown or broken face."""
        found = self._thumbnails.get(name)
        if found is None:
            if name not in self.names:
                raise UsageError(f'no face "{name[:60]}"')
            found = self._thumbnails[name] = _thumbnail(self._ready.get(name) or self._load(name))
        return found

    def close(self) -> None:
        """End the preparing thread after the face it is at: in a library at the program's end it would abort it."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(END_S)

    def _queue(self, first: str | None) -> None:
        with self._condition:
            at = self.names.index(first) if first in self.names else 0
            self._ahead = deque((*self.names[at:], *self.names[:at])[:READY])
            self._condition.notify()

    def _work(self) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(PermissionError):  # of a program that is nicer already
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._wanted or self._ahead)
                if self._closed:
                    return
                name = next(iter(self._wanted.values()))[0] if self._wanted else self._ahead.popleft()
                prepare = self._prepare
            source = self._made(name, prepare)
            with self._condition:
                served = [key for key, (wanted, _) in self._wanted.items() if wanted == name]
                calls = [self._wanted.pop(key)[1] for key in served]
                if source is None or prepare is not self._prepare:
                    continue
                self._ready[name] = source
                while len(self._ready) > READY:
                    self._ready.popitem(last=False)
            for then in calls:
                then(source)

    def _made(self, name: str, prepare: Callable[[SourceFace], None]) -> SourceFace | None:
        """Load and prepare a face; None when it cannot be worn, which is told."""
        try:
            source = self._ready.get(name) or self._load(name)
            prepare(source)
        except LiveError as error:
            log.error("%s", error)
            return None
        except Exception:
            log.exception("face %s could not be prepared", name)
            return None
        return source


def _thumbnail(source: SourceFace) -> bytes:
    mesh = source.landmarks[:MESH_POINTS, :2]
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    middle, half = (low + high) / 2, 0.75 * float((high - low).max())
    height, width = source.image.shape[:2]
    x1, y1 = max(0, int(middle[0] - half)), max(0, int(middle[1] - half))
    x2, y2 = min(width, int(middle[0] + half)), min(height, int(middle[1] + half))
    cut = source.image[y1:y2, x1:x2] if x2 - x1 > 8 and y2 - y1 > 8 else source.image
    scale = THUMBNAIL_PX / max(cut.shape[:2])
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data)
