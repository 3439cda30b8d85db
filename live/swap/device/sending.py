"""The way of target faces to the device: where each is expected, its region cut out, everything about it told.

Knows frames and tracks, and what the host remembers of tracks that the device follows; waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live.faces.landmarker import MARGIN, MESH_POINTS
from live.faces.tracker import Overview
from live.faces.tracks import Track
from live.nets.tickets import Ticket
from live.pixels.device import parts_of, slot_px
from live.swap.device.contract import Wanted
from live.swap.device.engine import DeviceEngine
from live.swap.pipeline import LEAST_PX
from live.values import Box, Floats, Frame, Settings, SourceFace

ROOM = 1.15
"""How much larger a region is than the patch that the landmarker cuts: for motion."""
LEAST_ROOM = 0.2
"""Of the face's size around the mesh: what a region has at least, where the larger one fits no slot."""


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


class Sender:
    """Sends the faces of one capture's frames."""

    def __init__(self, engine: DeviceEngine, frames: int) -> None:
        """Args: frames: consecutive frames that may share a batch."""
        self._engine, self._frames = engine, frames
        self._memories: dict[int, Memory] = {}

    def send(self, pending: Pending, tracks: Sequence[Track], *, again: bool = False) -> None:
        """Send the regions of tracks, those of one slot size together, where there is a source face to wear.

        Args: again: they left the region that was sent before.
        Raises: any error of the device; what was sent is in `pending`.
        """
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
                    source = source_of(track, pending.settings)
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
        for part, plane in zip(parts_of(pending.frame, sent.box), slot_of(sent.given, pending.frame).planes):
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

    def saw(self, track: int, landmarks: Floats) -> None:
        """A face came back with these landmarks (478, 3) px of the frame: where it moves is known now."""
        memory = self._memories.get(track)
        if memory is not None:
            middle = _middle(landmarks)
            memory.middle, memory.speed = middle, middle - memory.middle

    def change(self, track: int) -> None:
        """Somebody else is on a track now."""
        self._engine.wear.forget(self._memories[track].row)

    def forget_all_but(self, followed: set[int]) -> None:
        """Other tracks ended."""
        for number in [number for number in self._memories if number not in followed]:
            self._engine.give_track(self._memories.pop(number).row)

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


def source_of(track: Track, settings: Settings) -> SourceFace | None:
    """What whoever is on the track wears; before it is a face beyond doubt nothing is shown, and any will do."""
    return settings.worn_by(track.person or 0)


def slot_of(part: Callable[[str], NDArray[Any]], like: Frame) -> Frame:
    """A face's slot, as it was sent or came back, as a picture."""
    planes = tuple(part(f"plane{number}") for number in range(len(like.planes)))
    return replace(like, planes=planes, width_px=planes[0].shape[1], height_px=planes[0].shape[0])


def _middle(landmarks: Floats) -> Floats:
    return landmarks[:MESH_POINTS, :2].mean(axis=0)
