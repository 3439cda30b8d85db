"""What every system has to have: the program itself, its models, a camera, a display. Knows no virtual cameras."""

from __future__ import annotations

import os
import platform
import shutil
import sys

from live import __version__
from live.doctor.finding import Finding
from live.errors import LiveError
from live.resources import models_dir

REINSTALL = ("pip install --force-reinstall live-faceswap",)


def program() -> Finding:
    """The program and the Python that runs it."""
    text = f"live {__version__}, Python {platform.python_version()}, {platform.platform()}"
    fine = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Finding("program", fine, text, () if fine else ("# install Python 3.11 to 3.14",), needed=True)


def models() -> list[Finding]:
    """Embedded networks and people: load them."""
    from live.faces.detector import Detector
    from live.faces.landmarker import Landmarker
    from live.faces.masker import Masker
    from live.pixels.people import people_names

    found = []
    for name, load in (("detector", Detector), ("landmarker", Landmarker), ("masker", Masker)):
        path = models_dir() / f"{name}.onnx"
        try:
            load(path)
        except LiveError as error:
            found.append(Finding(name, False, str(error), REINSTALL, needed=True))
        else:
            found.append(Finding(name, True, f"{path.stat().st_size / 1e6:.1f} MB, embedded", needed=True))
    try:
        people = len(people_names())
    except OSError:
        people = 0
    mend = () if people else REINSTALL
    found.append(Finding("source faces", people > 0, f"{people} composite people", mend, needed=True))
    return found


def cameras() -> Finding:
    """Cameras that can be an input; this program's own output is none."""
    from live.capture.devices import list_cameras

    names = [camera.name for camera in list_cameras() if not camera.own]
    if names:
        return Finding("camera", True, ", ".join(names))
    return Finding("camera", False, "none found; the demo person stands in", ("# plug one in, then:", "live devices"))


def streams() -> Finding:
    """What servers can be reached. PyAV's wheels carry no SRT; another program turns it into UDP and back."""
    text = "RTMP, RTSP, UDP and TCP, in and out; HTTP in; SRT through srt-live-transmit"
    if shutil.which("srt-live-transmit"):
        return Finding("streams", True, f"{text}, which is here")
    return Finding("streams", True, text, ("# for SRT, on Debian and Ubuntu:", "sudo apt install srt-tools"))


def window() -> Finding:
    """A display for the preview window."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return Finding("window", True, "a display is there")
    return Finding(
        "window",
        False,
        "no display; the web preview stands in",
        ("# run live in a desktop session, or:", "live --output web"),
    )
