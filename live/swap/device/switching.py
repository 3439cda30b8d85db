"""The host's path on air while the device is made ready, and the change from one to the other between two frames.

A device that fails frame after frame, or whose networks keep making numbers that are none, is made anew a rung more
exactly; when no rung is left or it cannot be made, the host stays. Knows ways of frames; knows nothing about networks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from live.nets.guard import BAD_IN_A_ROW, Watch
from live.nets.lines import StalledError
from live.swap.contract import Preparer
from live.swap.device.engine import DeviceEngine
from live.swap.device.pipeline import DevicePipeline
from live.swap.pipeline import Way
from live.swap.readying import Readying
from live.values import Frame, Settings, SourceFace, Swapped

log = logging.getLogger(__name__)

MOST_FAULTS = 3
"""So many frames in a row may fail before the device is made anew."""
MOST_STALLS = 3
"""So often a device may not answer; each time nothing new was shown for more than a second."""

Make = Callable[[int], DeviceEngine]
"""Makes the device's engine at a rung of the precision ladder, 0 the fastest. Raises: LiveError when there is none."""


class SwitchingWay:
    """Two ways of frames, one of them on air. `begin`, `finish` and `drop` belong to one thread."""

    proves = True

    def __init__(
        self, light: Way, light_engine: Preparer, make: Make, pipeline: Callable[[DeviceEngine], DevicePipeline]
    ) -> None:
        self.name = light_engine.name
        self._light, self._light_engine, self._make, self._pipeline = light, light_engine, make, pipeline
        self._rung, self._faults, self._stalls, self._numbers = 0, 0, 0, Watch()
        self._sources: dict[str, SourceFace] = {}
        self._heavy: DevicePipeline | None = None
        self._under_way = 0
        self._readying = self._new()

    def _new(self) -> Readying[DeviceEngine]:
        rung = self._rung
        readying: Readying[DeviceEngine] = Readying(lambda: self._make(rung), self._light_engine.name)
        for source in list(self._sources.values()):
            readying.prepare(source)
        return readying

    def start(self) -> None:
        """Begin to make the device ready."""
        self._readying.start()

    @property
    def depth(self) -> int:
        """Of the way on air."""
        return self._light.depth if self._heavy is None else self._heavy.depth

    def prepare(self, source: SourceFace) -> None:
        """Prepare both ways; from any thread."""
        self._light_engine.prepare(source)
        self._sources.pop(source.key, None)
        self._sources[source.key] = source
        self._readying.prepare(source)

    def begin(self, frame: Frame, settings: Settings, now_s: float) -> tuple[Way, Any]:
        """Begin on the way on air."""
        self._adopt()
        way = self._heavy or self._light
        try:
            pending = way.begin(frame, settings, now_s)
        except Exception as error:
            self._fault(way, error)
            raise
        self._under_way += 1
        return way, pending

    def finish(self, pending: tuple[Way, Any]) -> Swapped:
        """Finish on the way where the frame began."""
        way, begun = pending
        self._under_way -= 1
        try:
            swapped = way.finish(begun)
        except Exception as error:
            self._fault(way, error)
            raise
        self._faults = 0
        if isinstance(way, DevicePipeline):
            self._listen(way)
        return swapped

    def drop(self, pending: tuple[Way, Any]) -> None:
        """Give a frame up on the way where it began."""
        self._under_way -= 1
        pending[0].drop(pending[1])

    def close(self) -> None:
        """Give up what is still being made, and free both."""
        self._heavy = None
        self._readying.close()
        self._light_engine.close()

    def _adopt(self) -> None:
        """Change over where the device is ready and no frame is under way."""
        made = self._readying.made
        if self._heavy is None and made is not None and not self._under_way:
            self._heavy, self.name = self._pipeline(made), made.name
            log.info("engine: %s takes over from %s", made.name, self._light_engine.name)

    def _fault(self, way: Way, error: Exception) -> None:
        """Count a frame that the device could not swap."""
        if way is not self._heavy or self._heavy is None:
            return
        self._faults += 1
        self._heavy.forget()  # buffers and graphs are made anew; a lack of memory may end with them
        if isinstance(error, StalledError):
            self._stalls += 1
            self._leave("it does not answer", self._rung)
        elif self._faults >= MOST_FAULTS:
            self._leave(f"it failed {self._faults} times in a row ({error})", self._rung + 1)

    def _listen(self, way: DevicePipeline) -> None:
        """Climb the ladder where networks keep making numbers that are none."""
        self._numbers, climb = self._numbers.after(ok=way.finite)
        if climb and way is self._heavy:
            self._leave(f"its numbers were not finite {BAD_IN_A_ROW} times in a row", self._rung + 1)

    def _leave(self, why: str, rung: int) -> None:
        """Back to the host, for good or while the device is made anew, at the same rung or another."""
        again = self._stalls < MOST_STALLS
        anew = "it is made anew" + (", more exactly" if rung > self._rung else "") if again else "it stays out"
        log.error("%s is back: of %s, %s; %s", self._light_engine.name, self.name, why, anew)
        self._heavy, self.name, self._faults, self._numbers = None, self._light_engine.name, 0, Watch()
        self._readying.close()
        if again:
            self._rung = rung
            self._readying = self._new()
            self._readying.start()
