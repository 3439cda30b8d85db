"""`live devices`: cameras with what they can send, virtual cameras with what they do now, as lines for a terminal."""

from __future__ import annotations

import os
import sys
import textwrap

from live.capture.devices import CameraDevice, CameraMode, list_cameras
from live.doctor.loopbacks import LoopbackState, loopback_states, named

WIDTH = 118
MOST_GROUPS = 12
"""Lines of one camera; a driver may name hundreds of modes."""
OUTPUTS_ELSEWHERE = ("OBS Virtual Camera", "Unity Video Capture")
"""Windows and macOS: the cameras that this program feeds. They are listed among the inputs."""


def device_lines() -> list[str]:
    """Cameras with what they can send, then virtual cameras."""
    states = loopback_states() if sys.platform == "linux" else []
    virtual = {state.path: state for state in states}
    lines = []
    for camera in list_cameras():
        if not camera.own:
            lines += camera_lines(camera, virtual.get(camera.path))
    if not lines:
        lines = ["no camera found; `live doctor` says more, `live --input demo` runs without one"]
    for state in states:
        lines += virtual_lines(state)
    return lines


def camera_lines(camera: CameraDevice, state: LoopbackState | None = None) -> list[str]:
    """An input. Args: state of the loopback that it is, if it is one."""
    shown = f"  {camera.path}" if camera.path != camera.name else ""
    note = ""
    if state is not None:
        note = "  (a virtual camera)" if state.fed else "  (a virtual camera that nobody feeds now)"
    elif camera.name.startswith(OUTPUTS_ELSEWHERE):
        note = "  (a virtual camera: an output of live, an input only if another program feeds it)"
    lines = [f"camera:{camera.index}{shown}  {camera.name}{note}"]
    if os.path.exists(camera.path) and not os.access(camera.path, os.R_OK | os.W_OK):
        return [*lines, "    may not be opened by this user: `sudo usermod -aG video $USER`, then log in again"]
    if state is None or state.fed:
        lines += mode_lines(camera.modes)
    return lines


def mode_lines(modes: tuple[CameraMode, ...]) -> list[str]:
    """Sizes and rates: a line per format and set of rates, the driver's order kept."""
    groups: dict[tuple[str, str], list[str]] = {}
    for mode in modes:
        sizes = groups.setdefault((mode.format, _rates(mode)), [])
        if (size := _size(mode)) not in sizes:
            sizes.append(size)
    lines: list[str] = []
    for (format, rates), sizes in list(groups.items())[:MOST_GROUPS]:
        text = f"{format:4}  {', '.join(sizes)}{rates}"
        lines += textwrap.wrap(text, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 10)
    left = len(groups) - MOST_GROUPS
    return [*lines, f"    and {left} more"] if left > 0 else lines


def _size(mode: CameraMode) -> str:
    size = f"{mode.width_px}x{mode.height_px}"
    if mode.smallest_px in (None, (mode.width_px, mode.height_px)):
        return size
    return f"{mode.smallest_px[0]}x{mode.smallest_px[1]} to {size}" if mode.smallest_px else size


def _rates(mode: CameraMode) -> str:
    if not mode.fps:
        return ""
    return f" at {'up to ' if mode.any_fps else ''}{', '.join(f'{fps:g}' for fps in mode.fps)} fps"


def virtual_lines(state: LoopbackState) -> list[str]:
    """A virtual camera: what it is set to, how it shows itself, who uses it."""
    own = "  (this program's own output)" if state.own else ""
    lines = [f"virtualcam:{state.path}  {state.label}{own}"]
    if not state.there:
        return [*lines, "    its node is missing here; `live doctor` says how to get it"]
    facts = [state.setting or "no setting yet"]
    if state.exclusive is not None:
        facts.append(f"exclusive_caps={int(state.exclusive)}")
    if not state.allowed:
        facts.append("may not be opened by this user (`live doctor`)")
    facts.append("fed now" if state.fed else "nobody feeds it")
    lines.append(f"    {', '.join(facts)}")
    for access, words in (("writes", "fed by"), ("opens", "open in"), ("reads", "read by")):
        who = [named(user) for user in state.users if user.access == access]
        if who:
            lines.append(f"    {words} {', '.join(who)}")
    return lines
