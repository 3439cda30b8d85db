"""What happens to one frame on the device's path: begin (cut, send), finish (receive, judge, paste, prove).

A frame can begin while the one before is still computed: its regions are cut where the newest known landmarks, moved
on, expect the faces. A face that left its region, or is new, is sent again within the same frame. Fails closed like
swap/pipeline.py: whatever did not come back finished is not proven. Knows frames and tracks; what is computed is in
step.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live.faces.choosing import Chooser
from live.faces.landmarker import MARGIN, MESH_POINTS
from live.faces.tracker import Found, Overview, Track, Tracker
from live.meter import Meter
from live.nets.tickets import Ticket
from live.pixels.device import parts_of, slot_px
from live.privacy import Rectangle, Seen, Watch
from live.swap.device.contract import Wanted
from live.swap.device.engine import DeviceEngine
from live.swap.pipeline import LEAST_PX, OPAQUE, layers_of
from live.values import Box, Face, Floats, Frame, Settings, SourceFace, Swapped

ROOM = 1.15
"""How much larger a region is than the patch that the landmarker cuts: for motion."""
LEAST_ROOM = 0.2
"""Of the face's size around the mesh: what a region has at least, where the larger one fits no slot."""
CHANGED = 0.25
"""Of the face's size around the mesh: farther out no engine changes a pixel, and nothing is pasted."""


@dataclass(slots=True)
class Sent:
    """A face on its way."""

    track: Track
    box: Box
    source: SourceFace
    ticket: Ticket
    number: int
    """Its row of the ticket."""

    def given(self, name: str) -> NDArray[Any]:
        """What was sent."""
        return self.ticket.rows[name][self.number]

    def got(self, name: str) -> NDArray[Any]:
        """What came back; waits for it. Raises: DeviceError."""
        return self.ticket.result()[name][self.number]


@dataclass(slots=True)
class Pending:
    """A frame that has begun."""

    frame: Frame
    settings: Settings
    now_s: float
    looked_for: tuple[Track, ...]
    """The tracks there were when the frame began, ..."""
    later: tuple[Track, ...] = ()
    """... and those of them whose surroundings other faces share: they are sent when those are swapped."""
    sent: list[Sent] = field(default_factory=list)
    overview: Future[Overview] = field(default_factory=Future)


@dataclass(slots=True)
class Memory:
    """What the host remembers of a track that the device follows."""

    row: int
    """Of the device's tables."""
    then_s: float
    """Time of the frame that was sent last."""
    middle: Floats
    """(2,) px of the frame, of the mesh when it was last seen, ..."""
    speed: Floats
    """... and how far it moved per frame."""
    last: Sent | None = None
    """The face as it was sent last."""


class DevicePipeline:
    """Swaps the faces of one capture's frames, in order, two of them under way; of a file two batches of some."""

    def __init__(self, tracker: Tracker, engine: DeviceEngine, watch: Watch, meter: Meter, *, frames: int = 1) -> None:
        """Args: frames: consecutive frames that may share a batch: more than 1 only where nobody waits for them."""
        self._frames, self.depth = frames, 2 * frames
        self._tracker, self._engine, self._watch, self._meter = tracker, engine, watch, meter
        self._memories: dict[int, Memory] = {}
        # The thumbnail is made and looked at while the device swaps: of 1080p it takes longer than all else here.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="overview")
        self._chooser = Chooser()
        self.finite = True
        """Whether every number of the newest frame was one."""

    def process(self, frame: Frame, settings: Settings, now_s: float) -> Swapped:
        """Swap the faces of a frame, in place. As Pipeline.process."""
        return self.finish(self.begin(frame, settings, now_s))

    def begin(self, frame: Frame, settings: Settings, now_s: float) -> Pending:
        """Send a frame's regions to the device, and let its thumbnail be looked at beside; waits for nothing.

        Raises: any error of the device; nothing is under way then.
        """
        pending = Pending(frame, settings, now_s, self._tracker.tracks)
        try:
            with self._meter.stage("begin"):
                self._tracker.seldom = settings.quality.detector_every
                first, *rest = layers_of([track.box for track in pending.looked_for]) or [[]]
                pending.later = tuple(pending.looked_for[number] for layer in rest for number in layer)
                self._send(pending, [pending.looked_for[number] for number in first])
                pending.overview = self._beside.submit(self._overlook, frame, due=self._tracker.is_due())
                return pending
        except Exception:
            self._watch.blind(now_s)
            self.drop(pending)
            raise

    def _overlook(self, frame: Frame, *, due: bool) -> Overview:
        """Look at the whole frame; for faces, if the detector is due."""
        thumbnail, scale = self._tracker.detector.thumbnail(frame)
        cut = self._tracker.is_cut(thumbnail)
        if not due:
            return Overview(thumbnail, scale, None, cut)
        ticket = self._engine.batcher.reserve(self._engine.detect_key(*thumbnail.shape[:2]))
        try:
            ticket.rows["image"][0] = thumbnail
            ticket.commit()
            rows = ticket.result()
            boxes, scores, points = (rows[name][0] for name in ("boxes", "scores", "points"))
            return Overview(thumbnail, scale, self._tracker.detector.chosen(boxes, scores, points, scale), cut)
        finally:
            ticket.release()

    def finish(self, pending: Pending) -> Swapped:
        """Wait for a frame, paste what came back into it, and state what is known about it.

        Raises: any error of the device or perception; the frame may then hold bare or half swapped faces.
        """
        frame, now_s = pending.frame, pending.now_s
        try:
            try:
                with self._meter.stage("wait"):
                    found = self._receive(pending)
                    overview = pending.overview.result()
                with self._meter.stage("judge"):
                    faces, seen = self._tracker.judge(frame, now_s, found, overview)
                    self._forget_ended()
            except Exception:
                self._watch.blind(now_s)
                raise
            return self._swapped(pending, faces, seen)
        finally:
            self.drop(pending)

    def forget(self) -> None:
        """Forget the device's buffers and graphs, which are made anew: a lack of memory may end with the old ones."""
        self._engine.batcher.clear()

    def drop(self, pending: Pending) -> None:
        """Give back what a frame holds of the device."""
        for sent in pending.sent:
            sent.ticket.release()

    def _swapped(self, pending: Pending, faces: list[Face], seen: Seen) -> Swapped:
        worn = pending.settings.source is not None
        swapped: list[Rectangle] = []
        chosen, bare = self._chooser.split(faces, pending.settings, pending.now_s)
        try:
            if worn and chosen:
                tracks = {track.number: track for track in self._tracker.tracks}
                for depth, layer in enumerate(layers_of([face.box for face in chosen])):
                    ready = self._complete(pending, [tracks[chosen[number].track] for number in layer], depth)
                    with self._meter.stage("paste"):
                        swapped += _paste(pending.frame, ready)
        finally:
            proof = self._watch.prove(seen, swapped, worn=worn, now_s=pending.now_s, bare=bare)
        return Swapped(pending.frame, proof, tuple(faces))

    def _complete(self, pending: Pending, tracks: Sequence[Track], depth: int) -> list[Sent]:
        """Return what came back of each track of a layer, after sending whom the first round left out or missed."""
        first = {sent.track.number: sent for sent in pending.sent if sent.track in tracks}
        ready: dict[int, Sent] = {}
        for number, sent in first.items():
            if sent.source is not _source_of(sent.track, pending.settings):
                self._engine.wear.forget(self._memories[number].row)  # somebody else is on the track now
            elif depth == 0 and _lies_inside(sent, pending.frame):
                ready[number] = sent
        missing = [track for track in tracks if track.number not in ready]
        if missing:
            before = len(pending.sent)
            with self._meter.stage("again"):
                self._send(pending, [track for track in missing if track.number in first], again=True)
                self._send(pending, [track for track in missing if track.number not in first])
                for sent in pending.sent[before:]:
                    if float(sent.got("score")) >= self._tracker.least_score and _lies_inside(sent, pending.frame):
                        ready[sent.track.number] = sent
        return [ready[track.number] for track in tracks if track.number in ready]

    def _send(self, pending: Pending, tracks: Sequence[Track], *, again: bool = False) -> None:
        """Send the regions of tracks, those of one slot size together, where there is a source face to wear."""
        frame, by_slot = pending.frame, dict[int, list[tuple[Track, Box]]]()
        for track in tracks if pending.settings.source is not None else ():
            box = self._box(track, frame, again=again)
            side = slot_px(box[2] - box[0], box[3] - box[1])
            if side is not None and box[2] - box[0] >= LEAST_PX <= box[3] - box[1]:
                by_slot.setdefault(side, []).append((track, box))
        variant = self._engine.wear.variant(frame.number, pending.settings.quality)
        most = self._engine.most
        for side, faces in by_slot.items():
            chained = self._frames > 1
            key = self._engine.swap_key(frame.format, frame.colour, side, variant, chained=chained)
            for group in (faces[at : at + most] for at in range(0, len(faces), most)):
                if not chained:
                    self._part([track for track, _ in group])
                ticket = self._engine.batcher.reserve(key, len(group), together=1 if again else self._frames)
                for number, (track, box) in enumerate(group):
                    source = _source_of(track, pending.settings)
                    assert source is not None
                    pending.sent.append(Sent(track, box, source, ticket, number))
                    self._fill(pending, pending.sent[-1], again=again)
                ticket.commit()

    def _part(self, tracks: Sequence[Track]) -> None:
        """Let the batches leave in which these tracks were sent last: no other row of theirs may join them."""
        for track in tracks:
            memory = self._memories.get(track.number)
            if memory is not None and memory.last is not None:
                memory.last.ticket.hurry()

    def _fill(self, pending: Pending, sent: Sent, *, again: bool) -> None:
        """Write everything about one face into its row."""
        track, now_s, rows, number = sent.track, pending.now_s, sent.ticket.rows, sent.number
        memory, fresh = self._memories.get(track.number), again
        if memory is None:
            row, fresh = self._engine.take_track(), True
            memory = self._memories[track.number] = Memory(row, now_s, _middle(track.raw), np.zeros(2, np.float32))
        for part, plane in zip(parts_of(pending.frame, sent.box), _slot(sent.given, pending.frame).planes):
            plane[: part.shape[0], : part.shape[1]] = part
        x1, y1, x2, y2 = sent.box
        before = -1 if memory.last is None else sent.ticket.after(memory.last.ticket, memory.last.number)
        if before >= 0:
            sent.ticket.row(before)["keep"][...] = 0
        memory.last = sent
        about = {"extent": (y2 - y1, x2 - x1), "corner": (x1, y1), "track": memory.row, "keep": memory.row}
        about |= {"before": before, "fresh": fresh, "elapsed_s": now_s - memory.then_s}
        about["strength"] = pending.settings.strength
        for name, value in about.items():
            rows[name][number] = value
        if fresh:
            rows["landmarks"][number] = track.raw
        self._engine.wear.fill(rows, number, Wanted(sent.source, memory.row, track.landmarks, pending.settings, now_s))
        memory.then_s = now_s

    def _receive(self, pending: Pending) -> dict[int, Found]:
        """Wait for the faces that were sent; a track that could not be sent (it left the frame) is lost."""
        if pending.settings.source is None:
            return self._tracker.look_again(pending.frame)
        found = {track.number: Found(track.raw, 0.0) for track in pending.looked_for}
        found |= self._tracker.look_again(pending.frame, pending.later)
        self.finite = all(sent.got("finite") for sent in pending.sent)
        if pending.sent:
            self._meter.add("device", pending.sent[0].ticket.device_s())
        for sent in pending.sent:
            raw = sent.got("raw").copy()
            found[sent.track.number] = Found(raw, float(sent.got("score")), sent.got("smooth").copy())
            memory = self._memories.get(sent.track.number)
            if memory is not None:
                middle = _middle(raw)
                memory.middle, memory.speed = middle, middle - memory.middle
        return found

    def _box(self, track: Track, frame: Frame, *, again: bool) -> Box:
        """Return the region to send: where the face is expected, with room, inside the frame; x1 and y1 even."""
        mesh = track.raw[:MESH_POINTS, :2]
        low, high = mesh.min(axis=0), mesh.max(axis=0)
        memory = self._memories.get(track.number)
        ahead = np.zeros(2, np.float32) if memory is None or again else memory.speed
        middle, size = (low + high) / 2 + ahead, float((high - low).max())
        half = np.full(2, ROOM * MARGIN * size / 2, np.float32) + np.abs(ahead)
        limit = np.array((frame.width_px, frame.height_px))
        if slot_px(*(int(each) for each in np.minimum(2 * half + 2, limit))) is None:
            half = (high - low) * (0.5 + LEAST_ROOM)
        x1, y1 = np.clip(np.floor(middle - half), 0, limit).astype(int) & ~1
        x2, y2 = np.clip(np.ceil(middle + half), 0, limit).astype(int)
        return int(x1), int(y1), int(x2), int(y2)

    def _forget_ended(self) -> None:
        followed = {track.number for track in self._tracker.tracks}
        for number in [number for number in self._memories if number not in followed]:
            self._engine.give_track(self._memories.pop(number).row)


def _source_of(track: Track, settings: Settings) -> SourceFace | None:
    """What whoever is on the track wears; before it is a face beyond doubt nothing is shown, and any will do."""
    return settings.worn_by(track.person or 0)


def _slot(part: Callable[[str], NDArray[Any]], like: Frame) -> Frame:
    """A face's slot, as it was sent or came back, as a picture."""
    planes = tuple(part(f"plane{number}") for number in range(len(like.planes)))
    return replace(like, planes=planes, width_px=planes[0].shape[1], height_px=planes[0].shape[0])


def _middle(landmarks: Floats) -> Floats:
    return landmarks[:MESH_POINTS, :2].mean(axis=0)


def _lies_inside(sent: Sent, frame: Frame) -> bool:
    """Whether the whole face lies in the region that was sent, as far as it lies in the frame."""
    mesh = sent.got("smooth")[:MESH_POINTS, :2]
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    x1, y1, x2, y2 = sent.box
    return bool(
        (low[0] >= x1 or x1 == 0)
        and (low[1] >= y1 or y1 == 0)
        and (high[0] <= x2 or x2 == frame.width_px)
        and (high[1] <= y2 or y2 == frame.height_px)
    )


def _paste(frame: Frame, ready: Sequence[Sent]) -> list[Rectangle]:
    """Put finished faces into their frame. Returns the boxes of those that were swapped."""
    for sent in ready:
        mesh = sent.got("smooth")[:MESH_POINTS, :2]
        low, high = mesh.min(axis=0), mesh.max(axis=0)
        margin = CHANGED * float((high - low).max())
        x1, y1 = np.maximum(np.floor(low - margin), sent.box[:2]).astype(int) & ~1
        x2, y2 = np.minimum(np.ceil(high + margin), sent.box[2:]).astype(int)
        if x2 <= x1 or y2 <= y1:
            continue
        left, top = x1 - sent.box[0], y1 - sent.box[1]
        finished = parts_of(_slot(sent.got, frame), (left, top, left + x2 - x1, top + y2 - y1))
        for part, new in zip(parts_of(frame, (x1, y1, x2, y2)), finished):
            part[...] = new
    return [sent.track.box for sent in ready if float(sent.got("opacity")) >= OPAQUE]
