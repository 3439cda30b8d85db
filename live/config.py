"""Presets: YAML files on top of default.yaml, plus `--set key=value`, to one frozen `Preset`.

Knows the keys, their types and ranges; the values of a run that was given no preset are those of default.yaml, which
names every key. Knows nothing about what the keys do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from live.errors import ConfigError
from live.resources import configs_dir

FREE = ("keys.near.", "keys.anywhere.")
"""Sections whose keys the user names."""
MOST_BYTES = 64 * 1024
DEEPEST = 32
"""Collections within collections of a YAML file; ours go three deep."""
DEFAULT = "default"


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


def load_preset(name: str = DEFAULT, overrides: Sequence[str] = ()) -> Preset:
    """Read a preset by name or path on top of default.yaml, apply `key=value` overrides, check everything.

    Raises: ConfigError naming the file, the key, the value and what is allowed.
    """
    values = _read(configs_dir() / f"{DEFAULT}.yaml")
    origin = f"{DEFAULT}.yaml"
    if name != DEFAULT:
        path = _find(name)
        origin = path.name
        _lay_over(values, _read(path), origin)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text}: write key=value, for example --set faces.most=2")
        _lay_over(values, _nested(key.strip(), _parse_value(key, value)), "--set")
    try:
        return Preset.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, origin, overrides)) from None


def preset_names() -> dict[str, Path]:
    """Bundled presets by name."""
    return {path.stem: path for path in sorted(configs_dir().glob("*.yaml"))}


def _find(name: str) -> Path:
    bundled = preset_names()
    if name in bundled:
        return bundled[name]
    path = Path(name).expanduser()
    if path.suffix in {".yaml", ".yml"} or path.parent != Path():
        if path.is_file():
            return path
        raise ConfigError(f"no preset file {name}; `live presets` lists the bundled ones")
    near = difflib.get_close_matches(name, bundled, n=1)
    guess = f'; did you mean "{near[0]}"?' if near else ""
    raise ConfigError(f'no preset "{name}"{guess} There are: {", ".join(bundled)}; or give the path of a .yaml file')


_Yaml: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's takes a tenth of the time


class _Loader(_Yaml):  # type: ignore[misc]
    """YAML without a key twice: the first would be lost silently."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.YAMLError(f'key "{twice}" stands twice, line {node.start_mark.line + 1}')
        return super().construct_mapping(node, deep)


def plain_yaml(text: str) -> Any:
    """Read YAML without aliases (they can blow up), deep nesting and a key twice. Raises: yaml.YAMLError, TypeError."""
    depth = 0
    for event in yaml.parse(text, _Yaml):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(f"nested more than {DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
    return yaml.load(text, _Loader)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path.name}: larger than {MOST_BYTES // 1024} KiB, not a preset")
        values = plain_yaml(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name}: not a text file in UTF-8") from None
    except (yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"{path.name}: not valid YAML: {_one_line(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path.name}: a preset is keys with values, like `engine: mesh`; see configs/default.yaml")
    return values


def _parse_value(key: str, text: str) -> Any:
    try:
        return plain_yaml(text)
    except (yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"--set {key}: {text!r} is not a value: {_one_line(error)}") from None


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _lay_over(values: dict[str, Any], more: Mapping[str, Any], origin: str, path: str = "") -> None:
    """Put `more` over `values`, section by section, refusing keys that default.yaml does not know."""
    for key, value in more.items():
        full = f"{path}{key}"
        if path in FREE:
            values[key] = value
            continue
        if key not in values:
            near = difflib.get_close_matches(str(key), [str(known) for known in values], n=1)
            guess = f'did you mean "{path}{near[0]}"?' if near else f"allowed here: {', '.join(values)}"
            raise ConfigError(f'{origin}: no key "{full}"; {guess}')
        if isinstance(values[key], dict):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{origin}: {full} is a section with keys {', '.join(values[key])}, not {value!r}")
            _lay_over(values[key], value, origin, f"{full}.")
        else:
            values[key] = value


def _explain(error: ValidationError, origin: str, overrides: Sequence[str]) -> str:
    """The first fault as one line: file, key, value, what is allowed."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if not isinstance(part, int)]
    key = ".".join(parts)
    if any(text.partition("=")[0].strip() == key for text in overrides):
        origin = "--set"
    value = first["input"]
    return f"{origin}: {key}: {value!r} is not allowed; allowed: {_allowed(parts)}"


def _allowed(parts: Sequence[str]) -> str:
    """What a key takes, in words."""
    section: type[BaseModel] = Preset
    for part in parts:
        field = section.model_fields[part]
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            break
        section = field.annotation
    if field.description:
        return field.description
    if get_origin(field.annotation) is Literal:
        return ", ".join(str(choice) for choice in get_args(field.annotation))
    if get_origin(field.annotation) is dict:
        return "keys with command lines, like `f9: face 2`, or null for none"
    if get_origin(field.annotation) is tuple:
        return "a list of 1 to 8 texts"
    limits = {name: getattr(item, name) for item in field.metadata for name in ("ge", "le") if hasattr(item, name)}
    kind = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[field.annotation]  # type: ignore[index]
    steps = next((f", a multiple of {item.multiple_of}" for item in field.metadata if hasattr(item, "multiple_of")), "")
    length = next((f" of 1 to {item.max_length} letters" for item in field.metadata if hasattr(item, "max_length")), "")
    return kind + (f" from {limits['ge']:g} to {limits['le']:g}" if limits else "") + steps + length


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
