"""Windows: OBS's virtual camera, Unity Capture, and whether programs may use cameras. Looks thinly, judges purely.

Written after pyvirtualcam's sources and the registry's documentation; not tried on a machine yet.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from live.doctor.finding import Finding

CAMERA = "virtual camera"
OBS_FILTER = "CLSID\\{A3FCE0F5-3493-419F-958A-ABA1250EC20B}"
"""The DirectShow filter that OBS Studio's installer registers; pyvirtualcam's backend `obs` looks for it."""
UNITY_FILTERS = tuple(f"CLSID\\{{5C2CD55C-92AD-4999-8666-912BD3E700{16 + n + bool(n):02X}}}" for n in range(10))
"""Those of Unity Capture's cameras in 64 bits; the key's value is the camera's name. 11 is the library's own."""
OBS_QUEUE = "OBSVirtualCamVideo"
"""Shared memory that exists while somebody feeds OBS's camera; pyvirtualcam cannot start then."""
CONSENT = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\CapabilityAccessManager\\ConsentStore\\webcam"
FILE_MAP_READ = 4


@dataclass(frozen=True, slots=True)
class WindowsFacts:
    """What was seen."""

    obs_registered: bool = False
    obs_folder: str = ""
    """Where OBS Studio is installed; empty: not found."""
    obs_fed: bool = False
    """Somebody feeds OBS's camera now."""
    unity: tuple[str, ...] = ()
    """Names of Unity Capture's cameras."""
    denied: tuple[str, ...] = ()
    """Switches of the privacy settings that are off."""


def look() -> WindowsFacts:
    """Look; the plain facts elsewhere."""
    if sys.platform != "win32":
        return WindowsFacts()
    import winreg

    folder = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "obs-studio"
    machine, user = winreg.HKEY_LOCAL_MACHINE, winreg.HKEY_CURRENT_USER
    switches = (
        (machine, CONSENT, "Camera access"),
        (user, CONSENT, "Let apps access your camera"),
        (user, f"{CONSENT}\\NonPackaged", "Let desktop apps access your camera"),
    )
    names = (_value(winreg.HKEY_CLASSES_ROOT, key, "") for key in UNITY_FILTERS)
    return WindowsFacts(
        obs_registered=_value(winreg.HKEY_CLASSES_ROOT, OBS_FILTER, "") is not None,
        obs_folder=str(folder) if folder.is_dir() else "",
        obs_fed=_queue_exists(),
        unity=tuple(name for name in names if name),
        denied=tuple(words for root, key, words in switches if _value(root, key, "Value") == "Deny"),
    )


def _value(root: int, key: str, name: str) -> str | None:
    """A text in the registry; empty when the key has none, None when there is no such key."""
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(root, key) as opened:
            try:
                return str(winreg.QueryValueEx(opened, name)[0]).strip()
            except OSError:
                return ""
    except OSError:
        return None


def _queue_exists() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenFileMappingW.restype = ctypes.c_void_p
    handle = kernel.OpenFileMappingW(FILE_MAP_READ, False, OBS_QUEUE)
    if not handle:
        return False
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return True


def judge(facts: WindowsFacts) -> list[Finding]:
    """The findings."""
    found = [_obs(facts)]
    if facts.unity:
        names = ", ".join(f'"{name}"' for name in facts.unity)
        text = f"{names}; leaves OBS's own camera to OBS"
        found.append(Finding("Unity Capture", True, text, (f'live --output "virtualcam:{facts.unity[0]}"',)))
    settings = "start ms-settings:privacy-webcam"
    if facts.denied:
        text = f"switched off: {', '.join(facts.denied)}"
        found.append(Finding("camera access", False, text, (f"{settings}   # switch on", "# then start live anew")))
    else:
        found.append(Finding("camera access", True, f"not switched off in the privacy settings ({settings})"))
    return found


def _obs(facts: WindowsFacts) -> Finding:
    if facts.obs_registered and facts.obs_fed:
        text = "OBS Virtual Camera is fed already, by OBS or by a live that runs now; one program at a time can"
        return Finding(CAMERA, False, text, ("# in OBS press Stop Virtual Camera; if it is live, all is well",))
    if facts.obs_registered:
        text = "OBS Virtual Camera; OBS's own virtual camera has to be stopped while live runs"
        return Finding(CAMERA, True, text)
    other: tuple[str, ...] = ()
    if facts.unity:
        other = (f'# or use the other one: live --output "virtualcam:{facts.unity[0]}"',)
    if facts.obs_folder:
        script = f"{facts.obs_folder}\\data\\obs-plugins\\win-dshow\\virtualcam-install.bat"
        text = "OBS Studio is there, but its virtual camera is not registered"
        return Finding(CAMERA, bool(facts.unity), text, (f'"{script}"   # as administrator', *other))
    mend = (
        "winget install -e --id OBSProject.OBSStudio",
        "# start OBS once, press Start Virtual Camera, then Stop Virtual Camera, and close it",
        *other,
    )
    return Finding(CAMERA, bool(facts.unity), "OBS Studio's virtual camera is not installed", mend)
