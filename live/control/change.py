"""Goes over to another preset while the run is on air: the new engine is made ready beside the old one, with all faces
that are worn, and takes over between two frames.

Input, outputs, gates, the rules of privacy and the keys stay as the run began. Knows presets and how ways are built.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from live.auto import load_here
from live.config import load_preset, preset_names
from live.errors import LiveError, UsageError
from live.session import Session
from live.studio import governor_of, rebuild
from live.swap.contract import Preparer
from live.values import Whom

if TYPE_CHECKING:
    from live.control.desk import Desk

log = logging.getLogger(__name__)

END_S = 10.0


class Changer:
    """The engine on air, and the way to another one."""

    def __init__(self, session: Session, engine: Preparer, made_of: tuple[str, Sequence[str]]) -> None:
        """Args: made_of: name of the preset on air, and the `key=value` that were laid over it."""
        self.engine, self.name = engine, made_of[0]
        self.desk: Desk | None = None
        """Told of what is on air."""
        self._session, self._overrides = session, made_of[1]
        self._busy = threading.Lock()
        self._threads: list[threading.Thread] = []

    def names(self) -> list[str]:
        """Presets that can be gone over to."""
        return [name for name in preset_names() if load_preset(name).privacy.unproven != "pass"]

    def change(self, name: str) -> str:
        """Begin to go over to a preset. Raises: LiveError for an unknown one, or while another is under way."""
        if name not in self.names():
            raise UsageError(f'no preset "{name[:40]}" to go over to; there are: {", ".join(self.names())}')
        preset = load_preset(name, self._overrides)
        if not self._busy.acquire(blocking=False):
            raise UsageError("another preset is being made ready; try again when it is on air")

        def work() -> None:
            try:
                self._go_over(name)
            except LiveError as error:
                log.error("preset %s: %s; %s stays", name, error, self.name)
            except Exception:
                log.exception("preset %s could not be made ready; %s stays", name, self.name)
            finally:
                self._busy.release()

        self._start(work, "preset")
        return f"preset: {name}, as soon as it is ready ({preset.about})"

    def close(self) -> None:
        """Free the engine on air, after what is still being made or freed."""
        for thread in self._threads:
            thread.join(END_S)
        self.engine.close()

    def _start(self, work: Callable[[], None], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=work, name=name, daemon=True))
        self._threads[-1].start()

    def _go_over(self, name: str) -> None:
        preset, session = load_here(name, self._overrides), self._session
        way, engine = rebuild(preset, session)
        try:
            settings = session.settings
            for source in {source.key: source for source in (*settings.faces, *settings.assigned.values())}.values():
                engine.prepare(source)
            old = self.engine
            if settings.whom is Whom.LOCKED:  # people are numbered anew: the number may be somebody else's
                session.change(whom=Whom.EVERYONE)
                log.warning("everyone is swapped again: with another preset people get new numbers; lock anew")
            session.go_over(way, lambda: self._start(old.close, "old engine"))
        except BaseException:
            engine.close()
            raise
        self.engine, self.name = engine, name
        session.change(strength=preset.swap.strength, shape=preset.swap.shape, crossfade_s=preset.swap.crossfade_s)
        if self.desk is not None:
            self.desk.wardrobe.change(engine.prepare, self.desk.current)
            self.desk.gone_over(name, governor_of(preset, session))
        log.info("preset: %s is on air", name)
