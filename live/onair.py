"""One run on air: starts the session, its keys, its page and its terminal, and ends it cleanly."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from live.auto import settled
from live.control import bindings, runs, terminal
from live.control.before import Before
from live.control.change import Changer
from live.control.desk import Desk, Helpers
from live.control.figures import Figures
from live.control.guard import LOOPBACK, Guard
from live.control.hotkeys import listen
from live.control.keeping import Keeper
from live.control.keys import Keys
from live.control.lookalike import who_looks_like
from live.control.notes import Notes
from live.control.server import ControlServer
from live.control.site import Extras
from live.control.wardrobe import Wardrobe
from live.ends import Ask
from live.errors import ConsentError, OutputError, UsageError
from live.faces.gallery import Gallery
from live.meter import Meter
from live.output.web import TRIES, Slot, WebOutput, free_port
from live.preset import Preset
from live.session import Session
from live.studio import build, governor_of, look_at_photos, recogniser_of, recording_of
from live.swap.contract import Preparer
from live.values import SourceFace

log = logging.getLogger(__name__)

LOOK_S = 1.0
QUIET_LINE_S = 10.0
"""Between lines of the status where nobody watches (no terminal)."""
STOP_S = 2.0
FINISH_S = 30.0
"""A recording may take so long to be finished after the last frame."""


def run(
    preset: Preset, ask: Ask, preset_name: str = "default", overrides: Sequence[str] = (), status: str = "auto"
) -> int:
    """Run until the input ends, the user quits or something fails.

    Args: preset_name, overrides: what the preset was made of; status: auto, or json for JSON lines on standard output.
    Returns: the exit code. Raises: LiveError, one line, when something cannot be opened.
    """
    near, anywhere = bindings.near(preset.keys), bindings.anywhere(preset.keys)
    notes = Notes()
    logging.getLogger("live").addHandler(notes)
    try:
        preset = settled(preset)
        session, engine = build(preset, ask)
        return _run(session, engine, preset, (preset_name, overrides), status, notes, (near, anywhere))
    finally:
        logging.getLogger("live").removeHandler(notes)


def _run(
    session: Session,
    engine: Preparer,
    preset: Preset,
    made_of: tuple[str, Sequence[str]],
    status: str,
    notes: Notes,
    keys: tuple[dict[str, str], dict[str, str]],
) -> int:
    shown, changer = Slot(), Changer(session, engine, made_of)
    session.taps.after = shown.put
    with ExitStack() as undo:
        closings = [output.close for output in session.outputs]
        for close in (*closings, session.capture.close, changer.close):
            undo.callback(close)
        desk, before = _desk(session, preset, changer, notes, shown, keys)
        servers = _servers(session, preset, desk, before, shown)
        undo.pop_all()
    reach = _announce(servers)
    pressed = Keys(desk.press, [output.keys for output in session.outputs if output.keys is not None])
    hotkeys = listen(keys[1], lambda key: desk.say(keys[1][key]))
    if hotkeys is None:
        desk.anywhere = {}
    if sys.stdin is not None and sys.stdin.isatty():
        log.info("%s", desk.execute("help", []))
    session.start()
    desk.wardrobe.start(desk.current)
    gc.collect()
    gc.freeze()
    try:
        _watch(session, desk, status)
    except KeyboardInterrupt:
        log.info("ending")
    session.stop()
    if not session.wait(STOP_S) and not session.wait(FINISH_S):
        log.error("some part did not end in time; it is cut off")
    if hotkeys is not None:
        hotkeys.close()
    pressed.close()
    runs.withdraw(reach)
    for server in servers:
        server.stop()
    desk.wardrobe.close()
    changer.close()
    if status != "json":
        _tell(session.meter)
    return session.error.exit_code if session.error else 0


def _desk(
    session: Session,
    preset: Preset,
    changer: Changer,
    notes: Notes,
    shown: Slot,
    keys: tuple[dict[str, str], dict[str, str]],
) -> tuple[Desk, Before]:
    gallery, worn = Gallery(None), session.settings.faces
    names = gallery.names()
    own = {face.name: face for face in worn if face.name not in names}
    names = [*own, *names]

    def load(name: str) -> SourceFace:
        if not changer.engine.proves:
            raise UsageError("engine none puts no face on")
        return own.get(name) or gallery.get(name)

    wardrobe = Wardrobe(names, load, changer.engine.prepare)
    keeper = Keeper(session, shown, Path(preset.control.folder).expanduser(), recording_of(session))
    before = Before(session.taps, session.switches.panic)

    def lock_like(name: str) -> int:
        recogniser = recogniser_of(preset)
        try:
            return who_looks_like(load(name), recogniser, before, lambda: session.sight, look_at_photos())
        finally:
            recogniser.close()

    helpers = Helpers(
        changer.change, keeper.snapshot, keeper.record, lambda: keeper.recording, lock_like, changer.names()
    )
    desk = Desk(
        session,
        wardrobe,
        helpers,
        Figures(session.meter),
        notes,
        governor_of(preset, session),
        *keys,
        current=worn[0].name if worn else None,
        preset=changer.name,
        protect=preset.privacy.protect,
        governs=preset.governor.active,
    )
    changer.desk = desk
    return desk, before


def _servers(session: Session, preset: Preset, desk: Desk, before: Before, shown: Slot) -> list[ControlServer]:
    """The servers of the outputs that are web pages, or else the one for control. They listen."""
    keys = preset.control
    extras = Extras(before if keys.before else None, desk.wardrobe.thumbnail, lambda *given: _add_face(desk, *given))
    servers: list[ControlServer] = []
    try:
        for output in session.outputs:
            if isinstance(output, WebOutput):
                servers.append(ControlServer(output.slot, output.port, desk.state, desk.execute, extras))
                servers[-1].start()
        if keys.active and (not servers or keys.listen != LOOPBACK):
            server = _control_server(preset, desk, extras, shown)
            servers += [server] if server is not None else []
    except BaseException:
        for server in servers:
            server.stop()
        raise
    return servers


def _control_server(preset: Preset, desk: Desk, extras: Extras, shown: Slot) -> ControlServer | None:
    """The control page's server; None, and a line, where no port is free."""
    keys = preset.control
    try:
        port = free_port(keys.port, TRIES)
        guard = Guard(keys.listen, port)
        server = ControlServer(shown, port, desk.state, desk.execute, extras, guard, keys.listen)
        server.start()
    except OutputError as error:
        log.warning("no control page: %s", error)
        return None
    if guard.token is None:
        log.info("control: %s", server.address)
    else:
        log.warning(
            "control: on %s, port %d, for everybody who has this token, unencrypted: http://THIS-MACHINE:%d/?token=%s",
            keys.listen, port, port, guard.token,
        )  # fmt: skip
    return server


def _announce(servers: Sequence[ControlServer]) -> Path | None:
    if not servers:
        return None
    server = servers[-1]
    host = LOOPBACK if server.listen == "0.0.0.0" else server.listen
    return runs.announce(runs.Reach(os.getpid(), host, server.port, server.guard.token))


def _add_face(desk: Desk, photo: bytes, name: str, consent: str) -> str:
    """Add a photo that was sent to the gallery. Raises: LiveError."""
    with tempfile.TemporaryDirectory(prefix="live-photo-") as folder:
        file = Path(folder) / "photo"
        file.write_bytes(photo)
        try:
            added = Gallery(None).add(file, name, consent, look_at_photos())
        except ConsentError as error:  # its advice is for the command line
            what = str(error).partition(";")[0]
            raise ConsentError(f"{what}; say that it is your own, or who agreed, when and how") from None
    desk.wardrobe.add(added.name)
    log.info("added %s", added.name)
    return f"added {added.name}"


def _watch(session: Session, desk: Desk, status: str) -> None:
    """Look at the figures, let the governor judge and show the status, until the run ends."""
    on_terminal = status == "auto" and sys.stderr.isatty()
    screen = terminal.Screen(sys.stderr)
    next_line_s = time.monotonic() + LOOK_S
    with terminal.above(screen, logging.getLogger().handlers if on_terminal else []):
        while not session.wait(LOOK_S):
            now_s = time.monotonic()
            desk.figures.look(now_s)
            desk.govern(now_s)
            if status == "json":
                print(terminal.json_line(desk.state()), flush=True)
            elif on_terminal:
                screen.show(terminal.block(desk.state()))
            elif now_s >= next_line_s:
                next_line_s = now_s + QUIET_LINE_S
                log.info("%s", terminal.plain(desk.state()))


def _tell(meter: Meter) -> None:
    """What the run measured, for people, on standard output."""
    summary = meter.summary()
    counts = summary["counts"]
    first = summary["first_swapped_s"]
    print(f"{counts.get('in', 0)} frames in {summary['seconds']:.1f} s, {summary['fps'].get('in', 0):.1f} fps in")
    for name, ages in summary["latency_ms"].items():
        rate = summary["fps"].get(f"out {name}", 0)
        print(f"{name}: {rate:.1f} fps out, latency p50 {ages['p50']} ms, p95 {ages['p95']} ms, p99 {ages['p99']} ms")
    stages = ", ".join(f"{name} {values['p50']}" for name, values in summary["stages_ms"].items())
    print(f"ms per stage (median): {stages or 'none'}")
    print(
        f"dropped {counts.get('dropped', 0)}, held {counts.get('hold', 0)}, slate {counts.get('slate', 0)}, "
        f"failed {counts.get('failed', 0)}; "
        + (f"first swapped picture after {first:.2f} s" if first is not None else "no picture was swapped")
    )
