"""THE LOOP: capture, swap and output threads, the mailboxes between them, and their stop. Only this file starts them.

    capture --frames--> swap --inbox--> output (a thread and a gate each)

Live: every mailbox holds one frame and the newest wins. Files: bounded queues, every frame, in order. Whatever fails in
the swap thread makes a frame "not proven"; what is shown then is each gate's decision. Knows nothing about which
capture, engine or outputs it runs.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from live.capture.contract import Capture
from live.errors import CaptureError, LiveError, OutputError, UsageError
from live.lane import QUEUED, Lane, Shown, date_s, lane_to
from live.latest import Mailbox
from live.marking import Badge, mark
from live.meter import Meter
from live.output.contract import Output
from live.pace import EverySoOften
from live.pixels.mirror import mirrored
from live.privacy import Rules, Switches
from live.swap.pipeline import Way
from live.values import Face, Frame, Proof, Settings, Sound, Swapped

log = logging.getLogger(__name__)

JOIN_S = 2.0
SWITCH_INTERVAL_S = 0.0005
"""A thread that hands over waits so long for a busy one: hand-off p99 67 us instead of 5 ms at Python's default."""


@dataclass(slots=True)
class Taps:
    """Who else looks at a run's pictures. Each may be None, and may be set and taken away at any time."""

    before: Shown | None = None
    """Gets every frame as it was captured: REAL FACES. It has to copy what it keeps before it returns."""
    after: Shown | None = None
    """Gets what the first output shows, after its gate."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Who was seen in the newest frame."""

    faces: tuple[Face, ...] = ()
    width_px: int = 1
    height_px: int = 1
    mirrored: bool = False
    """The picture left with left and right changed; the faces' places are those before."""


NOTHING = Proof(False, "nothing was done yet")


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame on its way through the pipeline."""

    frame: Frame
    pending: Any
    """What the way's `begin` gave; None where it failed."""
    begin_s: float
    way: Way
    settings: Settings
    proof: Proof = NOTHING
    """Of a frame whose beginning failed."""


@dataclass(slots=True)
class Session:
    """One run: a capture, a pipeline, outputs. `start`, then `wait` or `stop`."""

    capture: Capture
    pipeline: Way
    outputs: list[Output]
    settings: Settings
    rules: Rules
    switches: Switches
    meter: Meter
    badge: Badge | None = None
    duration_s: float | None = None
    error: LiveError | None = None
    """The first error of a capture, an output or a thread, for the exit code."""
    taps: Taps = field(default_factory=Taps)
    sight: Sight = field(default_factory=Sight)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _retired: Callable[[], None] | None = None
    """Frees the way before this one as soon as no frame is on it."""
    _lanes: list[Lane] = field(default_factory=list)
    """Replaced whole, never changed in place: several threads walk along it."""
    _frames: Mailbox[Frame] = field(init=False)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start all threads."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        live = self.capture.info.live
        self._frames = Mailbox(1 if live else QUEUED, lossless=not live)
        self._lanes = [self._lane(output) for output in self.outputs]
        self._start("capture", self._run_capture)
        self._start("swap", self._run_swap)
        for lane in self._lanes:
            lane.thread = self._start(f"output {lane.output.name}", partial(self._run_output, lane))

    def change(self, **fields: Any) -> None:
        """Replace some of the settings, from the next frame on; from any thread."""
        with self._changing:
            self.settings = replace(self.settings, **fields)

    def go_over(self, way: Way, retire: Callable[[], None]) -> None:
        """Swap by another way from the next frame on; frames under way finish on theirs.

        Args: retire: called once when no frame is on the way before any more, on the thread of the frames.
        Raises: UsageError while the change before is still under way.
        """
        with self._changing:
            if self._retired is not None:
                raise UsageError("another change of the engine is under way; try again in a second")
            self.pipeline, self._retired = way, retire

    def add(self, output: Output) -> None:
        """Begin to give pictures to one more output. Its gate begins closed, like every gate."""
        with self._changing:
            if self._stopping.is_set() or self._frames.finished:
                output.close()
                raise UsageError("the run is ending")
            lane = self._lane(output)
            self._lanes = [*self._lanes, lane]
            self.outputs = [*self.outputs, output]
            lane.thread = self._start(f"output {output.name}", partial(self._run_output, lane))

    def remove(self, output: Output, timeout_s: float) -> bool:
        """Give an output nothing more and let it finish. False when it is still at it after `timeout_s`."""
        with self._changing:
            lane = next((lane for lane in self._lanes if lane.output is output), None)
            if lane is None:
                return True
            self._lanes = [other for other in self._lanes if other is not lane]
            self.outputs = [other for other in self.outputs if other is not output]
        lane.inbox.close()
        assert lane.thread is not None
        lane.thread.join(timeout_s)
        return not lane.thread.is_alive()

    def _lane(self, output: Output) -> Lane:
        return lane_to(output, self.capture.info, self.rules, self.switches)

    def stop(self) -> None:
        """End the run: nothing more is captured, what was swapped is still given to recordings."""
        self._stopping.set()
        self.capture.close()
        self._frames.close()

    def wait(self, timeout_s: float = JOIN_S) -> bool:
        """Wait for the end: everything captured was given to the outputs. False when the time passed before."""
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(deadline_s - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def show_now(self) -> None:
        """Let every gate judge again at once, after a switch was thrown."""
        for lane in self._lanes:
            lane.inbox.wake()

    def _start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=(name, run), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _guarded(self, name: str, run: Callable[[], None]) -> None:
        """The one place that catches everything: a bug is told with its traceback and the run stops."""
        try:
            run()
        except LiveError as error:
            self._fail(error)
        except Exception:
            log.exception("%s thread failed", name)
            self._fail(LiveError(f"the {name} thread failed; please report the traceback above"))

    def _fail(self, error: LiveError) -> None:
        if self.error is None and not self._stopping.is_set():
            self.error = error
            log.error("%s", error)
        self.stop()

    def _run_capture(self) -> None:
        begin_s = time.monotonic()
        try:
            while not self._stopping.is_set():
                item = self.capture.read()
                if item is None:
                    break
                if isinstance(item, Sound):
                    for lane in self._lanes:
                        lane.sounds.put(item)
                    continue
                if self._is_over(item, begin_s):
                    break
                self.meter.count("in")
                if self._is_left_out(item):
                    self.meter.count("left out")
                    continue
                if not self._frames.put(item):
                    self.meter.count("dropped")
        except CaptureError as error:
            self._fail(error)
        finally:
            self._frames.close()
            self.capture.close()

    def _is_over(self, frame: Frame, begin_s: float) -> bool:
        if self.duration_s is None:
            return False
        elapsed_s = time.monotonic() - begin_s if self.capture.info.live else frame.media_s or 0.0
        return elapsed_s >= self.duration_s

    def _is_left_out(self, frame: Frame) -> bool:
        """Whether there is no time for this frame: of live input, all but every n-th where the settings say so."""
        every = self.settings.quality.frames_every
        return self.capture.info.live and every > 1 and frame.number % every != 0

    def _run_swap(self) -> None:
        """Let frames begin and finish in their order; the next one may begin while one is computed elsewhere."""
        trouble = EverySoOften()
        under_way: deque[Begun] = deque()
        try:
            while not (self._frames.finished and not under_way):
                self._retire(under_way)
                frame = self._frames.take(0 if under_way else None)
                if frame is not None:
                    under_way.append(self._begin(frame, trouble))
                if under_way and (frame is None or len(under_way) >= self.pipeline.depth):
                    self._hand_over(self._finish(under_way.popleft(), trouble))
        finally:
            for begun in under_way:
                if begun.pending is not None:
                    begun.way.drop(begun.pending)
            for lane in self._lanes:
                lane.inbox.close()

    def _begin(self, frame: Frame, trouble: EverySoOften) -> Begun:
        begin_s, way, settings = time.perf_counter(), self.pipeline, self.settings
        try:
            if (tap := self.taps.before) is not None:
                tap(frame)
            return Begun(
                frame, way.begin(frame, settings, date_s(frame, self.capture.info.live)), begin_s, way, settings
            )
        except Exception as error:
            return Begun(frame, None, begin_s, way, settings, self._failed(frame, error, trouble))

    def _finish(self, begun: Begun, trouble: EverySoOften) -> Swapped:
        """The end of a frame's way through the pipeline; any failure makes it not proven."""
        if begun.pending is None:
            return Swapped(begun.frame, begun.proof)
        settings = begun.settings
        try:
            swapped = begun.way.finish(begun.pending)
            frame = mirrored(swapped.frame) if settings.mirror else swapped.frame
            self.sight = Sight(swapped.faces, frame.width_px, frame.height_px, settings.mirror)
            if self.badge is not None and settings.badge and swapped.proof.swapped:
                mark(frame, self.badge)
            return swapped if frame is swapped.frame else replace(swapped, frame=frame)
        except Exception as error:
            return Swapped(begun.frame, self._failed(begun.frame, error, trouble))
        finally:
            self.meter.add("frame", time.perf_counter() - begun.begin_s)

    def _retire(self, under_way: deque[Begun]) -> None:
        """Free the way before this one when nothing is on it any more."""
        retired = self._retired
        if retired is not None and all(begun.way is self.pipeline for begun in under_way):
            self._retired = None
            retired()

    def _failed(self, frame: Frame, error: Exception, trouble: EverySoOften) -> Proof:
        self.meter.count("failed")
        if trouble.ready(time.monotonic()):
            bug = not isinstance(error, LiveError)
            log.warning("frame %d failed: %s: %s", frame.number, type(error).__name__, error, exc_info=bug)
        return Proof(False, f"failed: {type(error).__name__}")

    def _hand_over(self, swapped: Swapped) -> None:
        self.meter.reason = swapped.proof.reason
        for lane in self._lanes:
            if lane.alive and not lane.inbox.put(swapped) and lane.alive:
                self.meter.count(f"dropped {lane.output.name}")

    def _run_output(self, lane: Lane) -> None:
        def tap() -> Shown | None:
            return self.taps.after if lane is next(iter(self._lanes), None) else None

        try:
            lane.run(self.rules.deadline_s, self.meter, tap)
        except OutputError as error:
            self._lose(lane, error)
        finally:
            self._close(lane)

    def _close(self, lane: Lane) -> None:
        try:
            lane.output.close()
        except OutputError as error:
            self._lose(lane, error)

    def _lose(self, lane: Lane, error: OutputError) -> None:
        """An output failed: the others go on; without any the run ends."""
        lane.alive = False
        lane.inbox.close()
        lane.sounds.close()
        if any(other.alive for other in self._lanes):
            self.error = self.error or error
            log.error("%s; the other outputs go on", error)
        else:
            self._fail(error)
