"""macOS: OBS's virtual camera (a camera extension since macOS 13, a plug-in before) and the permission to use cameras.

Written after pyvirtualcam's and OBS Studio's sources and issues; not tried on a machine yet.
"""

from __future__ import annotations

import os
import platform
import plistlib
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from live.doctor.finding import Finding

CAMERA = "virtual camera"
EXTENSION = "com.obsproject.obs-studio.mac-camera-extension"
PLUGIN = Path("/Library/CoreMediaIO/Plug-Ins/DAL/obs-mac-virtualcam.plugin")
"""What OBS installs on macOS 12 and older; macOS 14 ignores such plug-ins."""
APP = Path("/Applications/OBS.app")
ASK_S = 10.0
WITH_EXTENSIONS = 13
"""From this macOS on pyvirtualcam feeds the camera extension, and only that."""
LOGIN_ITEMS = 15
"""From this macOS on extensions are allowed at another place of the settings."""
ONCE = "# open OBS, press Start Virtual Camera"
PRIVACY = 'open "x-apple.systempreferences:com.apple.preference.security?Privacy_Camera"'


@dataclass(frozen=True, slots=True)
class MacFacts:
    """What was seen."""

    macos: int = 0
    """Major version: 14."""
    pyvirtualcam: tuple[int, ...] = ()
    obs: tuple[int, ...] | None = None
    """OBS Studio's version; empty: it does not tell; None: it is not in /Applications."""
    elsewhere: str = ""
    """OBS.app in another folder, from which macOS loads no extensions."""
    extension: str = ""
    """State of OBS's camera extension: `activated enabled`; empty: there is none."""
    plugin: bool = False
    terminal: str = ""
    """The application in which live runs: macOS gives the permission to that one."""


def look(pyvirtualcam: str) -> MacFacts:
    """Look. Args: pyvirtualcam its version."""
    home_app = Path.home() / "Applications/OBS.app"
    return MacFacts(
        macos=next(iter(numbers(platform.mac_ver()[0])), 0),
        pyvirtualcam=numbers(pyvirtualcam),
        obs=_version(APP) if APP.exists() else None,
        elsewhere=str(home_app) if home_app.exists() else "",
        extension=extension_state(_extensions()),
        plugin=PLUGIN.exists(),
        terminal=os.environ.get("TERM_PROGRAM", "").removesuffix(".app").replace("_", " "),
    )


def numbers(version: str) -> tuple[int, ...]:
    """(0, 15, 0) of `0.15.0`."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _version(app: Path) -> tuple[int, ...]:
    with suppress(OSError, ValueError, plistlib.InvalidFileException):
        info = plistlib.loads((app / "Contents/Info.plist").read_bytes())
        return numbers(str(info.get("CFBundleShortVersionString", "")))
    return ()


def _extensions() -> str:
    with suppress(OSError, subprocess.SubprocessError):
        command = ["systemextensionsctl", "list"]
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=ASK_S, check=False)
        return ran.stdout
    return ""


def extension_state(said: str) -> str:
    """The state of OBS's extension, the active one if an older one is still listed.

    Args: said of `systemextensionsctl list`, whose lines end in `[activated enabled]`.
    """
    states = [
        found[1]
        for line in said.splitlines()
        if EXTENSION in line and (found := re.search(r"\[([^\]]*)\]\s*$", line)) is not None
    ]
    return next((state for state in states if state.startswith("activated")), states[0] if states else "")


def judge(facts: MacFacts) -> list[Finding]:
    """The findings."""
    camera = _with_plugin(facts) if facts.macos < WITH_EXTENSIONS else _with_extension(facts)
    app = facts.terminal or "your terminal"
    text = f"macOS asks once whether {app} may use cameras, and cannot be asked for the answer here"
    return [camera, Finding("camera access", True, text, (f"{PRIVACY}   # {app} has to be switched on",))]


def _with_extension(facts: MacFacts) -> Finding:
    if facts.pyvirtualcam < (0, 14):
        text = f"pyvirtualcam is too old for macOS {facts.macos}; 0.14 or later feeds OBS's camera extension"
        return Finding(CAMERA, False, text, ('pip install --upgrade "pyvirtualcam>=0.14"',))
    if facts.obs is None:
        moved = f"mv {facts.elsewhere} /Applications/   # macOS loads extensions only from there"
        get = moved if facts.elsewhere else "brew install --cask obs   # or from obsproject.com, version 30 or later"
        text = "OBS Studio is not in /Applications; its virtual camera comes with it"
        return Finding(CAMERA, False, text, (get, *_allow(facts)))
    if facts.obs and facts.obs[0] < 30:
        text = f"OBS Studio {'.'.join(map(str, facts.obs))} has no camera extension that can be fed; 30 or later has"
        return Finding(CAMERA, False, text, ("brew upgrade --cask obs   # or from obsproject.com", *_allow(facts)))
    if facts.extension == "activated enabled":
        text = "OBS Virtual Camera; OBS's own virtual camera has to be stopped while live runs"
        return Finding(CAMERA, True, text, ("# if programs do not list it: restart the Mac once",))
    if facts.extension.startswith("activated"):
        return Finding(
            CAMERA, False, f"OBS's camera extension is not allowed yet ({facts.extension})", _allow(facts)[1:]
        )
    if facts.extension:
        mend = ("# restart the Mac, then:", *_allow(facts))
        return Finding(CAMERA, False, f"OBS's camera extension is not active ({facts.extension})", mend)
    return Finding(CAMERA, False, "OBS's camera extension was never started", _allow(facts))


def _allow(facts: MacFacts) -> tuple[str, ...]:
    place = "General > Login Items & Extensions > Camera Extensions"
    if facts.macos < LOGIN_ITEMS:
        place = "Privacy & Security > Security"
    return (ONCE, f"# allow OBS's extension: System Settings > {place}", "# press Stop Virtual Camera and quit OBS")


def _with_plugin(facts: MacFacts) -> Finding:
    if facts.plugin:
        text = "OBS Virtual Camera (plug-in); OBS's own virtual camera has to be stopped while live runs"
        return Finding(CAMERA, True, text)
    get = () if facts.obs is not None else ("# install OBS Studio, 28 or later, from obsproject.com",)
    steps = (*get, ONCE, "# press Stop Virtual Camera and quit OBS")
    return Finding(CAMERA, False, "OBS's virtual camera is not installed", steps)
