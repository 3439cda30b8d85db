"""What is known about one model: its file, where it comes from, its licence, and all an engine needs to run it.

Pure values, checked when they are made; nothing is looked up. A picture's numbers are `(pixel / 255 - mean) / std`,
channel by channel in the order fed, on the way in; the same turned round on the way out.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from live.nets.templates import TEMPLATES
from live.preset import Section

Role = Literal["detector", "landmarker", "recogniser", "projector", "swapper", "restorer", "masker"]
"""What a model is for. A projector turns the embedding of one recogniser into that of another."""
Answer = Literal["yes", "no", "unclear"]
MOST_SIDE_PX = 4096

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.(onnx|dfm)$")]
"""A plain name: nothing that could lead out of the folder."""
PortName = Annotated[str, Field(max_length=200)]
"""Of an input of the network; empty: the only input there is."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=500)]
Side = Annotated[int, Field(ge=8, le=MOST_SIDE_PX)]
Triple = Annotated[tuple[float, float, float], Field(strict=False)]
"""One number per channel, in the order fed."""


class Licence(Section):
    """What its owners allow, as far as it is known. No legal advice."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    commercial: Answer
    """Whether it may be used to earn money."""
    redistribution: Answer
    """Whether it may be handed on."""
    url: str = ""
    note: Annotated[str, Field(max_length=1000)] = ""
    """What a user should know before accepting."""


class Normalisation(Section):
    """How 8-bit pixels become numbers: `(pixel / 255 - mean) / std`."""

    order: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    """1/255 leaves pixels as 0..255."""
    layout: Literal["nchw", "nhwc"] = "nchw"

    @field_validator("std")
    @classmethod
    def _divides(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(part > 0 for part in value):
            raise ValueError("std has to be above 0")
        return value


class Picture(Section):
    """A picture input: a patch of the target face, or of the source face."""

    input: PortName = ""
    size_px: Side
    """Side of the square."""
    template: str | None = None
    """Of live/nets/templates.py; None: not cut by five points (detectors, our own networks)."""
    normalisation: Normalisation = Normalisation()

    @field_validator("template")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in TEMPLATES:
            raise ValueError(f"no template {value}; there are {', '.join(TEMPLATES)}")
        return value


class Embedding(Section):
    """How a swapper is told whose face to make, as a vector.

    From a recogniser's raw vector e: e / |e| where `normalise_first`; then the projection; then divided by its length
    where `normalise_last`.
    """

    kind: Literal["embedding"] = "embedding"
    input: PortName
    recogniser: Name
    """The entry that makes the vector."""
    projection: Literal["none", "emap", "network"] = "none"
    """emap: times the square matrix that is the last initialiser of the swapper's file. network: `projector`."""
    projector: Name | None = None
    normalise_first: bool
    normalise_last: bool
    length: Annotated[int, Field(ge=1, le=4096)] = 512

    @model_validator(mode="after")
    def _projector_fits(self) -> Self:
        if (self.projection == "network") != (self.projector is not None):
            raise ValueError("projection: network needs a projector, and nothing else has one")
        return self


class Likeness(Section):
    """How a swapper is told whose face to make, as a picture."""

    kind: Literal["picture"] = "picture"
    picture: Picture


class Knob(Section):
    """A number that a network takes beside its pictures (CodeFormer's weight, a DFM's morph value)."""

    input: PortName
    low: float
    high: float
    value: float
    """What is fed where nobody asks for another."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} is not in {self.low:g}..{self.high:g}")
        return self


class Result(Section):
    """What a swapper or restorer gives back. Outputs are counted from 0, in the file's order."""

    picture: Annotated[int, Field(ge=0, le=15)] = 0
    normalisation: Normalisation = Normalisation()
    """Turned round: `value * std + mean`, cut to 0..1, is the share of full brightness."""
    masks: Annotated[tuple[Annotated[int, Field(ge=0, le=15)], ...], Field(max_length=2, strict=False)] = ()
    """Outputs that say where the new face is, 0..1; of several the smaller counts, pixel by pixel."""


class Entry(Section):
    """One model."""

    name: Name
    role: Role
    family: Name
    """The arithmetic it wants: `plain` is what the fields of this entry say and no more; `dfm` has its own."""
    about: Annotated[str, Field(max_length=300)] = ""
    file: FileName
    """In the models folder; of embedded ones in the program."""
    embedded: bool = False
    """Comes with the program."""
    own: bool = False
    """Added by the user."""
    bytes: Annotated[int, Field(gt=0, le=2**33)] | None = None
    """Exact. None: not known."""
    megabytes: Annotated[float, Field(gt=0, le=8192)] | None = None
    """About, where the exact size is not known; 10^6 bytes."""
    sha256: Sha256 | None = None
    """None: nobody published it; the first download is then trusted and kept to."""
    urls: Annotated[tuple[Url, ...], Field(max_length=8, strict=False)] = ()
    """Mirrors of the same bytes, tried in order."""
    licence: Licence
    input: Picture | None = None
    """The picture of the target face; the face itself for recognisers. None: it takes no picture (projectors)."""
    identity: Annotated[Embedding | Likeness, Field(discriminator="kind")] | None = None
    knobs: Annotated[tuple[Knob, ...], Field(max_length=8, strict=False)] = ()
    output: Result | None = None
    """Of swappers and restorers."""
    consent: Annotated[str, Field(max_length=500)] = ""
    """Of a network that has a person's face inside: who agreed, see live/consent.py."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.role in ("swapper", "restorer")) != (self.output is not None):
            raise ValueError("swappers and restorers have an output, others have none")
        if (self.role == "projector") != (self.input is None):
            raise ValueError("a projector takes no picture, others have an input")
        if self.identity is not None and self.role != "swapper":
            raise ValueError("only a swapper has an identity")
        if self.holds_a_face and not self.consent:
            raise ValueError("a network with somebody's face inside needs a statement of consent")
        if self.sha256 is None and any(url.startswith("http://") for url in self.urls):
            raise ValueError("without a sha256 only https:// will do")
        return self

    @property
    def holds_a_face(self) -> bool:
        """Whether it makes one person's face only, so that it needs no source face and has a consent of its own."""
        return self.role == "swapper" and self.identity is None

    @property
    def size_bytes(self) -> int | None:
        """The exact size, else about, else None."""
        return self.bytes or (round(self.megabytes * 1e6) if self.megabytes else None)
