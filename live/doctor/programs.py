"""Programs on Linux that look at cameras: which are installed, what they want of one, whether their sandbox lets them.

v4l2loopback's `exclusive_caps`: browsers list only devices that give pictures and do not take any, so they want 1
(v4l2loopback issues 78 and 274); the Zoom snap lists the camera only with 0 (ogra1/zoom-snap issue 49); OBS reads both.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from live.doctor.finding import Finding

ASK_S = 5.0
"""Longest that snap or flatpak may take to answer."""


@dataclass(frozen=True, slots=True)
class Known:
    """A program and the places where its packages put it."""

    name: str
    paths: tuple[str, ...] = ()
    """Of distribution packages, one of which exists."""
    snap: str = ""
    flatpak: str = ""
    exclusive: bool | None = True
    """What it wants of exclusive_caps; None: either."""


KNOWN = (
    Known("Chrome", ("opt/google/chrome/chrome",), "", "com.google.Chrome"),
    Known("Chromium", ("usr/lib/chromium/chromium", "usr/lib64/chromium-browser"), "chromium", "org.chromium.Chromium"),
    Known("Edge", ("opt/microsoft/msedge/msedge",), "", "com.microsoft.Edge"),
    Known("Brave", ("opt/brave.com/brave/brave",), "brave", "com.brave.Browser"),
    Known(
        "Firefox",
        ("usr/lib/firefox/firefox", "usr/lib64/firefox/firefox", "usr/lib/firefox-esr/firefox-esr"),
        "firefox",
        "org.mozilla.firefox",
    ),
    Known("Zoom", ("opt/zoom/zoom",), "", "us.zoom.Zoom"),
    Known("Zoom", (), "zoom-client", "", exclusive=False),
    Known(
        "Teams",
        ("opt/teams-for-linux/teams-for-linux", "usr/share/teams/teams"),
        "teams-for-linux",
        "com.github.IsmaelMartinez.teams_for_linux",
    ),
    Known("Discord", ("usr/share/discord/Discord", "opt/discord/Discord"), "discord", "com.discordapp.Discord"),
    Known("Slack", ("usr/lib/slack/slack",), "slack", "com.slack.Slack"),
    Known("OBS", ("usr/bin/obs",), "obs-studio", "com.obsproject.Studio", exclusive=None),
)


@dataclass(frozen=True, slots=True)
class Program:
    """One that is installed."""

    name: str
    package: str = ""
    """`snap` or `flatpak`; empty: the distribution's."""
    id: str = ""
    """Its name there."""
    exclusive: bool | None = True
    camera: bool | None = None
    """Whether its sandbox lets it at cameras; None: it has none, or it cannot be found out."""

    def __str__(self) -> str:
        return f"{self.name} ({self.package})" if self.package else self.name


def programs(root: Path = Path("/"), home: Path | None = None) -> tuple[Program, ...]:
    """Which of the known ones are installed, with what their sandboxes allow."""
    home = home or Path.home()
    found = []
    for known in KNOWN:
        if any((root / path).exists() for path in known.paths):
            found.append(Program(known.name, exclusive=known.exclusive))
        if known.snap and any((root / folder / known.snap).exists() for folder in ("snap", "var/lib/snapd/snap")):
            allowed = snap_camera(_said("snap", "connections", known.snap))
            found.append(Program(known.name, "snap", known.snap, known.exclusive, allowed))
        folders = (root / "var/lib/flatpak/app", home / ".local/share/flatpak/app")
        if known.flatpak and any((folder / known.flatpak).exists() for folder in folders):
            allowed = flatpak_camera(_said("flatpak", "info", "--show-permissions", known.flatpak))
            found.append(Program(known.name, "flatpak", known.flatpak, known.exclusive, allowed))
    return tuple(found)


def _said(*command: str) -> str:
    """What a program prints; empty when it is not there, fails or hangs."""
    with suppress(OSError, subprocess.SubprocessError):
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=ASK_S, check=True)
        return ran.stdout
    return ""


def snap_camera(said: str) -> bool | None:
    """Whether the camera plug is connected. Args: said of `snap connections NAME`: interface, plug, slot, notes."""
    for line in said.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "camera":
            return words[2] != "-"
    return None


def flatpak_camera(said: str) -> bool | None:
    """Whether all devices are shared. Args: said of `flatpak info --show-permissions ID`: `devices=dri;all;`."""
    if "[Context]" not in said:
        return None
    found = re.search(r"^devices=(.*)$", said, re.MULTILINE)
    return found is not None and "all" in found[1].strip().split(";")


def sandbox_findings(installed: tuple[Program, ...]) -> list[Finding]:
    """Programs whose sandbox keeps them from every camera."""
    mends: dict[str, Callable[[str], str]] = {
        "snap": lambda id: f"sudo snap connect {id}:camera",
        "flatpak": lambda id: f"flatpak override --user --device=all {id}   # then start it anew",
    }
    return [
        Finding(
            f"{program.package} {program.name}",
            False,
            f"its sandbox does not let {program.name} use cameras",
            (mends[program.package](program.id),),
        )
        for program in installed
        if program.package in mends and program.camera is False
    ]
