"""One run on air: starts the session, its keys and its page, tells what is measured, and ends it cleanly."""

from __future__ import annotations

import gc
import logging
import sys
import time

from live.control.commands import Desk
from live.control.keys import Keys
from live.control.server import ControlServer
from live.errors import UsageError
from live.faces.gallery import Gallery
from live.meter import Meter, Window
from live.output.web import WebOutput
from live.session import Session
from live.swap.contract import Preparer
from live.values import SourceFace

log = logging.getLogger(__name__)

LINE_S = 1.0
QUIET_LINE_S = 10.0
"""The same where nobody watches (no terminal)."""
STOP_S = 2.0
FINISH_S = 30.0
"""A recording may take so long to be finished after the last frame."""


def run(session: Session, engine: Preparer) -> int:
    """Run until the input ends, the user quits or something fails. Returns the exit code."""
    desk = _desk(session, engine)
    servers = []
    try:
        for output in session.outputs:
            if isinstance(output, WebOutput):
                servers.append(ControlServer(output.slot, output.port, desk.state, desk.execute))
                servers[-1].start()
    except BaseException:
        for output in session.outputs:
            output.close()
        session.capture.close()
        engine.close()
        raise
    if sys.stdin is not None and sys.stdin.isatty():
        log.info("%s", desk.execute("help", []))
    keys = Keys(desk.press, [output.keys for output in session.outputs if output.keys is not None])
    session.start()
    gc.collect()
    gc.freeze()
    try:
        _watch(session)
    except KeyboardInterrupt:
        log.info("ending")
    session.stop()
    if not session.wait(STOP_S) and not session.wait(FINISH_S):
        log.error("some part did not end in time; it is cut off")
    keys.close()
    for server in servers:
        server.stop()
    desk.close()
    engine.close()
    _tell(session.meter)
    return session.error.exit_code if session.error else 0


def _desk(session: Session, engine: Preparer) -> Desk:
    gallery = Gallery(None)
    worn, names = session.settings.faces, gallery.names()
    own = {face.name: face for face in worn if face.name not in names}
    names = [*own, *names]

    def load(name: str) -> SourceFace:
        if not engine.proves:
            raise UsageError("engine none puts no face on")
        return own.get(name) or gallery.get(name)

    return Desk(session, engine, names, load, worn[0].name if worn else names[0])


def _watch(session: Session) -> None:
    """Tell the meter's line until the run ends: in place on a terminal, now and then elsewhere."""
    window = Window()
    terminal = sys.stderr.isatty()
    next_s = time.monotonic()
    while not session.wait(LINE_S if terminal else 0.25):
        now_s = time.monotonic()
        if now_s < next_s:
            continue
        next_s = now_s + (LINE_S if terminal else QUIET_LINE_S) - 0.05
        line = session.meter.line(window)
        if terminal:
            print(f"\r\x1b[K{line[:160]}", end="", file=sys.stderr, flush=True)
        else:
            log.info("%s", line)
    if terminal:
        print(file=sys.stderr)


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
