"""What can be said to a run while it is on air: one table. Keys, page, HTTP, `live ctl` and the help come from it.

Knows the words and what each takes, nothing about how a run carries them out (that is desk.py).
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from live.errors import UsageError

Kind = Literal["face", "person", "number", "switch", "choice", "preset"]
MOST_PEOPLE = 64
"""People's numbers are below."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a command takes."""

    name: str
    kind: Kind
    help: str
    needed: bool = True
    low: float = 0.0
    """Of a number; also of one given as a step, `+0.1` or `-0.1`."""
    high: float = 1.0
    choices: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """As in a line of help: `FACE`, `[on|off]`, `0.5..1`."""
        shown = {"switch": "on|off", "choice": "|".join(self.choices), "number": f"{self.low:g}..{self.high:g}"}
        text = shown.get(self.kind, self.name.upper())
        return text if self.needed else f"[{text}]"


@dataclass(frozen=True, slots=True)
class Command:
    """One verb."""

    name: str
    help: str
    arguments: tuple[Argument, ...] = ()
    near: Mapping[str, str] | tuple[str, ...] = ()
    """Keys in the terminal and in windows; by key what it gives as argument, or keys that give none."""
    anywhere: tuple[str, ...] = ()
    """Keys that work while other programs have the keyboard."""

    @property
    def usage(self) -> str:
        """The command with what it takes."""
        return " ".join([self.name, *(argument.usage for argument in self.arguments)])

    @property
    def keys(self) -> dict[str, str]:
        """Command lines by near key."""
        given = self.near if isinstance(self.near, Mapping) else dict.fromkeys(self.near, "")
        return {key: f"{self.name} {argument}".strip() for key, argument in given.items()}


BARE = "others-bare"
"""The user's own words for it that others are shown as they are."""
_FACE = Argument("face", "face", "name or number of a source face")
_PERSON = Argument("person", "person", "number of a person in the picture, from 1 in the order in which people came")
_SWITCH = Argument("switch", "switch", "left out: the other way round", needed=False)
_OTHERS = Argument("others", "choice", "say it: whoever is not chosen is shown BARE", needed=False, choices=(BARE,))

COMMANDS = (
    Command("next-face", "put the next source face on everybody", near=("n", "right"), anywhere=("ctrl+alt+n",)),
    Command("previous-face", "put the previous one on everybody", near=("b", "left"), anywhere=("ctrl+alt+b",)),
    Command(
        "face", "put a face on everybody, by number or name", (_FACE,), near={str(n): str(n) for n in range(1, 10)}
    ),
    Command("person-face", "give one person a face of his own; auto: as everybody", (_PERSON, _FACE)),
    Command(
        "strength", "opacity of the swapped face", (Argument("value", "number", "or a step, +0.1 or -0.1", low=0.5),)
    ),
    Command(
        "shape", "how far features move toward the source's", (Argument("value", "number", "or a step, +0.1 or -0.1"),)
    ),
    Command(
        "crossfade", "s that another face takes to take over", (Argument("seconds", "number", "0: at once", high=2.0),)
    ),
    Command("mirror", "change left and right", (_SWITCH,), near=("m",)),
    Command(
        "people",
        "who is swapped: everyone, or fewer while the others stay bare",
        (Argument("who", "choice", "who is swapped", choices=("everyone", "largest", "leftmost")), _OTHERS),
    ),
    Command("lock", "swap one person, and nobody who is surely somebody else", (_PERSON, _OTHERS)),
    Command("lock-like", "the same for the person who looks like a face of the gallery", (_FACE, _OTHERS)),
    Command("preset", "change engine, faces and swap to another preset's", (Argument("preset", "preset", "its name"),)),
    Command("pause", "freeze the picture; again: go on", (_SWITCH,), near=("space",), anywhere=("ctrl+alt+space",)),
    Command("panic", "show the slate at once; again: back on air", (_SWITCH,), near=("p",), anywhere=("ctrl+alt+p",)),
    Command("snapshot", "write what is shown into a picture file", near=("s",)),
    Command("record", "start or stop a recording of what is shown", (_SWITCH,), near=("r",)),
    Command("badge", "show or hide the badge", (_SWITCH,)),
    Command("governor", "keep the latency's budget by doing less", (_SWITCH,)),
    Command("help", "list the keys", near=("h", "?")),
    Command("quit", "end", near=("q", "escape")),
)
BY_NAME = {command.name: command for command in COMMANDS}


def command_of(name: str) -> Command:
    """The command of a name. Raises: UsageError with the nearest name, or all."""
    if name in BY_NAME:
        return BY_NAME[name]
    near = difflib.get_close_matches(name, BY_NAME, n=1)
    guess = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(BY_NAME)}"
    raise UsageError(f'no command "{name[:40]}"; {guess}')


def checked(name: str, arguments: Sequence[str]) -> tuple[Command, list[str]]:
    """A command with as many arguments as it takes, each of its kind as far as the table can tell.

    Raises: UsageError, one line with the usage.
    """
    command = command_of(name)
    needed = sum(argument.needed for argument in command.arguments)
    if not needed <= len(arguments) <= len(command.arguments):
        many = f"{needed}" if needed == len(command.arguments) else f"{needed} to {len(command.arguments)}"
        raise UsageError(f"{name} takes {many} arguments, not {len(arguments)}; write: {command.usage}")
    for argument, text in zip(command.arguments, arguments):
        _check(command, argument, text)
    return command, list(arguments)


def split(line: str) -> tuple[str, list[str]]:
    """A line such as `face 3` in words. Raises: UsageError for quotes without an end, or an empty line."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{line[:60]!r} is no command line: {error}") from None
    if not words:
        raise UsageError("an empty line is no command")
    return words[0], words[1:]


def stepped(text: str, now: float, argument: Argument) -> float:
    """A number, or the present one with a step: `0.8`, `+0.1`, `-0.1`; steps end at the limits."""
    value = float(text)
    if text[:1] in "+-":
        value = min(max(now + value, argument.low), argument.high)
    return round(value, 6)


def _check(command: Command, argument: Argument, text: str) -> None:
    allowed, fine = argument.usage.strip("[]"), True
    if argument.kind == "switch":
        fine = text in ("on", "off")
    elif argument.kind == "choice":
        fine = text in argument.choices
    elif argument.kind == "person":
        fine, allowed = text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_PEOPLE, f"1..{MOST_PEOPLE}"
    elif argument.kind == "number":
        fine = _is_number(text, argument)
        allowed = f"{argument.low:g} to {argument.high:g}, or a step like +0.1"
    if not fine:
        raise UsageError(f"{command.name}: {argument.name} {text[:40]!r} is not allowed; allowed: {allowed}")


def _is_number(text: str, argument: Argument) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    if text[:1] in "+-":
        return abs(value) <= argument.high
    return argument.low <= value <= argument.high
