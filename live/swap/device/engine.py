"""What all sessions of one device share: the batcher with its steps, what is remembered of tracks, and the wear.

Steps are made per slot size, pixel format and colours as frames ask for them. Knows tensors and rows; knows nothing
about frames' numbers, proofs or outputs.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import nn

from live.faces.device_look import Cover, Look
from live.nets.batcher import Batcher
from live.nets.lines import BUCKETS, DeviceError
from live.nets.place import Fork, Place
from live.pixels.device import Layout
from live.swap.device.contract import Wear
from live.swap.device.step import DetectStep, Fused, SwapStep
from live.values import FULL, SLOTS_PX, Colour, Kind, PixelFormat, Quality, SourceFace

TRACKS = 64
"""Rows of the tables of what is remembered, the first of which is nobody's."""

CADENCES = 8
"""Frames after which every variant of a wear has come up."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The embedded networks as modules on the device."""

    detector: nn.Module
    landmarker: nn.Module
    masker: nn.Module | None


class DeviceEngine:
    """One device with one wear. Calls may come from the threads of several sessions."""

    proves = True

    def __init__(
        self,
        place: Place,
        networks: Networks,
        wear: Wear,
        *,
        steadiness: float,
        mask_steadiness: float,
        most: int = 8,
        compiles: bool = False,
    ) -> None:
        """Args: wear: made for TRACKS rows; steadiness, mask_steadiness as in presets; most faces of a batch; compiles:
        small operations are fused, which takes minutes at the first start.
        """
        self.place, self.wear, self.most = place, wear, most
        self.name = f"{wear.name} on {place.name}"
        self.batcher = Batcher(place, most=most)
        self.networks, self._compiles = networks, compiles
        self._fork = None if compiles else Fork(place)
        self._look = Look(networks.landmarker, TRACKS, steadiness, place.device)
        self._cover = None
        if networks.masker is not None:
            self._cover = Cover(networks.masker, TRACKS, mask_steadiness, place.device)
        self._free = list(range(1, TRACKS))
        self._lock = threading.Lock()

    def close(self) -> None:
        """Free the device's buffers and graphs."""
        self.batcher.clear()

    @property
    def frames(self) -> int:
        """Consecutive frames of a file that one batch may hold."""
        return min(self.wear.frames, self.most)

    def prepare(self, source: SourceFace) -> None:
        """Bring a source face to the device; free when it is there."""
        with torch.inference_mode():
            self.wear.prepare(source)

    def take_track(self) -> int:
        """Return a row of the tables for a new track. Raises: DeviceError when all are taken."""
        with self._lock:
            if not self._free:
                raise DeviceError(
                    f"more than {TRACKS - 1} faces at once in all sessions; the device keeps no more apart"
                )
            return self._free.pop(0)

    def give_track(self, row: int) -> None:
        """A track ended."""
        self.wear.forget(row)
        with self._lock:
            self._free.append(row)

    def swap_key(
        self, format: PixelFormat, colour: Colour, side_px: int, variant: str, *, chained: bool = False
    ) -> Hashable:
        """Return the key of the step for such slots and a variant of the wear's, made at the first call.

        Args: chained: rows of a batch may be of one track, which takes longer.
        """
        key = ("swap", format, colour, side_px, variant, chained)
        if not self.batcher.knows(key):
            layout = Layout(format, side_px, colour)
            parts = (self._look, self._cover, self.wear, variant, self.place.device, self._fork)
            step = SwapStep(layout, *parts, chained=chained)
            self.batcher.add(key, Fused(step, self.place) if self._compiles else step)
        return key

    def detect_key(self, height_px: int, width_px: int) -> Hashable:
        """Return the key of the detector's step for such thumbnails, made at the first call."""
        key = ("detect", height_px, width_px)
        if not self.batcher.knows(key):
            step = DetectStep(self.networks.detector, height_px, width_px, self.place.device)
            self.batcher.add(key, step, stream="detector")
        return key

    def warm(
        self,
        kind: Kind,
        thumbnail_px: tuple[int, int],
        counts: Sequence[int] = BUCKETS[:1],
        *,
        live: bool = True,
        files: bool = False,
    ) -> None:
        """Capture the graphs that frames of a kind will need. Slow; before the first frame.

        Args: thumbnail_px: height and width; counts: faces in a frame; live, files: what the frames may come from.
        """
        chains = {chained and self.frames > 1 for chained, wanted in ((False, live), (True, files)) if wanted}
        self.batcher.warm(self.detect_key(*thumbnail_px), (1,))
        needed = min(kind.height_px, kind.width_px, SLOTS_PX[-1])
        for side in SLOTS_PX:
            variants = {
                self.wear.variant(number, one)
                for number in range(CADENCES)
                for one in (FULL, Quality(restorer_every=0))
            }
            for variant, chained in product(sorted(variants), sorted(chains)):
                self.batcher.warm(self.swap_key(kind.format, kind.colour, side, variant, chained=chained), counts)
            if side >= needed:
                break
