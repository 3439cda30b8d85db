"""What can be said to a run while it is on air: one table of commands; keys, page and scripts all come from it.

Panic and pause go straight to the gates of the outputs. Source faces are prepared on a thread of this module and put
on when they are ready, so that the picture never waits for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from live.errors import LiveError, UsageError
from live.session import Session
from live.swap.contract import Preparer
from live.values import SourceFace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """One verb."""

    name: str
    help: str
    keys: tuple[str, ...]
    """Keys in the terminal and in the window."""
    run: Callable[[Sequence[str]], str]
    """Takes the arguments, returns a line for the user. Raises UsageError for wrong arguments."""


class Desk:
    """The controls of one run."""

    def __init__(
        self, session: Session, engine: Preparer, names: Sequence[str], load: Callable[[str], SourceFace], current: str
    ) -> None:
        """Args: names of the faces that can be chosen, in order; load gives the face of a name."""
        self._session = session
        self._engine = engine
        self._names = list(names)
        self._load = load
        self._wanted = current
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self.commands = {command.name: command for command in self._table()}
        self._by_key = {key: command for command in self.commands.values() for key in command.keys}

    def _table(self) -> list[Command]:
        return [
            Command("next-face", "put the next source face on everybody", ("n", "right"), lambda _: self._step(1)),
            Command("previous-face", "put the previous one on everybody", ("b", "left"), lambda _: self._step(-1)),
            Command("face", "put a face on everybody, by number or name", tuple("123456789"), self._face),
            Command("panic", "show the slate at once; again: back on air", ("p",), lambda _: self._panic()),
            Command("pause", "freeze the picture; again: go on", ("space",), lambda _: self._pause()),
            Command("help", "list the keys", ("h", "?"), lambda _: self._help()),
            Command("quit", "end", ("q", "escape"), lambda _: self._quit()),
        ]

    def press(self, key: str) -> None:
        """React to a key; unknown keys do nothing."""
        command = self._by_key.get(key)
        if command is None:
            return
        try:
            log.info("%s", command.run([key]))
        except LiveError as error:
            log.error("%s", error)

    def execute(self, name: str, arguments: Sequence[str]) -> str:
        """Run a command by name. Raises: UsageError."""
        if name not in self.commands:
            raise UsageError(f'no command "{name}"; there are: {", ".join(self.commands)}')
        return self.commands[name].run(arguments)

    def state(self) -> dict[str, object]:
        """What a control surface shows."""
        worn = [face.name for face in self._session.settings.faces]
        return {
            "face": ", ".join(worn) or None,
            "wanted": self._wanted,
            "faces": self._names,
            "panic": self._session.switches.panic.is_set(),
            "pause": self._session.switches.pause.is_set(),
            "proof": self._session.meter.reason,
            "measured": self._session.meter.summary(),
        }

    def close(self) -> None:
        """End the preparing thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _step(self, by: int) -> str:
        at = self._names.index(self._wanted) if self._wanted in self._names else 0
        return self._put_on(self._names[(at + by) % len(self._names)])

    def _face(self, arguments: Sequence[str]) -> str:
        if not arguments:
            raise UsageError(f"which face? 1 to {len(self._names)}, or one of: {', '.join(self._names)}")
        chosen = arguments[0]
        if chosen in self._names:
            return self._put_on(chosen)
        if chosen.isdecimal() and 1 <= int(chosen) <= len(self._names):
            return self._put_on(self._names[int(chosen) - 1])
        raise UsageError(f'no face "{chosen}"; 1 to {len(self._names)}, or one of: {", ".join(self._names)}')

    def _put_on(self, name: str) -> str:
        self._wanted = name
        self._worker.submit(self._prepare, name)
        return f"face: {name}"

    def _prepare(self, name: str) -> None:
        if name != self._wanted:
            return  # another one was chosen meanwhile
        try:
            source = self._load(name)
            self._engine.prepare(source)
        except LiveError as error:
            log.error("%s", error)
            return
        except Exception:
            log.exception("face %s could not be prepared", name)
            return
        if name == self._wanted:
            self._session.settings = replace(self._session.settings, source=source, others=(), assigned={})

    def _panic(self) -> str:
        switch = self._session.switches.panic
        switch.clear() if switch.is_set() else switch.set()
        self._session.show_now()
        return "PANIC: the slate is shown; p: back on air" if switch.is_set() else "back on air"

    def _pause(self) -> str:
        switch = self._session.switches.pause
        switch.clear() if switch.is_set() else switch.set()
        self._session.show_now()
        return "paused; space: go on" if switch.is_set() else "going on"

    def _help(self) -> str:
        faces = ", ".join(f"{i + 1} {name}" for i, name in enumerate(self._names[:9]))
        keys = "; ".join(f"{'/'.join(c.keys) if c.name != 'face' else '1-9'} {c.help}" for c in self.commands.values())
        return f"keys: {keys}. Faces: {faces}"

    def _quit(self) -> str:
        self._session.stop()
        return "ending"
