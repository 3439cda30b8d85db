"""Presets: YAML files on top of default.yaml, plus `--set key=value`, to one frozen `Preset`.

The values of a run that was given no preset are those of default.yaml, which names every key. Knows nothing about what
the keys do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import ValidationError

from live.errors import ConfigError
from live.preset import Preset, Section
from live.resources import configs_dir

FREE = ("keys.near.", "keys.anywhere.")
"""Sections whose keys the user names."""
MOST_BYTES = 64 * 1024
DEEPEST = 32
"""Collections within collections of a YAML file; ours go three deep."""
DEFAULT = "default"


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


class _Loader(_Yaml):  # type: ignore[misc]  # its base depends on the wheel
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
    section: type[Section] = Preset
    for part in parts:
        field = section.model_fields[part]
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
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
