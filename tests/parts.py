"""Small parts for tests of the loop: a capture of painted faces, perception that knows where they are, an engine that
paints over them, an output that keeps what it got. Each can be given one fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live.capture.contract import CaptureInfo
from live.errors import OutputError
from live.latest import Mailbox
from live.meter import Meter
from live.privacy import Rules, Seen, Switches, Watch
from live.session import Session
from live.swap.contract import Job, Worn
from live.swap.pipeline import Pipeline
from live.values import Box, Colour, Face, Frame, PixelFormat, Settings, Sound, SourceFace

WIDTH_PX, HEIGHT_PX, FPS, LIVE_FPS = 160, 120, 30.0, 120.0
BACKGROUND, BARE, PAINT = 60, 200, 20
FACE_BOX: Box = (60, 40, 100, 90)
SOURCE = SourceFace("ada", "key", np.zeros((8, 8, 3), np.uint8), np.zeros((478, 3), np.float32), "composite")


def picture(face: bool = True) -> np.ndarray:
    """A grey room, with a bright face in the middle or without."""
    room = np.full((HEIGHT_PX, WIDTH_PX, 3), BACKGROUND, np.uint8)
    if face:
        x1, y1, x2, y2 = FACE_BOX
        room[y1:y2, x1:x2] = BARE
    return room


def shows_bare_face(frame: Frame) -> bool:
    """Whether the face in the middle looks as it was captured."""
    x1, y1, x2, y2 = FACE_BOX
    return bool(np.abs(frame.planes[0][y1:y2, x1:x2].astype(int) - BARE).mean() < 3)


def shows_painted_face(frame: Frame) -> bool:
    x1, y1, x2, y2 = FACE_BOX
    return bool(np.abs(frame.planes[0][y1:y2, x1:x2].astype(int) - PAINT).mean() < 3)


class PaintedCapture:
    """Frames of a face in a room; `schedule` says for each number whether the face is there."""

    def __init__(self, frames: int, *, live: bool = False, schedule: Callable[[int], bool] = lambda n: True) -> None:
        name = "painted"
        self.info = CaptureInfo(name, WIDTH_PX, HEIGHT_PX, FPS, PixelFormat.BGR, Colour(), live, frames)
        self._frames, self._schedule = frames, schedule
        self._number = 0
        self._closed = threading.Event()
        self.fault: Exception | None = None
        self.fault_at = -1

    def read(self) -> Frame | Sound | None:
        if self.info.live and self._closed.wait(1 / LIVE_FPS):
            return None
        if self._closed.is_set() or self._number >= self._frames:
            return None
        if self._number == self.fault_at and self.fault is not None:
            raise self.fault
        number, self._number = self._number, self._number + 1
        planes = (picture(self._schedule(number)),)
        return Frame(planes, PixelFormat.BGR, WIDTH_PX, HEIGHT_PX, time.monotonic(), number, number / FPS)

    def close(self) -> None:
        self._closed.set()


class SureTracker:
    """Sees the bright face; `miss` names frames in which it sees nothing at all."""

    def __init__(self, miss: Callable[[int], bool] = lambda n: False) -> None:
        self._miss = miss
        self._followed = False
        self.fault: Callable[[int], None] = lambda n: None

    def look(self, frame: Frame, now_s: float) -> tuple[list[Face], Seen]:
        self.fault(frame.number)
        there = shows_bare_face(frame) and not self._miss(frame.number)
        box = tuple(float(v) for v in FACE_BOX)
        lost = (box,) if self._followed and not there else ()
        self._followed = there
        if not there:
            return [], Seen(lost=lost)  # type: ignore[arg-type]
        landmarks = np.zeros((478, 3), np.float32)
        landmarks[:, :2] = np.random.default_rng(0).uniform(FACE_BOX[:2], FACE_BOX[2:], (478, 2))
        return [Face(landmarks, box, 0.9, 0)], Seen(found=(box,))  # type: ignore[arg-type]


class PaintEngine:
    """Paints the whole region."""

    name = "paint"
    proves = True

    def __init__(self) -> None:
        self.fault: Callable[[], None] = lambda: None

    def region(self, landmarks: np.ndarray, width_px: int, height_px: int) -> Box:
        return FACE_BOX

    def prepare(self, source: SourceFace) -> None:
        pass

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        self.fault()
        return [Worn(np.full_like(job.region, PAINT), np.full(job.region.shape[:2], 255, np.uint8)) for job in jobs]

    def forget(self, track: int) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class KeptOutput:
    """Keeps a copy of every picture it got."""

    name: str = "kept"
    live: bool = False
    keys: Any = None
    frames: list[Frame] = field(default_factory=list)
    closed: int = 0
    fault_at: int = -1
    arrived: Mailbox[Frame] = field(default_factory=lambda: Mailbox(10_000))

    def send(self, frame: Frame) -> None:
        if len(self.frames) == self.fault_at:
            raise OutputError("the kept output is gone")
        self.frames.append(frame)
        self.arrived.put(frame)

    def sound(self, sound: Sound) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


def session(
    capture: PaintedCapture,
    *outputs: KeptOutput,
    tracker: SureTracker | None = None,
    engine: PaintEngine | None = None,
    source: SourceFace | None = SOURCE,
    rules: Rules | None = None,
) -> Session:
    """A whole run of such parts."""
    meter, rules = Meter(), rules or Rules()
    pipeline = Pipeline(tracker or SureTracker(), engine or PaintEngine(), Watch(rules), meter)  # type: ignore[arg-type]
    return Session(capture, pipeline, list(outputs), Settings(source=source), rules, Switches(), meter)


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether it came to hold in time."""
    deadline_s = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return bool(condition())
