"""What the doctor looks at on Linux to judge the virtual camera. Collects; judges nothing (that is `linux.py`).

Every look that fails gives the plain answer: a doctor must not fall ill.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from live.doctor.loopbacks import LoopbackState, loopback_states
from live.doctor.programs import Program, programs
from live.output import loopback

SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""UEFI's global variable: four bytes of attributes, then 1 for on."""
KEYS = ("var/lib/shim-signed/mok/MOK.der", "var/lib/dkms/mok.pub", "etc/pki/akmods/certs/public_key.der")
"""With which Ubuntu, dkms and Fedora's akmods sign the modules that they build."""
MOST_BYTES = 8 << 20
"""Of a file that is searched; modules.dep has about 1 MB."""
FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "arch": "arch",
    "suse": "suse",
}
"""ID or ID_LIKE of os-release -> whose package manager it is."""


@dataclass(frozen=True, slots=True)
class LinuxFacts:
    """What was seen. The plain values are those of a machine on which nothing was prepared."""

    family: str = ""
    """`debian`, `fedora`, `arch`, `suse`, or empty."""
    container: bool = False
    windows_inside: bool = False
    """WSL: Linux inside Windows."""
    takes_modules: bool = True
    """The kernel can load drivers at all."""
    built: bool = False
    """modprobe finds the driver for the running kernel."""
    sources: bool = False
    """dkms has the driver's sources."""
    headers: bool = False
    """The running kernel's headers are there, with which dkms builds."""
    loaded: bool = False
    version: str = ""
    """Of the loaded driver; empty where it does not tell (0.12)."""
    old: bool = False
    """0.12 or older."""
    secure_boot: bool = False
    key: str = ""
    """The key with which modules are signed here."""
    in_group: bool = False
    """The user is entered as a member of the group that owns the camera, but logged in before that."""
    devices: tuple[LoopbackState, ...] = ()
    taken: frozenset[int] = frozenset()
    """Numbers N of all /dev/videoN."""
    at_start: bool = False
    """The driver is loaded when the machine starts."""
    labels_at_start: str = ""
    """card_label of the options set for the driver; they hold for every loading."""
    options_file: str = ""
    """Where those options are set."""
    installed: tuple[Program, ...] = ()


def look(root: Path = Path("/")) -> LinuxFacts:
    """Look. Args: root stands for the file system's, as far as files are read that are no device's."""
    release = platform.release()
    modules = root / "lib/modules" / release
    version = loopback.driver_version() or ""
    devices = tuple(loopback_states())
    labels, options_file = _options(root)
    return LinuxFacts(
        family=_family(_text(root / "etc/os-release")),
        container=_in_container(root),
        windows_inside="microsoft" in release.lower(),
        takes_modules=(root / "proc/modules").exists(),
        built=re.search(r"/v4l2loopback\.ko", _text(modules / "modules.dep")) is not None,
        sources=_any(root, "usr/src/v4l2loopback-*") or _any(root, "var/lib/dkms/v4l2loopback"),
        headers=(modules / "build").exists(),
        loaded=loopback.loaded(),
        version=version,
        old=loopback.loaded() and (version.startswith("0.12") or (not version and not _tells_state(devices))),
        secure_boot=_bytes(root / SECURE_BOOT)[4:5] == b"\1",
        key=next((f"/{key}" for key in KEYS if (root / key).exists()), ""),
        in_group=_entered_in(next((device.group for device in devices if device.own), "video")),
        devices=devices,
        taken=_taken(root),
        at_start=_named_at_start(root),
        labels_at_start=labels,
        options_file=options_file,
        installed=programs(root),
    )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _any(root: Path, pattern: str) -> bool:
    return next(root.glob(pattern), None) is not None


def _family(os_release: str) -> str:
    words = re.findall(r"^ID(?:_LIKE)?=(.*)$", os_release, re.MULTILINE)
    for word in " ".join(words).replace('"', " ").lower().split():
        for name, family in FAMILIES.items():
            if name in word:
                return family
    return ""


def _in_container(root: Path) -> bool:
    marked = (root / ".dockerenv").exists() or (root / "run/.containerenv").exists()
    return marked or re.search(r"docker|kubepods|lxc|libpod", _text(root / "proc/1/cgroup")) is not None


def _tells_state(devices: tuple[LoopbackState, ...]) -> bool:
    """Whether the driver shows what a device is doing, as it does since 0.13."""
    return any((loopback.DEVICES / Path(device.path).name / "state").exists() for device in devices)


def _entered_in(group: str) -> bool:
    with suppress(KeyError, OSError, ImportError):
        import grp
        import pwd

        entry = grp.getgrnam(group)
        return pwd.getpwuid(os.getuid()).pw_name in entry.gr_mem and entry.gr_gid not in os.getgroups()
    return False


def _taken(root: Path) -> frozenset[int]:
    names = (node.name.removeprefix("video") for node in (root / "sys/class/video4linux").glob("video*"))
    return frozenset(int(name) for name in names if name.isdecimal())


def _lines(root: Path, *patterns: str) -> list[tuple[str, str]]:
    """(file, line) of settings files without comments and empty lines."""
    found = []
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            lines = (line.partition("#")[0].strip() for line in _text(path).splitlines())
            found += [(f"/{path.relative_to(root)}", line) for line in lines if line]
    return found


def _named_at_start(root: Path) -> bool:
    files = ("etc/modules", "etc/modules-load.d/*.conf", "usr/lib/modules-load.d/*.conf")
    return any(line.split()[0] == "v4l2loopback" for _, line in _lines(root, *files))


def _options(root: Path) -> tuple[str, str]:
    """card_label and the file of the last `options v4l2loopback ...` line."""
    labels, file = "", ""
    for path, line in _lines(root, "usr/lib/modprobe.d/*.conf", "etc/modprobe.d/*.conf"):
        if re.match(r"options\s+v4l2loopback\s", line):
            file = path
            with suppress(ValueError):  # a quote that is not closed
                words = shlex.split(line)
                labels = next((word.partition("=")[2] for word in words if word.startswith("card_label=")), labels)
    return labels, file
