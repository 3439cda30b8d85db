"""How a run stands, as plain values for JSON: what page, scripts and terminal show. Reads, changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from live.governor import Governor
from live.session import Session
from live.values import Whom


def of_session(session: Session) -> dict[str, Any]:
    """What the session knows: who is seen, what is worn, what is shown."""
    settings, switches = session.settings, session.switches
    return {
        "face": ", ".join(face.name for face in settings.faces) or None,
        "panic": switches.panic.is_set(),
        "pause": switches.pause.is_set(),
        "proof": session.meter.reason,
        "people": _people(session),
        "whom": str(settings.whom),
        "locked": settings.locked + 1 if settings.whom is Whom.LOCKED else None,
        "protect": "everyone" if settings.whom is Whom.EVERYONE else "chosen",
        "strength": settings.strength,
        "shape": settings.shape,
        "crossfade": settings.crossfade_s,
        "mirror": settings.mirror,
        "badge": settings.badge and session.badge is not None,
        "input": session.capture.info.name,
        "outputs": [output.name for output in session.outputs],
    }


def of_governor(governor: Governor | None, *, governs: bool) -> dict[str, Any] | None:
    """Which step is taken; None where there is nothing to govern."""
    if governor is None:
        return None
    return {
        "on": governs,
        "step": governor.rung if governs else 0,
        "steps": len(governor.steps),
        "words": governor.step.words if governs else governor.steps[0].words,
        "budget_ms": round(1000 * governor.budget_s),
    }


def _people(session: Session) -> list[dict[str, Any]]:
    """Who is in the picture: number from 1, box as shares of the shown picture (x, y, width, height), face."""
    sight, settings, found = session.sight, session.settings, []
    for face in sight.faces:
        x1, y1, x2, y2 = face.box
        if sight.mirrored:
            x1, x2 = sight.width_px - x2, sight.width_px - x1
        shares = np.array((x1, y1, x2 - x1, y2 - y1)) / (2 * (sight.width_px, sight.height_px))
        source = settings.worn_by(face.person)
        found.append(
            {
                "person": face.person + 1,
                "box": shares.round(4).tolist(),
                "face": source.name if source else None,
                "own": face.person in settings.assigned,
            }
        )
    return found
