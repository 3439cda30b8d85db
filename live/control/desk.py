"""Carries out the commands of the table for one run, and says how the run stands.

Panic and pause go straight to the gates of the outputs. Everything else changes the run's settings, which the loop
reads once per frame. Knows the session and the parts given to it; nothing about keys, HTTP or terminals.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from live.control import state
from live.control.commands import BARE, COMMANDS, checked, split, stepped
from live.control.figures import Figures
from live.control.notes import Notes
from live.control.wardrobe import Wardrobe
from live.errors import LiveError, UsageError
from live.governor import Governor, Step
from live.session import Session
from live.values import FULL, SourceFace, Whom

log = logging.getLogger(__name__)

AUTO = "auto"
EVERYBODY = ""
"""For whom a face is wanted."""
SHOWN_NOTES = 30


@dataclass(slots=True)
class Helpers:
    """What a desk has others do. Each raises LiveError, one line."""

    change_preset: Callable[[str], str]
    """Go over to another preset; returns what to tell."""
    snapshot: Callable[[], str]
    record: Callable[[bool], str]
    """Start or stop a recording."""
    recording: Callable[[], str | None]
    """What is recorded into now."""
    lock_like: Callable[[str], int]
    """The person (from 0) who looks like a face of the gallery."""
    presets: Sequence[str] = ()


@dataclass(slots=True)
class Desk:
    """The controls of one run; any thread."""

    session: Session
    wardrobe: Wardrobe
    helpers: Helpers
    figures: Figures
    notes: Notes
    governor: Governor | None
    near: dict[str, str]
    """Command lines by near key."""
    anywhere: dict[str, str]
    current: str | None
    """Name of the face that was asked for last."""
    preset: str
    protect: str
    """`everyone`, or `chosen`: then choosing fewer needs no further words."""
    governs: bool = True
    _assigned: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def press(self, key: str) -> None:
        """React to a near key; unknown keys do nothing."""
        line = self.near.get(key)
        if line is not None:
            self.say(line)

    def say(self, line: str) -> None:
        """Carry out a command line and tell what came of it."""
        try:
            name, arguments = split(line)
            log.info("%s", self.execute(name, arguments))
        except LiveError as error:
            log.error("%s", error)

    def execute(self, name: str, arguments: Sequence[str]) -> str:
        """Carry out a command. Returns: a line for the user. Raises: UsageError and other LiveErrors."""
        command, given = checked(name, arguments)
        run: Callable[..., str] = getattr(self, "_do_" + command.name.replace("-", "_"))
        return run(*given)

    def govern(self, now_s: float) -> None:
        """Let the governor judge the newest pictures of the slowest live output, and take the step it says."""
        if self.governor is None or not self.governs or self._is_covered():
            return
        live = [output.name for output in self.session.outputs if output.live]
        ages = [ages / 1000 for name in live if (ages := self.figures.newest_ms.get(name)) is not None and len(ages)]
        if not ages:
            return
        slowest = max(ages, key=lambda one: float(one.mean()))
        step = self.governor.look(slowest.tolist(), now_s)
        if step is not None:
            self.session.change(quality=step.quality)
            log.info("%s", self._told(step))

    def state(self) -> dict[str, Any]:
        """How the run stands, for every surface. Made of what is known already: cheap."""
        return {
            **state.of_session(self.session),
            "wanted": self.current,
            "faces": self.wardrobe.names,
            "ready": self.wardrobe.ready,
            "preset": self.preset,
            "presets": self.helpers.presets,
            "recording": self.helpers.recording(),
            "governor": state.of_governor(self.governor, governs=self.governs),
            "measured": self.figures.latest,
            "log": self.notes.newest(SHOWN_NOTES),
        }

    def gone_over(self, preset: str, governor: Governor | None) -> None:
        """Another preset is on air; the governor begins at the top of its ladder."""
        self.preset, self.governor = preset, governor
        self.session.change(quality=FULL)

    def _is_covered(self) -> bool:
        return self.session.switches.panic.is_set() or self.session.switches.pause.is_set()

    def _told(self, step: Step) -> str:
        assert self.governor is not None
        place = f"{self.governor.rung} of {len(self.governor.steps) - 1}"
        what = step.words if self.governor.rung else "everything again"
        return f"governor: step {place}, {what} (budget {1000 * self.governor.budget_s:.0f} ms)"

    def _do_next_face(self) -> str:
        return self._step(1)

    def _do_previous_face(self) -> str:
        return self._step(-1)

    def _step(self, by: int) -> str:
        names = self.wardrobe.names
        at = names.index(self.current) if self.current in names else 0
        return self._put_on(names[(at + by) % len(names)])

    def _do_face(self, chosen: str) -> str:
        return self._put_on(self._name_of(chosen))

    def _put_on(self, name: str) -> str:
        def wear(source: SourceFace) -> None:
            with self._lock:
                self._assigned.clear()
                self.session.change(source=source, others=(), assigned={})

        ready = self.wardrobe.want(name, EVERYBODY, wear)
        self.current = name
        return f"face: {name}" if ready else f"face: {name}, as soon as it is prepared"

    def _do_person_face(self, person: str, chosen: str) -> str:
        number = int(person) - 1
        if chosen == AUTO:
            with self._lock:
                self._assigned.pop(number, None)
                kept = {key: face for key, face in self.session.settings.assigned.items() if key != number}
                self.session.change(assigned=kept)
            return f"person {person}: as everybody"
        name = self._name_of(chosen)

        def wear(source: SourceFace) -> None:
            with self._lock:
                if self._assigned.get(number) == name:
                    self.session.change(assigned={**self.session.settings.assigned, number: source})

        with self._lock:
            self._assigned[number] = name
        ready = self.wardrobe.want(name, person, wear)
        return f"person {person}: {name}" + ("" if ready else ", as soon as it is prepared")

    def _name_of(self, chosen: str) -> str:
        names = self.wardrobe.names
        if chosen in names:
            return chosen
        if chosen.isascii() and chosen.isdecimal() and 1 <= int(chosen) <= len(names):
            return names[int(chosen) - 1]
        raise UsageError(f'no face "{chosen[:60]}"; 1 to {len(names)}, or one of: {", ".join(names)}')

    def _number(self, command: str, text: str, now: float, setting: str, unit: str = "") -> str:
        argument = next(one for one in COMMANDS if one.name == command).arguments[0]
        value = stepped(text, now, argument)
        self.session.change(**{setting: value})
        return f"{command}: {value:g}{unit}"

    def _do_strength(self, text: str) -> str:
        return self._number("strength", text, self.session.settings.strength, "strength")

    def _do_shape(self, text: str) -> str:
        return self._number("shape", text, self.session.settings.shape, "shape")

    def _do_crossfade(self, text: str) -> str:
        return self._number("crossfade", text, self.session.settings.crossfade_s or 0.0, "crossfade_s", " s")

    def _do_mirror(self, wish: str | None = None) -> str:
        on = not self.session.settings.mirror if wish is None else wish == "on"
        self.session.change(mirror=on)
        return "mirrored" if on else "not mirrored"

    def _do_badge(self, wish: str | None = None) -> str:
        if self.session.badge is None:
            raise UsageError("this run has no badge")
        on = not self.session.settings.badge if wish is None else wish == "on"
        self.session.change(badge=on)
        return "badge shown" if on else "no badge: mark the picture otherwise, viewers should know"

    def _need_words(self, who: str, words: str) -> None:
        """Refuse to show anybody bare unless the user said so."""
        if self.protect != "chosen" and words != BARE:
            raise UsageError(
                f"everyone is protected: to show the others BARE, say it: {who} {BARE}; or start with "
                "--set privacy.protect=chosen"
            )

    def _people_are(self, told: str, **fields: Any) -> str:
        self.session.change(**fields)
        line = f"{told}; EVERYBODY ELSE IS SHOWN BARE; people everyone: all are swapped again"
        log.warning("%s", line)
        return line

    def _do_people(self, who: str, words: str = "") -> str:
        if who == Whom.EVERYONE:
            self.session.change(whom=Whom.EVERYONE)
            return "everyone is swapped"
        self._need_words(f"people {who}", words)
        return self._people_are(f"the {who} face is swapped", whom=Whom(who))

    def _do_lock(self, person: str, words: str = "") -> str:
        self._need_words(f"lock {person}", words)
        return self._people_are(f"person {person} is swapped", whom=Whom.LOCKED, locked=int(person) - 1)

    def _do_lock_like(self, chosen: str, words: str = "") -> str:
        name = self._name_of(chosen)
        self._need_words(f"lock-like {name}", words)
        person = self.helpers.lock_like(name)
        return self._people_are(
            f"person {person + 1}, who looks like {name}, is swapped", whom=Whom.LOCKED, locked=person
        )

    def _do_preset(self, name: str) -> str:
        return self.helpers.change_preset(name)

    def _do_panic(self, wish: str | None = None) -> str:
        on = self._throw(self.session.switches.panic, wish)
        return "PANIC: the slate is shown; panic again: back on air" if on else "back on air"

    def _do_pause(self, wish: str | None = None) -> str:
        return "paused; pause again: go on" if self._throw(self.session.switches.pause, wish) else "going on"

    def _throw(self, switch: threading.Event, wish: str | None) -> bool:
        on = not switch.is_set() if wish is None else wish == "on"
        switch.set() if on else switch.clear()
        self.session.show_now()
        return on

    def _do_snapshot(self) -> str:
        return self.helpers.snapshot()

    def _do_record(self, wish: str | None = None) -> str:
        return self.helpers.record(self.helpers.recording() is None if wish is None else wish == "on")

    def _do_governor(self, wish: str | None = None) -> str:
        if self.governor is None:
            raise UsageError("this run has nothing to govern: every frame counts")
        self.governs = not self.governs if wish is None else wish == "on"
        self.session.change(quality=self.governor.step.quality if self.governs else FULL)
        return (
            "the governor keeps the budget" if self.governs else "the governor is off: everything is done, however late"
        )

    def _do_help(self) -> str:
        by_line: dict[str, list[str]] = {}
        for key, line in self.near.items():
            by_line.setdefault(line, []).append(key)
        keys = [f"{'/'.join(keys)} {line}" for line, keys in by_line.items() if not line.startswith("face ")]
        faces = ", ".join(f"{number} {name}" for number, name in enumerate(self.wardrobe.names[:9], 1))
        far = "; ".join(f"{key} {line}" for key, line in self.anywhere.items())
        return f"keys: {'; '.join(keys)}. Faces: {faces}." + (f" From other programs: {far}." if far else "")

    def _do_quit(self) -> str:
        self.session.stop()
        return "ending"
