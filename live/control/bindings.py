"""Which key says what: the table's keys with the preset's changes. Pure.

Keys are written `n`, `f9`, `space`, `ctrl+alt+n`. *Near* keys are pressed in the terminal or in a window of ours,
*anywhere* keys while another program has the keyboard; those need a modifier or have to be function keys. No shifted
digits: with Shift a digit is another key and never fires on X11.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from live.control.commands import COMMANDS, checked, split
from live.errors import ConfigError, UsageError
from live.preset import KeysKeys

MODIFIERS = ("ctrl", "alt", "shift", "super")
NAMED = (
    *("space", "enter", "tab", "escape", "left", "right", "up", "down", "home", "end", "pageup", "pagedown"),
    *("insert", "delete", "backspace", "pause", "print"),
)
FUNCTIONS = tuple(f"f{number}" for number in range(1, 25))
KNOWN = (*NAMED, *FUNCTIONS)


def near(keys: KeysKeys) -> dict[str, str]:
    """Command lines by near key. Raises: ConfigError for a key or command that is none."""
    table = {key: line for command in COMMANDS for key, line in command.keys.items()}
    return _changed(table, keys.near, "keys.near", anywhere=False)


def anywhere(keys: KeysKeys) -> dict[str, str]:
    """Command lines by anywhere key. Raises: ConfigError; also for a key that would take a plain key from others."""
    if not keys.hotkeys:
        return {}
    table = {key: command.name for command in COMMANDS for key in command.anywhere}
    return _changed(table, keys.anywhere, "keys.anywhere", anywhere=True)


def canonical(text: str) -> str:
    """A key as it is written here: modifiers in their order, then the key. Raises: UsageError for an unknown one."""
    *modifiers, key = [part.strip().casefold() for part in text.replace("++", "+plus").split("+")]
    key = "+" if key == "plus" else key
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise UsageError(f'key "{text}": no modifier "{modifier}"; there are {", ".join(MODIFIERS)}')
    if not (len(key) == 1 and key.isprintable() and key != " ") and key not in KNOWN:
        guess = difflib.get_close_matches(key, KNOWN, n=1)
        hint = f'did you mean "{guess[0]}"?' if guess else f"there are single letters, f1 to f24, {', '.join(NAMED)}"
        raise UsageError(f'key "{text}": no key "{key}"; {hint}')
    return "+".join([*(modifier for modifier in MODIFIERS if modifier in modifiers), key])


def _changed(
    table: Mapping[str, str], changes: Mapping[str, str | None], where: str, *, anywhere: bool
) -> dict[str, str]:
    """The table with a preset's changes: null takes a key away."""
    bound = dict(table)
    told: dict[str, str] = {}
    for text, line in changes.items():
        try:
            key = canonical(text)
            if anywhere:
                _refuse_plain(key)
            if key in told:
                raise UsageError(f'"{text}" and "{told[key]}" are one key, bound twice')
            told[key] = text
            if line is not None:
                checked(*split(line))
        except UsageError as error:
            raise ConfigError(f"{where}: {error}") from None
        if line is None:
            bound.pop(key, None)
        else:
            bound[key] = line
    return bound


def _refuse_plain(key: str) -> None:
    *modifiers, last = key.split("+") if key != "+" else ["+"]
    if "shift" in modifiers and last.isdecimal():
        raise UsageError(
            f'"{key}": a digit with shift is another key and never fires; take ctrl+alt+letter or f1 to f24'
        )
    if last not in FUNCTIONS and not set(modifiers) & {"ctrl", "alt", "super"}:
        raise UsageError(f'"{key}" would be taken from every other program; add ctrl+alt, or take f1 to f24')
