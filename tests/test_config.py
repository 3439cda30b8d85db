from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from live.config import load_preset, preset_names
from live.errors import ConfigError
from live.preset import Preset
from live.resources import configs_dir


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_every_bundled_preset_loads(name: str) -> None:
    assert load_preset(name).about


def test_the_presets_of_the_readme_are_there() -> None:
    assert {"default", "fast", "balanced", "quality"} <= set(preset_names())


def test_only_the_preset_for_checks_shows_the_bare_picture_and_its_line_says_so() -> None:
    bare = {name for name in preset_names() if load_preset(name).privacy.unproven == "pass"}
    assert bare == {"pass"}
    preset = load_preset("pass")
    assert preset.engine == "none"
    assert not preset.badge.show
    assert "BARE picture" in preset.about
    assert "only for checking" in preset.about


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_where_everyone_is_protected_every_frame_is_searched_for_newcomers(name: str) -> None:
    preset = load_preset(name)
    assert preset.privacy.protect != "everyone" or preset.faces.detector_every == 1


@pytest.mark.parametrize("name", sorted(preset_names()))
def test_no_bundled_preset_burns_a_counter_into_the_picture(name: str) -> None:
    assert not load_preset(name).capture.counter
    assert load_preset(name, ["capture.counter=true"]).capture.counter


def test_one_face_is_a_list_of_one() -> None:
    assert load_preset("fast").face == ("auto",)
    assert load_preset("fast", ["face=ada"]).face == ("ada",)
    assert load_preset("fast", ["face=[ada, bruno]"]).face == ("ada", "bruno")


def keys_of(model: type[BaseModel], path: str = "") -> set[str]:
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        is_section = isinstance(inner, type) and issubclass(inner, BaseModel)
        keys |= keys_of(inner, f"{path}{name}.") if is_section else {path + name}  # type: ignore[arg-type]
    return keys


def test_default_yaml_names_every_key_and_no_other() -> None:
    values = yaml.safe_load((configs_dir() / "default.yaml").read_text())
    flat = {f"{k}.{n}" for k, v in values.items() if isinstance(v, dict) for n in v}
    flat |= {k for k, v in values.items() if not isinstance(v, dict)}
    assert flat == keys_of(Preset)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("faces.moost=2", ["--set", '"faces.moost"', 'did you mean "faces.most"']),
        ("facs.most=2", ['"facs"', "faces"]),
        ("faces.most=99", ["--set", "faces.most", "99", "1 to 8"]),
        ("faces.most=two", ["faces.most", "'two'", "a whole number"]),
        ("swap.keep_eyes=maybe", ["swap.keep_eyes", "true or false"]),
        ("capture.counter=1", ["capture.counter", "true or false"]),
        ("badge.corner=middle", ["badge.corner", "'middle'", "top-left"]),
        ("badge.text=''", ["badge.text", "1 to 40"]),
        ("outputs=[]", ["outputs", "1 to 8"]),
        ("face=[]", ["face", "1 to 8"]),
        ("face=[ada, 3]", ["face", "list of 1 to 8 texts"]),
        ("faces=3", ["faces", "section", "most"]),
        ("faces.most", ["key=value"]),
        ("faces.most=[", ["not a value"]),
        ("swap.strength=.nan", ["swap.strength", "0.5 to 1"]),
        ("faces.detector_width_px=333", ["multiple of 32"]),
    ],
)
def test_a_wrong_override_names_key_value_and_what_is_allowed(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset("fast", [override])
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text


def test_overrides_win_over_the_preset() -> None:
    assert load_preset("fast", ["faces.most=2", "outputs=[null, web]"]).faces.most == 2


def test_an_unknown_preset_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match='did you mean "fast"'):
        load_preset("fsat")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faces: {most: 12}", ["mine.yaml", "faces.most", "12", "1 to 8"]),
        ("nonsense: 1", ["mine.yaml", '"nonsense"']),
        ("faces: {most: 1, most: 2}", ["mine.yaml", "twice"]),
        ("a: &x 1\nb: *x", ["aliases"]),
        ("- 1", ["keys with values"]),
        ("a: [", ["not valid YAML"]),
        ("? [1, 2]\n: 3", ["mine.yaml"]),
        ("!!python/object/apply:os.system ['true']", ["not valid YAML"]),
        ("[" * 5000, ["not valid YAML"]),
        ("a: " + "[" * 40 + "]" * 40, ["not valid YAML", "nested"]),
        ("x: " + "y" * 70000, ["larger than 64 KiB"]),
    ],
)
def test_a_wrong_file_gives_one_clear_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_preset(str(path))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_is_missing_gives_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for name, word in (("bytes.yaml", "UTF-8"), ("none.yaml", "no preset file")):
        with pytest.raises(ConfigError, match=word):
            load_preset(str(tmp_path / name))


def test_a_preset_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_preset().faces.most = 3


def test_a_device_that_is_none_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match="allowed: auto, cpu, cuda, cuda:1"):
        load_preset("fast", ["device=gpu"])
    assert load_preset("fast", ["device=cuda:1"]).device == "cuda:1"
