"""Builds the parts of one run from a preset. Knows which parts exist, not how they work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from live.auto import settled
from live.capture.contract import Capture
from live.ends import TOUR_S, Ask, format_of, open_input, open_outputs, plays_live
from live.engines import build_engine as build_engine
from live.engines import build_mesh, device_of, opener_of
from live.errors import UsageError
from live.faces.detector import Detector
from live.faces.gallery import Gallery
from live.faces.landmarker import Landmarker
from live.faces.masker import Beside, Masker, Steady
from live.faces.recogniser import Recogniser
from live.faces.still import find_faces
from live.faces.tracker import Options, Tracker
from live.governor import Governor, Run, ladder
from live.marking import Badge
from live.memory import keep_freed_memory, spare_what_is_loaded
from live.meter import Meter
from live.nets.catalogue import load_catalogue
from live.nets.files import content_hash
from live.output import open_output
from live.output.contract import Output
from live.preset import Preset
from live.privacy import Rules, Switches, Watch
from live.resources import models_dir
from live.session import Session
from live.swap.contract import Preparer
from live.swap.pipeline import Pipeline, Way
from live.values import Face, Kind, Pixels, Settings, SourceFace

if TYPE_CHECKING:
    from live.swap.device.engine import DeviceEngine

log = logging.getLogger(__name__)

MOST_FACES = 8
"""Source faces of one run, as in the preset's `face`."""
STILL_WIDTHS_PX = (320, 640)
"""Thumbnails for photos: large faces are found in the small one, small faces in the large one."""


def look_at_photos() -> Callable[[Pixels], list[Face]]:
    """The function that finds the faces of a photo, for the gallery. Loads the networks at its first use."""
    parts: list[tuple[list[Detector], Landmarker]] = []

    def look(picture: Pixels) -> list[Face]:
        if not parts:
            detectors = [Detector(models_dir() / "detector.onnx", width_px=width) for width in STILL_WIDTHS_PX]
            parts.append((detectors, Landmarker(models_dir() / "landmarker.onnx")))
        return find_faces(picture, *parts[0])

    return look


def build(
    preset: Preset, ask: Ask, given: Capture | None = None, made: DeviceEngine | None = None
) -> tuple[Session, Preparer]:
    """Open everything a run needs; undoes itself on failure.

    Args: given: a capture that is open already and stands in for the input; it is closed with the run. made: the
        device's engine, where there is one already.
    Raises: LiveError, one line.
    """
    preset = settled(preset)
    keep_freed_memory()
    cv2.setNumThreads(preset.threads.opencv or -1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its warnings are about what we handle
    capture, demo = (given, False) if given is not None else open_input(preset, ask)
    try:
        info, meter = capture.info, Meter()
        kind = Kind(info.format, info.colour, info.width_px, info.height_px)
        way, engine = _build_way(preset, kind, meter, made, wait=not plays_live(preset, ask))
        try:
            session = _build_around(way, engine, preset, ask, meter, capture, demo=demo)
            spare_what_is_loaded()
            return session, engine
        except BaseException:
            engine.close()
            raise
    except BaseException:
        capture.close()
        raise


def _build_way(
    preset: Preset, kind: Kind, meter: Meter, made: DeviceEngine | None, *, wait: bool
) -> tuple[Way, Preparer]:
    """How frames are swapped, and who has to be told of source faces.

    Args: kind: of the capture's frames; wait: until a network is ready; else the mesh is on air meanwhile.
    """
    device, watch = device_of(preset), Watch(_rules(preset))
    if device is None and made is None:
        engine = build_engine(preset, wait=wait)
        tracker = build_tracker(preset) if engine.proves else None
        return Pipeline(tracker, engine, watch, meter, build_masker(preset) if engine.proves else None), engine
    from live.device_engines import build_device_engine
    from live.swap.device.pipeline import DevicePipeline
    from live.swap.device.switching import SwitchingWay

    tracker = build_tracker(preset)

    def pipeline(engine: DeviceEngine) -> DevicePipeline:
        return DevicePipeline(tracker, engine, watch, meter, frames=engine.frames if wait else 1)

    def make(rung: int) -> DeviceEngine:
        return build_device_engine(preset, device or "cpu", kind, rung, live=not wait, files=wait)

    if wait or made is not None:
        made = made or make(0)
        return pipeline(made), made
    light = build_mesh(preset)
    host = Pipeline(tracker, light, watch, meter, build_masker(preset))
    switching = SwitchingWay(host, light, make, pipeline)
    switching.start()
    return switching, switching


def _build_around(
    way: Way, engine: Preparer, preset: Preset, ask: Ask, meter: Meter, capture: Capture, *, demo: bool
) -> Session:
    sources = _source_faces(preset, ask) if engine.proves else ()
    for source in sources:
        engine.prepare(source)
    opened: list[Output] = []
    try:
        tour = open_outputs(preset, ask, capture, demo, opened)
    except BaseException:
        for output in opened:
            output.close()
        raise
    first, *others = sources or (None,)
    settings = Settings(
        first,
        tuple(others),
        strength=preset.swap.strength,
        shape=preset.swap.shape,
        crossfade_s=preset.swap.crossfade_s,
        badge=preset.badge.show,
    )
    badge = Badge(preset.badge.text, preset.badge.corner)
    duration_s = ask.duration_s or (TOUR_S if tour else None)
    return Session(capture, way, opened, settings, _rules(preset), Switches(), meter, badge, duration_s)


def rebuild(preset: Preset, session: Session) -> tuple[Way, Preparer]:
    """Another way of frames for a run that is on air; its input, outputs, gates and rules stay. Slow.

    Raises: LiveError, one line; the way on air is not touched.
    """
    if preset.engine == "none" or preset.privacy.unproven == "pass":
        raise UsageError("presets that show the bare picture are for the start only, not for a run on air")
    info = session.capture.info
    kind = Kind(info.format, info.colour, info.width_px, info.height_px)
    return _build_way(preset, kind, session.meter, None, wait=not info.live)


def governor_of(preset: Preset, session: Session) -> Governor | None:
    """What keeps the latency's budget; None where every frame counts, or nobody watches."""
    if not session.capture.info.live or not any(output.live for output in session.outputs):
        return None
    network = preset.engine not in ("mesh", "none")
    run = Run(
        restorer=network and preset.restorer != "none",
        boost=preset.nets.boost if network else 1,
        device=device_of(preset) is not None,
        mesh=preset.engine == "mesh",
        masks=preset.faces.masks and preset.engine != "none",
        sparse_detector=preset.privacy.unproven == "pass",
    )
    return Governor(ladder(run), preset.governor.budget_ms / 1000)


def recording_of(session: Session) -> Callable[[Path], Output]:
    """The function that opens a recording of a run. Raises: LiveError."""
    return lambda path: open_output(str(path), format_of(session.capture.info))


def recogniser_of(preset: Preset) -> Recogniser:
    """A recogniser that is installed. Slow. Raises: UsageError where none is; ModelError."""
    catalogue = load_catalogue()
    entries = [entry for entry in catalogue.entries if entry.role == "recogniser"]
    for entry in entries:
        path = catalogue.find(entry.name)
        if path is not None:
            return Recogniser(entry, opener_of(preset).open(path), content_hash(path))
    names = " or ".join(f"`live models pull {entry.name}`" for entry in entries[:2])
    raise UsageError(f"who is who by a photo needs a recogniser, and none is installed: {names}; or lock NUMBER")


def _rules(preset: Preset) -> Rules:
    return Rules(**preset.privacy.model_dump(exclude={"protect"}))


def build_tracker(preset: Preset) -> Tracker:
    """Perception as a preset wants it. Raises: ModelError."""
    threads, faces = preset.threads.network, preset.faces
    detector = Detector(
        models_dir() / "detector.onnx", width_px=faces.detector_width_px, score=faces.detector_score, threads=threads
    )
    landmarker = Landmarker(models_dir() / "landmarker.onnx", threads=threads)
    options = Options(faces.most, faces.detector_every, faces.track_score, faces.steadiness)
    return Tracker(detector, landmarker, options)


def build_masker(preset: Preset) -> Beside | None:
    """The masker, where a preset wants it. Raises: ModelError."""
    if not preset.faces.masks:
        return None
    masker = Masker(models_dir() / "masker.onnx", threads=preset.threads.network)
    return Beside(masker, Steady(preset.faces.mask_steadiness))


def _source_faces(preset: Preset, ask: Ask) -> tuple[SourceFace, ...]:
    gallery, wanted = Gallery(None), ask.faces or preset.face
    names = gallery.names()
    photos = {name for name in wanted if name not in names and (Path(name).suffix or Path(name).parent != Path())}
    if len(wanted) > MOST_FACES:
        raise UsageError(f"{len(wanted)} faces are too many; give up to {MOST_FACES}")
    if len(photos) > 1:
        raise UsageError(
            f"{len(photos)} photos, and each person has to agree; add them one by one, each with its consent: "
            "live faces add PHOTO --name NAME --consent TEXT"
        )
    known = {"auto": names[0]}
    return tuple(
        gallery.from_photo(Path(name), ask.consent or "", look_at_photos())
        if name in photos
        else gallery.get(known.get(name, name))  # names the faces there are, for one that is not
        for name in wanted
    )
