"""The way to one output: what waits for it, its gate, and what it is given. Starts no thread; session.py does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from live.capture.contract import CaptureInfo
from live.latest import Mailbox
from live.meter import Meter
from live.output.contract import Output
from live.pixels.curtain import blurred, slate
from live.privacy import Gate, Rules, Switches, Verdict
from live.values import Frame, Sound, Swapped

QUEUED = 8
"""Frames between two threads when every frame counts."""
QUEUED_LIVE_RECORDING = 30
"""Frames that may wait for the encoder when something live is recorded; then frames are dropped and counted."""
QUEUED_SOUNDS = 1000

Shown = Callable[[Frame], None]
"""Takes a picture at once; whoever keeps it only reads it."""


@dataclass(slots=True)
class Lane:
    """One output with what leads to it."""

    output: Output
    inbox: Mailbox[Swapped]
    sounds: Mailbox[Sound]
    gate: Gate
    slate: Frame
    live: bool
    """Frames are dated by when they were captured; else by the container's clock."""
    released: Frame | None = None
    """The last picture the gate let through, for holding."""
    alive: bool = True
    thread: threading.Thread | None = None

    def run(self, deadline_s: float, meter: Meter, tap: Callable[[], Shown | None]) -> None:
        """Give the output what the gate lets through, until nothing more comes. Raises: OutputError.

        Args: deadline_s: the gate judges again when no frame came for so long; tap: who else looks, asked every time.
        """
        while True:
            swapped = self.inbox.take(deadline_s)
            self._pass_sounds()
            if swapped is None and self.inbox.finished:
                break
            if swapped is None and not self.output.live:
                continue  # a recording holds the captured frames, each once
            self._show(swapped, meter, tap())
        self._pass_sounds()

    def _show(self, swapped: Swapped | None, meter: Meter, tap: Shown | None) -> None:
        """Let the gate judge and give the output a picture."""
        now_s = time.monotonic() if swapped is None or self.output.live else date_s(swapped.frame, self.live)
        verdict = self.gate.judge(None if swapped is None else swapped.proof, now_s)
        picture = self._picture(verdict, swapped)
        self.output.send(picture)
        if tap is not None:
            tap(picture)
        if swapped is None:
            meter.count("repeated")
        else:
            self._count(verdict, swapped, meter)

    def _count(self, verdict: Verdict, swapped: Swapped, meter: Meter) -> None:
        now_s = time.monotonic()
        meter.delivered(self.output.name, now_s - swapped.frame.time_s)
        if verdict is not Verdict.NEW:
            meter.count(verdict.name.lower())
        elif swapped.proof.swapped and meter.first_swapped_s is None:
            meter.first_swapped_s = round(now_s - meter.started_s, 3)

    def _picture(self, verdict: Verdict, swapped: Swapped | None) -> Frame:
        """What the verdict means in pixels, with the times of the frame it stands for."""
        if verdict is Verdict.NEW and swapped is not None:
            self.released = swapped.frame
            return swapped.frame
        if verdict is Verdict.HOLD and self.released is not None:
            picture = self.released
        elif verdict is Verdict.BLUR and swapped is not None:
            picture = blurred(swapped.frame)
        else:
            self.released = None
            picture = self.slate
        if swapped is None:
            return replace(picture, time_s=time.monotonic())
        frame = swapped.frame
        return replace(picture, time_s=frame.time_s, media_s=frame.media_s, number=frame.number)

    def _pass_sounds(self) -> None:
        while (sound := self.sounds.take(0)) is not None:
            self.output.sound(sound)


def lane_to(output: Output, info: CaptureInfo, rules: Rules, switches: Switches) -> Lane:
    """The lane from a capture to an output. Its gate begins closed."""
    cover = slate(info.width_px, info.height_px, info.format, info.colour)
    size = 1 if output.live else QUEUED_LIVE_RECORDING if info.live else QUEUED
    inbox = Mailbox[Swapped](size, lossless=not info.live)
    sounds = Mailbox[Sound](QUEUED_SOUNDS, lossless=not info.live)
    return Lane(output, inbox, sounds, Gate(rules, switches), cover, info.live)


def date_s(frame: Frame, live: bool) -> float:
    """The clock of the frames: media time when every frame counts, else when it was captured."""
    return frame.time_s if live or frame.media_s is None else frame.media_s
