"""The table, its words and its keys."""

from __future__ import annotations

import pytest

from live.config import load_preset
from live.control import bindings
from live.control.commands import COMMANDS, MOST_PEOPLE, checked, command_of, split, stepped
from live.control.desk import Desk
from live.errors import ConfigError, UsageError


def keys(*overrides: str):
    return load_preset("default", overrides).keys


def test_every_command_of_the_table_is_carried_out_by_the_desk() -> None:
    for command in COMMANDS:
        assert callable(getattr(Desk, "_do_" + command.name.replace("-", "_"))), command.name


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("panik", ["panik", 'did you mean "panic"']),
        ("fly", ["fly", "next-face", "quit"]),
        ("face", ["face takes 1 arguments, not 0", "face FACE"]),
        ("face 1 2", ["not 2"]),
        ("strength 2", ["value", "'2'", "0.5 to 1"]),
        ("strength nan", ["nan"]),
        ("shape high", ["high", "0 to 1"]),
        ("mirror maybe", ["maybe", "on|off"]),
        ("lock 0", ["person", "'0'"]),
        (f"lock {MOST_PEOPLE + 1}", ["person"]),
        ("people nobody", ["nobody", "everyone|largest|leftmost"]),
        ("people largest yes", ["yes", "others-bare"]),
    ],
)
def test_a_wrong_command_says_what_is_allowed(line: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        checked(*split(line))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "line", ["face 1", 'face "Ada L"', "strength +0.1", "crossfade 0", "lock 2 others-bare", "panic"]
)
def test_a_right_command_is_taken(line: str) -> None:
    assert checked(*split(line))[0].name == line.split()[0]


def test_steps_end_at_the_limits() -> None:
    (argument,) = command_of("strength").arguments
    assert stepped("-0.1", 0.9, argument) == 0.8
    assert stepped("-0.4", 0.6, argument) == 0.5
    assert stepped("+0.4", 0.9, argument) == 1.0
    assert stepped("0.7", 0.9, argument) == 0.7


def test_no_key_says_two_things() -> None:
    near = [key for command in COMMANDS for key in command.keys]
    far = [key for command in COMMANDS for key in command.anywhere]
    assert len(set(near)) == len(near)
    assert len(set(far)) == len(far)
    for key in (*near, *far):
        assert bindings.canonical(key) == key


def test_digits_choose_faces_near_and_none_is_bound_anywhere() -> None:
    near, far = bindings.near(keys()), bindings.anywhere(keys())
    assert [near[str(n)] for n in range(1, 10)] == [f"face {n}" for n in range(1, 10)]
    assert far["ctrl+alt+p"] == "panic"
    assert not any(key[-1].isdecimal() for key in far)


def test_a_preset_binds_moves_and_takes_away() -> None:
    changed = keys("keys.near={x: panic, 1: face 4, p: null}", 'keys.anywhere={"Alt+Ctrl+K": "face 2", f9: panic}')
    near, far = bindings.near(changed), bindings.anywhere(changed)
    assert near["x"] == "panic"
    assert near["1"] == "face 4"
    assert "p" not in near
    assert near["n"] == "next-face"
    assert far["ctrl+alt+k"] == "face 2"
    assert far["f9"] == "panic"
    assert bindings.anywhere(keys("keys.hotkeys=false")) == {}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("keys.near={x: panik}", ["keys.near", "panik", "panic"]),
        ("keys.near={x: face}", ["keys.near", "face FACE"]),
        ("keys.near={spcae: panic}", ["spcae", 'did you mean "space"']),
        ("keys.near={hyper+x: panic}", ["hyper", "ctrl"]),
        ("keys.anywhere={n: next-face}", ["keys.anywhere", '"n"', "taken from every other program"]),
        ("keys.anywhere={ctrl+shift+1: face 1}", ["shift", "never fires"]),
        ("keys.anywhere={ctrl+alt+x: panic, alt+ctrl+x: pause}", ["one key", "bound twice"]),
    ],
)
def test_wrong_bindings_are_named(override: str, words: list[str]) -> None:
    changed = keys(override)
    with pytest.raises(ConfigError) as error:
        _ = bindings.near(changed), bindings.anywhere(changed)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("override", ["keys.near=5", "keys.near={x: 5}", "keys.near={x: [a]}"])
def test_bindings_of_the_wrong_kind_are_one_line(override: str) -> None:
    with pytest.raises(ConfigError, match=r"keys\.near"):
        keys(override)
