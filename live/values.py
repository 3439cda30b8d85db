"""The values that flow through the program, frozen, with shapes and units at the field.

Knows nothing about devices, networks or threads. Pixel arrays inside a frozen value are handed over with it: whoever
receives a `Frame` from a capture owns its planes and may write into them; after an output released it nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
SLOTS_PX = (256, 512, 768, 1152, 2304)
"""Sides of the squares in which regions travel to a device, multiples of 32: faces of a webcam, and what frames of
720, 1080 and 2160 rows can need."""
Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in frame px; x2 and y2 exclusive."""


class PixelFormat(StrEnum):
    """How the planes of a `Frame` are laid out. H and W are the frame's size; chroma sizes round up."""

    BGR = "bgr"
    """One plane (H, W, 3), blue first, full range."""
    GRAY = "gray"
    """One plane (H, W)."""
    I420 = "i420"
    """Y (H, W), U and V (H/2, W/2)."""
    I422 = "i422"
    """Y (H, W), U and V (H, W/2)."""
    I444 = "i444"
    """Y, U, V (H, W)."""
    NV12 = "nv12"
    """Y (H, W), interleaved UV (H/2, W/2, 2)."""
    YUYV = "yuyv"
    """One plane (H, W, 2), W even: Y with U and V in turn."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How YUV numbers mean colours. BGR frames are sRGB-like and ignore it."""

    matrix: str = "bt601"
    """`bt601` or `bt709`: the luma weights."""
    full_range: bool = False
    """True: Y, U, V use 0..255 (JPEG); False: 16..235 / 16..240 (video)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a capture."""

    planes: tuple[Pixels, ...]
    format: PixelFormat
    width_px: int
    height_px: int
    time_s: float
    """`time.monotonic()` at dequeue (live) or the scheduled time (paced file): latency is counted from here."""
    number: int
    """Counts from 0 and by 1 in one capture."""
    media_s: float | None = None
    """The container's own presentation time, None where there is no container."""
    colour: Colour = Colour()


@dataclass(frozen=True, slots=True)
class Kind:
    """What all frames of a capture have in common."""

    format: PixelFormat
    colour: Colour
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Sound:
    """One packet of the input's sound on its way past the swap into a recording."""

    packet: Any
    """`av.Packet`, with its time base and stream."""
    media_s: float


@dataclass(frozen=True, slots=True)
class Face:
    """A target face found in a frame."""

    landmarks: Floats
    """(478, 3) px of the frame, MediaPipe's topology (468 mesh points, 2 x 5 of the irises); less z is nearer."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 px: tight around the 468 mesh points; may leave the frame."""
    score: float
    """0..1, the landmarker's probability that this is a face."""
    track: int
    """The same number while the same face is followed."""
    person: int = 0
    """The same number while the same person is in the scene, also when lost and found again: from 0, as they came."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face seen by the detector."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 px: tight around the face's mesh."""
    score: float
    points: Floats
    """(5, 2) px: image-left eye, image-right eye, nose tip, image-left mouth corner, image-right mouth corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A picture of one face."""

    image: Pixels
    """(H, W, 3) BGR, upright."""
    landmarks: Floats
    """(478, 3) px of `image`."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceFace:
    """The identity that is put on."""

    name: str
    key: str
    """Content hash: engines cache what they prepare under it."""
    image: Pixels
    """(H, W, 3) BGR, upright."""
    landmarks: Floats
    """(478, 3) px of `image`."""
    consent: str
    """`self`, `composite` (bundled people: nobody's likeness), or who agreed, when and how."""
    more: tuple[Photo, ...] = ()
    """Further photos of the same person; their content takes part in `key`."""
    stored: bool = False
    """True: it is kept on this computer anyway, so what is made of it may be, too. A photo for one run is not."""


class Whom(StrEnum):
    """Which people are swapped. Whoever is not stays as he is: only in the user's own words."""

    EVERYONE = "everyone"
    LARGEST = "largest"
    """The face that is largest in the picture."""
    LEFTMOST = "leftmost"
    """The face farthest to the left of the picture as it is captured."""
    LOCKED = "locked"
    """One person, and everybody who is not surely somebody else."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What may be left out of a frame's work when time is short; the plain values leave nothing out."""

    restorer_every: int = 1
    """The restorer runs on so many times fewer frames than the preset says; 0: not at all."""
    boost: int = 4
    """No more than so many sides of the network's picture per side of the patch."""
    lens: bool = True
    """The face gets the blur and the grain of the camera's picture."""
    bend: bool = True
    """Features move toward the source's proportions, as far as `Settings.shape` says."""
    masks: bool = True
    """What covers a face stays in front of it."""
    detector_every: int = 1
    """The detector looks at so many times fewer frames than the preset says; above 1 only where bare faces
    may be shown anyway: for so many frames a newcomer, or somebody who comes back, is not seen."""
    frames_every: int = 1
    """Of a live input only every n-th frame is taken."""


FULL = Quality()


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """What may change on air. Replaced whole; the loop reads it once per frame."""

    source: SourceFace | None = None
    """The face of the first person; with no `others` everybody's."""
    others: tuple[SourceFace, ...] = ()
    """The faces of the second, third ... person; with more people than faces the list starts over with `source`."""
    assigned: Mapping[int, SourceFace] = field(default_factory=dict)
    """By `Face.person`: faces given to somebody by name, whatever the list says; without a `source` nobody wears any.
    Never changed in place."""
    strength: float = 1.0
    """0.5..1: opacity of the swapped face."""
    shape: float = 0.5
    """0..1: how far outline and features move toward the source's proportions."""
    crossfade_s: float | None = None
    """How long another source face takes to take over; 0: from one frame to the next; None: as the engine was built."""
    whom: Whom = Whom.EVERYONE
    locked: int = 0
    """`Face.person` of the one whom `Whom.LOCKED` means."""
    mirror: bool = False
    """Pictures leave with left and right changed."""
    badge: bool = True
    """Swapped pictures carry the run's badge, if it has one."""
    quality: Quality = FULL

    @property
    def faces(self) -> tuple[SourceFace, ...]:
        """Return the list of faces, in the order in which people get them."""
        return () if self.source is None else (self.source, *self.others)

    def worn_by(self, person: int) -> SourceFace | None:
        """Return the face that a person wears, None for none."""
        faces = self.faces
        return self.assigned.get(person, faces[person % len(faces)]) if faces else None

    def takeover_s(self, built_s: float) -> float:
        """Return how long another source face takes to take over. Args: built_s: as the engine was built."""
        return built_s if self.crossfade_s is None else self.crossfade_s


@dataclass(frozen=True, slots=True)
class Proof:
    """The statement of what was found in a frame and what was swapped in it."""

    proven: bool
    reason: str
    """Short and for people: `2 of 2 faces swapped`, `face lost 0.3 s ago`, `no source face`."""
    found: int = 0
    swapped: int = 0


@dataclass(frozen=True, slots=True)
class Swapped:
    """A frame on its way to the outputs, with the statement about it."""

    frame: Frame
    proof: Proof
    faces: tuple[Face, ...] = field(default=())
