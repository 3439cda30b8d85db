"""The keys of a preset with their types and ranges. Knows nothing about files, or about what the keys do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Section(BaseModel):
    """A group of keys: nothing unknown, nothing converted silently, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CaptureKeys(Section):
    """What is asked of the input."""

    width_px: Annotated[int, Field(ge=0, le=16384)]
    height_px: Annotated[int, Field(ge=0, le=16384)]
    fps: Annotated[float, Field(ge=0, le=240)]
    format: Literal["auto", "bgr", "gray", "i420", "i422", "i444", "nv12", "yuyv"]
    pace: Literal["auto", "real", "max"]
    loop: bool
    counter: bool


class SwapKeys(Section):
    """How the source face is worn."""

    strength: Annotated[float, Field(ge=0.5, le=1)]
    shape: Annotated[float, Field(ge=0, le=1)]
    colour: Annotated[float, Field(ge=0, le=1)]
    light: Annotated[float, Field(ge=0, le=1)]
    keep_eyes: bool
    keep_mouth: bool
    reach: Annotated[float, Field(ge=0, le=1)]
    softness: Annotated[float, Field(ge=0.005, le=0.2)]
    iris: Annotated[float, Field(ge=0, le=1)]
    lens: bool
    crossfade_s: Annotated[float, Field(ge=0, le=2)]


class FacesKeys(Section):
    """How faces are found and followed."""

    most: Annotated[int, Field(ge=1, le=8)]
    detector_width_px: Annotated[int, Field(ge=128, le=1280, multiple_of=32)]
    detector_every: Annotated[int, Field(ge=1, le=30)]
    detector_score: Annotated[float, Field(ge=0.05, le=0.95)]
    track_score: Annotated[float, Field(ge=0.05, le=0.95)]
    steadiness: Annotated[float, Field(ge=0, le=1)]
    masks: bool
    mask_steadiness: Annotated[float, Field(ge=0, le=0.95)]


class PrivacyKeys(Section):
    """What is shown when a frame is not proven."""

    protect: Literal["everyone", "chosen"]
    unproven: Literal["slate", "blur", "pass"]
    hold_s: Annotated[float, Field(ge=0, le=2)]
    deadline_s: Annotated[float, Field(ge=0.02, le=2)]
    settle_s: Annotated[float, Field(ge=0.2, le=10)]


class BadgeKeys(Section):
    """The visible mark on swapped pictures."""

    show: bool
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"]
    text: Annotated[str, Field(min_length=1, max_length=40)]


class NetsKeys(Section):
    """How networks of the catalogue are run."""

    engines: Annotated[tuple[str, ...], Field(max_length=20, strict=False)]
    restorers: Annotated[tuple[str, ...], Field(max_length=20, strict=False)]
    backend: Literal["auto", "torch", "tensorrt", "cuda", "coreml", "directml", "openvino", "cpu"]
    precision: Literal["auto", "fp32", "tf32", "fp16", "bf16"]
    boost: Annotated[int, Field(ge=1, le=4)]
    restorer_blend: Annotated[float, Field(ge=0, le=1)]
    restorer_every: Annotated[int, Field(ge=1, le=10)]
    compile: bool
    build_limit_s: Annotated[float, Field(ge=1, le=86400)]


class GovernorKeys(Section):
    """What is given up when time is short."""

    active: bool
    budget_ms: Annotated[float, Field(ge=10, le=1000)]


Bindings = Annotated[dict[str, str | None], Field(max_length=64)]


class KeysKeys(Section):
    """Keys, and what each says."""

    hotkeys: bool
    near: Bindings
    anywhere: Bindings

    @field_validator("near", "anywhere", mode="before")
    @classmethod
    def _digits_are_keys(cls, value: object) -> object:
        """YAML reads the key `1` as a number."""
        if not isinstance(value, Mapping):
            return value
        return {str(key) if isinstance(key, int) and not isinstance(key, bool) else key: value[key] for key in value}


class ControlKeys(Section):
    """Who may steer a run, and where."""

    active: bool
    listen: Annotated[str, Field(pattern=r"^(\d{1,3}\.){3}\d{1,3}$")]
    port: Annotated[int, Field(ge=1, le=65535)]
    before: bool
    folder: str


class ThreadsKeys(Section):
    """How many threads the libraries may use."""

    opencv: Annotated[int, Field(ge=0, le=64)]
    network: Annotated[int, Field(ge=1, le=64)]


class Preset(Section):
    """Everything about one run; see configs/default.yaml for every key's unit, range and reason."""

    about: str
    input: str
    outputs: Annotated[tuple[str, ...], Field(min_length=1, max_length=8, strict=False)]
    face: Annotated[tuple[str, ...], Field(min_length=1, max_length=8, strict=False)]
    engine: str
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$", description="auto, cpu, cuda, cuda:1, ...")]
    restorer: str
    capture: CaptureKeys
    swap: SwapKeys
    faces: FacesKeys
    privacy: PrivacyKeys
    badge: BadgeKeys
    nets: NetsKeys
    governor: GovernorKeys
    keys: KeysKeys
    control: ControlKeys
    threads: ThreadsKeys

    @field_validator("outputs", mode="before")
    @classmethod
    def _null_is_an_output(cls, value: object) -> object:
        """YAML reads the output `null` as nothing."""
        return ["null" if item is None else item for item in value] if isinstance(value, list | tuple) else value

    @field_validator("face", mode="before")
    @classmethod
    def _one_face_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value
