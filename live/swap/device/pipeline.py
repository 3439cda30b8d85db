"""What happens to one frame on the device's path: begin (cut, send), finish (receive, judge, paste, prove).

A frame can begin while the one before is still computed: its regions are cut where the newest known landmarks, moved
on, expect the faces. A face that left its region, or is new, is sent again within the same frame. Fails closed like
swap/pipeline.py: whatever did not come back finished is not proven. Knows frames and tracks; how faces are sent is in
sending.py, what is computed in step.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from live.faces.choosing import Chooser
from live.faces.landmarker import MESH_POINTS
from live.faces.tracker import Overview, Tracker
from live.faces.tracks import Found, Track
from live.meter import Meter
from live.pixels.device import parts_of
from live.privacy import Rectangle, Seen, Watch
from live.swap.device.engine import DeviceEngine
from live.swap.device.sending import Pending, Sender, Sent, slot_of, source_of
from live.swap.pipeline import OPAQUE, layers_of
from live.values import Face, Frame, Settings, Swapped

CHANGED = 0.25
"""Of the face's size around the mesh: farther out no engine changes a pixel, and nothing is pasted."""


class DevicePipeline:
    """Swaps the faces of one capture's frames, in order, two of them under way; of a file two batches of some."""

    def __init__(self, tracker: Tracker, engine: DeviceEngine, watch: Watch, meter: Meter, *, frames: int = 1) -> None:
        """Args: frames: consecutive frames that may share a batch: more than 1 only where nobody waits for them."""
        self.depth = 2 * frames
        self._tracker, self._engine, self._watch, self._meter = tracker, engine, watch, meter
        self._sender = Sender(engine, frames)
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
                self._sender.send(pending, [pending.looked_for[number] for number in first])
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
                    self._sender.forget_all_but({track.number for track in self._tracker.tracks})
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
            if sent.source is not source_of(sent.track, pending.settings):
                self._sender.change(number)
            elif depth == 0 and _lies_inside(sent, pending.frame):
                ready[number] = sent
        missing = [track for track in tracks if track.number not in ready]
        if missing:
            before = len(pending.sent)
            with self._meter.stage("again"):
                self._sender.send(pending, [track for track in missing if track.number in first], again=True)
                self._sender.send(pending, [track for track in missing if track.number not in first])
                for sent in pending.sent[before:]:
                    if float(sent.got("score")) >= self._tracker.least_score and _lies_inside(sent, pending.frame):
                        ready[sent.track.number] = sent
        return [ready[track.number] for track in tracks if track.number in ready]

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
            self._sender.saw(sent.track.number, raw)
        return found


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
        finished = parts_of(slot_of(sent.got, frame), (left, top, left + x2 - x1, top + y2 - y1))
        for part, new in zip(parts_of(frame, (x1, y1, x2, y2)), finished):
            part[...] = new
    return [sent.track.box for sent in ready if float(sent.got("opacity")) >= OPAQUE]
