"""`live doctor` and `live devices`: what was found, what is missing, and the exact command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from live import __version__
from live.errors import LiveError
from live.output.loopback import labels as loopback_labels
from live.pixels.people import people_names
from live.resources import models_dir

MOST_MODES = 24


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    name: str
    fine: bool
    text: str
    mend: str = ""
    needed: bool = False
    """Without it nothing works; the others are choices."""

    def __str__(self) -> str:
        sign = "ok     " if self.fine else "MISSING" if self.needed else "missing"
        return f"{sign}  {self.name:16} {self.text}" + (f"\n{'':27}mend: {self.mend}" if self.mend else "")


def findings() -> list[Finding]:
    """Look at everything a run may need."""
    return [
        _python(),
        *_models(),
        _cameras(),
        _virtual_camera(),
        _display(),
        _graphics_card(),
    ]


def device_lines() -> list[str]:
    """Cameras with what they can send, and virtual cameras, one line each."""
    from live.capture.devices import list_cameras

    lines = []
    for camera in list_cameras():
        own = " (our own output, not an input)" if camera.own else ""
        lines.append(f"camera:{camera.index}  {camera.path}  {camera.name}{own}")
        for mode in camera.modes[:MOST_MODES]:
            rates = ", ".join(f"{fps:g}" for fps in mode.fps) or "?"
            lines.append(f"    {mode.format} {mode.width_px}x{mode.height_px} at {rates} fps")
    lines += [f"virtualcam:{device}  {label}" for device, label in loopback_labels().items()]
    return lines or ["no camera found; `live doctor` says more, `live --input demo` runs without one"]


def _python() -> Finding:
    text = f"live {__version__}, Python {platform.python_version()}, {platform.platform()}"
    return Finding("program", (3, 11) <= sys.version_info[:2] <= (3, 14), text, needed=True)


def _models() -> list[Finding]:
    from live.faces.detector import Detector
    from live.faces.landmarker import Landmarker

    found = []
    for name, load in (("detector", Detector), ("landmarker", Landmarker)):
        path = models_dir() / f"{name}.onnx"
        try:
            load(path)
        except LiveError as error:
            found.append(Finding(name, False, str(error), "pip install --force-reinstall live-faceswap", needed=True))
        else:
            found.append(Finding(name, True, f"{path.stat().st_size / 1e6:.1f} MB, embedded", needed=True))
    try:
        people = len(people_names())
    except OSError:
        people = 0
    mend = "" if people else "pip install --force-reinstall live-faceswap"
    found.append(Finding("source faces", people > 0, f"{people} composite people", mend, needed=True))
    return found


def _cameras() -> Finding:
    from live.capture.devices import list_cameras

    names = [camera.name for camera in list_cameras()]
    if names:
        return Finding("camera", True, ", ".join(names))
    return Finding("camera", False, "none found; the demo person stands in", "plug one in; then `live devices`")


def _virtual_camera() -> Finding:
    if importlib.util.find_spec("pyvirtualcam") is None:
        return Finding("virtual camera", False, "pyvirtualcam is not installed", "pip install pyvirtualcam")
    if sys.platform == "linux":
        return _loopback()
    if sys.platform == "win32":
        path = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "obs-studio"
        mend = "install OBS Studio (its virtual camera comes with it), or Unity Capture"
    else:
        path = Path("/Applications/OBS.app")
        mend = "install OBS Studio, open it, press Start Virtual Camera once, allow the extension, press Stop"
    found = path.exists()
    return Finding(
        "virtual camera", found, "OBS Studio is there" if found else "no OBS Studio found", "" if found else mend
    )


def _loopback() -> Finding:
    devices = loopback_labels()
    if devices:
        return Finding("virtual camera", True, ", ".join(f'{device} "{label}"' for device, label in devices.items()))
    install = "" if Path("/sys/module/v4l2loopback").exists() else "sudo apt install v4l2loopback-dkms && "
    mend = f"{install}sudo modprobe v4l2loopback exclusive_caps=1 card_label=live"
    return Finding("virtual camera", False, "no v4l2loopback device; OBS, Zoom and browsers cannot see live", mend)


def _display() -> Finding:
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return Finding("window", True, "a display is there")
    return Finding("window", False, "no display; the web preview stands in", "run live in a desktop session")


def _graphics_card() -> Finding:
    if Path("/proc/driver/nvidia/version").exists() or sys.platform == "win32":
        return Finding(
            "graphics card", True, "an NVIDIA driver may be there; the embedded engine runs on the CPU either way"
        )
    return Finding("graphics card", True, "no NVIDIA driver; the embedded engine runs on the CPU")
