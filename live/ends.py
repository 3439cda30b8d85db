"""The two ends of a run: opens the input and the outputs that the user named, or chooses them, and says what it chose.

Knows which captures and outputs there are, not how they work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from live.capture import open_capture, route
from live.capture.again import Again
from live.capture.contract import Capture, CaptureInfo, Wanted
from live.capture.counter import Counted
from live.errors import CaptureError, LiveError, UsageError
from live.output import WATCHED, open_output
from live.output.contract import Format, Output
from live.preset import Preset
from live.values import PixelFormat

log = logging.getLogger(__name__)

TOUR_S = 15.0
TOUR_FILE = "live-demo.mp4"
SIZED = {"camera", "demo", "pattern", "picture"}
"""Inputs that can be asked for a size; files, streams and screens have theirs."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the command line adds to the preset."""

    input: str | None = None
    outputs: tuple[str, ...] = ()
    faces: tuple[str, ...] = ()
    consent: str | None = None
    pace: str | None = None
    duration_s: float | None = None


def open_input(preset: Preset, ask: Ask) -> tuple[Capture, bool]:
    """The input; True when it is the demo person because there is no camera."""
    address = ask.input or preset.input
    keys = preset.capture
    outputs = ask.outputs or preset.outputs
    live = plays_live(preset, ask)
    sized = address == "auto" or route(address)[0] in SIZED
    wanted = Wanted(
        width_px=keys.width_px if sized else 0,
        height_px=keys.height_px if sized else 0,
        fps=keys.fps,
        format=None if keys.format == "auto" else PixelFormat(keys.format),
        live=live,
        loop=keys.loop,
    )
    if address != "auto":
        return _dressed(_told(open_capture(address, wanted)), wanted, outputs, keys.counter), False
    try:
        return _dressed(_told(open_capture("camera", wanted)), wanted, outputs, keys.counter), False
    except CaptureError as error:
        log.info("input: the demo person, since there is no camera (%s); --input chooses another", error)
    return _dressed(open_capture("demo", replace(wanted, live=True)), wanted, outputs, keys.counter), True


def _dressed(capture: Capture, wanted: Wanted, outputs: tuple[str, ...], counter: bool) -> Capture:
    """A capture that comes back when it was lost, where there is something to come back; with the counter if asked."""
    again = capture.info.again
    if again is not None:
        capture = Again(capture, lambda: open_capture(again, wanted), endless=not _only_recordings(outputs))
    return Counted(capture) if counter else capture


def plays_live(preset: Preset, ask: Ask) -> bool:
    """Whether a late frame is dropped; else every frame counts, however long it takes."""
    pace = ask.pace or preset.capture.pace
    return pace == "real" or (pace == "auto" and not _only_recordings(ask.outputs or preset.outputs))


def _only_recordings(addresses: tuple[str, ...]) -> bool:
    kinds = {address.partition(":")[0] for address in addresses}
    return not {kind.lower() for kind in kinds} & WATCHED


def _told(capture: Capture) -> Capture:
    info = capture.info
    rate = f" at {info.fps:g} fps" if info.fps else ""
    log.info("input: %s, %dx%d%s, %s", info.name, info.width_px, info.height_px, rate, info.format)
    for note in info.notes:
        log.warning("%s", note)
    return capture


def open_outputs(preset: Preset, ask: Ask, capture: Capture, demo: bool, opened: list[Output]) -> bool:
    """Open the outputs into `opened`. Returns True for the short tour where there is neither camera nor display."""
    format, tour = format_of(capture.info), False
    for address in ask.outputs or preset.outputs:
        if address != "auto":
            _refuse_own_input(address, ask.input or preset.input)
            opened.append(open_output(address, format))
            log.info("output: %s", opened[-1].name)
            continue
        opened.append(_best_output(format))
        if demo and not opened[-1].name.startswith(("virtual camera", "window")):
            opened.append(open_output(TOUR_FILE, format))
            tour = True
            log.info("no camera and no display: a tour of %g s, also written to %s", TOUR_S, TOUR_FILE)
    return tour


def format_of(info: CaptureInfo) -> Format:
    """What an output's pictures will be like."""
    return Format(
        info.width_px, info.height_px, info.fps, info.format, info.colour, info.live, info.sound, dict(info.media)
    )


def _best_output(format: Format) -> Output:
    """The virtual camera, else a window, else the web preview."""
    reasons = []
    for address in ("virtualcam", "window"):
        try:
            output = open_output(address, format)
        except LiveError as error:
            reasons.append(f"no {address}: {error}")
            continue
        log.info("output: %s; --output chooses another", output.name)
        return output
    output = open_output("web", format)
    log.info("output: %s; --output chooses another. `live doctor` says what the others lack", output.name)
    for reason in reasons:
        log.debug("%s", reason)
    return output


def _refuse_own_input(address: str, input: str) -> None:
    given, taken = Path(input.removeprefix("file:")), Path(address.removeprefix("file:"))
    if given.exists() and taken.exists() and given.samefile(taken):
        raise UsageError(f"{address} is the input too; write to another file")
