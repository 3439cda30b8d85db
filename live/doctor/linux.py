"""Judges the virtual camera on Linux: v4l2loopback, the programs that look at it, the next start of the machine.

Pure: facts in, findings out, on any system. `linux_facts.py` looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from live.doctor.finding import Finding
from live.doctor.linux_facts import LinuxFacts
from live.doctor.loopbacks import LoopbackState, is_live, named
from live.doctor.programs import sandbox_findings
from live.output.loopback import OWN_LABEL

CAMERA, CAPS, START, DRIVER = "virtual camera", "exclusive_caps", "after a restart", "camera driver"
NUMBER = 10
"""/dev/video10: far from the numbers that webcams get."""
SECOND_LABEL = "live-zoom"
"""A second camera, for the program that wants the other exclusive_caps."""
INSTALL = {
    "debian": ("sudo apt install v4l2loopback-dkms", "linux-headers-$(uname -r)"),
    "fedora": ("sudo dnf install akmod-v4l2loopback", "kernel-devel-$(uname -r)"),
    "arch": ("sudo pacman -S v4l2loopback-dkms", "linux-headers"),
    "suse": ("sudo zypper install v4l2loopback-kmp-default", "kernel-default-devel"),
}
"""The driver's package, and that of the kernel's headers."""
UNLOAD = "sudo modprobe -r v4l2loopback   # close the programs that use it first"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One camera of a loading of the driver."""

    number: int
    label: str
    exclusive: bool


def judge(facts: LinuxFacts) -> list[Finding]:
    """The findings, the camera itself first."""
    device = chosen(facts.devices)
    if device is None or not (device.there and device.allowed):
        return [_missing(facts) if device is None else _closed(facts, device), *sandbox_findings(facts.installed)]
    found = [_camera(facts, device), _caps(facts, device)]
    found.append(_driver(facts, device))
    if not facts.container:
        found.append(_start(facts))
    return [*found, *sandbox_findings(facts.installed)]


def chosen(devices: tuple[LoopbackState, ...]) -> LoopbackState | None:
    """The camera that `live` would feed: the one with its label, else the first that nobody feeds."""
    own = [device for device in devices if device.own]
    free = [device for device in devices if not device.fed]
    return next(iter([*own, *free, *devices]), None)


def options(facts: LinuxFacts, both: bool | None = None) -> str:
    """What to load the driver with: this program's camera, and those of others as they are.

    Args: both whether a second camera is wanted for programs that want the other exclusive_caps; None: as installed.
    Returns: `video_nr=10 card_label=live exclusive_caps=1`, in a form that holds for a shell and for modprobe.d.
    """
    wants_exclusive, wants_plain = _wishes(facts)
    both = bool(wants_exclusive and wants_plain) if both is None else both
    others = [device for device in facts.devices if not device.own]
    number = next((device.number for device in facts.devices if device.own), None)
    taken = facts.taken | {device.number for device in facts.devices}
    free = [candidate for candidate in range(NUMBER, NUMBER + 54) if candidate not in taken]
    own = _Wanted(
        free.pop(0) if number is None else number, OWN_LABEL, both or not wants_plain or bool(wants_exclusive)
    )
    cameras = [own]
    if both and not any(device.label == SECOND_LABEL for device in others):
        cameras.append(_Wanted(free[0], SECOND_LABEL, False))
    for device in others:
        plain = device.exclusive is False or (both and device.label == SECOND_LABEL)
        cameras.append(_Wanted(device.number, _plain(device.label), not plain))
    labels = ",".join(camera.label for camera in cameras)
    return " ".join(
        [
            # named even for one where options are set for the driver: what is not named here is taken from there
            *([f"devices={len(cameras)}"] if len(cameras) > 1 or facts.options_file else []),
            f"video_nr={','.join(str(camera.number) for camera in cameras)}",
            f'card_label="{labels}"' if " " in labels else f"card_label={labels}",
            f"exclusive_caps={','.join(str(int(camera.exclusive)) for camera in cameras)}",
        ]
    )


def _plain(label: str) -> str:
    """A label without what would end it in a command line or in the driver's list."""
    return re.sub(r"[^\w .:()+-]", " ", label, flags=re.ASCII).strip() or "camera"


def _load(facts: LinuxFacts, both: bool | None = None) -> str:
    return f"sudo modprobe v4l2loopback {options(facts, both)}"


def _wishes(facts: LinuxFacts) -> tuple[list[str], list[str]]:
    """Installed programs that want exclusive_caps=1, and those that want 0."""
    wants = [(str(program), program.exclusive) for program in facts.installed]
    return [name for name, wish in wants if wish is True], [name for name, wish in wants if wish is False]


def _secure_boot(facts: LinuxFacts) -> tuple[str, ...]:
    """What to do when the firmware lets the kernel take signed drivers only."""
    if not facts.secure_boot:
        return ()
    key = facts.key or "/var/lib/dkms/mok.pub"
    return (
        '# Secure Boot is on: if that says "Key was rejected by service" or "Operation not permitted", then',
        f"sudo mokutil --import {key}   # give a password, restart, choose Enroll MOK, give it again",
    )


def _missing(facts: LinuxFacts) -> Finding:
    """No camera at all."""
    install, headers = INSTALL.get(facts.family, ("# install the package v4l2loopback-dkms", ""))
    load = (_load(facts), *_secure_boot(facts))
    if facts.windows_inside:
        text = "Linux inside Windows (WSL) has no v4l2loopback"
        mend: tuple[str, ...] = ("# run live under Windows itself; here: live --output web",)
    elif facts.container:
        text = "none in this container: the driver belongs to the machine around it"
        first = "# on that machine (Debian, Ubuntu: sudo apt install v4l2loopback-dkms first):"
        mend = (first, _load(facts), f"docker run --device /dev/video{NUMBER} --group-add video ...")
    elif facts.loaded:
        text, mend = "v4l2loopback is loaded without a camera", (UNLOAD, *load)
    elif not facts.takes_modules:
        text, mend = "this kernel takes no drivers", ("# boot the distribution's own kernel, or: live --output web",)
    elif facts.built:
        text, mend = "v4l2loopback is installed, but not loaded", load
    elif facts.sources and not facts.headers:
        text = "v4l2loopback is installed, but was not built: the headers of the running kernel are missing"
        get = f"{install.rpartition(' ')[0]} {headers}" if headers else "# install the headers of the running kernel"
        mend = (get, "sudo dkms autoinstall", *load)
    elif facts.sources:
        text = "v4l2loopback is installed, but was not built for the running kernel"
        log = "# if that fails, the end of /var/lib/dkms/v4l2loopback/*/build/make.log says why"
        mend = ("sudo dkms autoinstall", log, *load)
    else:
        text = "v4l2loopback is not installed; OBS, Zoom and browsers cannot see live"
        # openSUSE's package is built already, the others are built on this machine
        needs = headers and not facts.headers and facts.family != "suse"
        source = "   # from RPM Fusion (rpmfusion.org)" if facts.family == "fedora" else ""
        mend = (f"{install}{f' {headers}' if needs else ''}{source}", *load)
    return Finding(CAMERA, False, text, mend)


def _closed(facts: LinuxFacts, device: LoopbackState) -> Finding:
    """A camera that cannot be opened."""
    name = f'{device.path} "{device.label}"'
    if not device.there and facts.container:
        mend = f"docker run --device {device.path} --group-add {device.group} ..."
        return Finding(CAMERA, False, f"the machine has {name}, but it was not given to this container", (mend,))
    if not device.there:
        return Finding(CAMERA, False, f"the kernel has {name}, but its node is missing", (UNLOAD, _load(facts)))
    text = f"{name} may not be opened by this user; the group {device.group} may"
    if facts.container:
        return Finding(CAMERA, False, text, (f"docker run --device {device.path} --group-add {device.group} ...",))
    if facts.in_group:
        return Finding(CAMERA, False, f"{text}, and you are in it since the next login", ("# log out and in again",))
    mends = (f"sudo usermod -aG {device.group} $USER", "# then log out and in again")
    return Finding(CAMERA, False, text, mends)


def _camera(facts: LinuxFacts, device: LoopbackState) -> Finding:
    """A camera that can be opened: is it ours, and free?"""
    name = f'{device.path} "{device.label}"'
    setting = f", {device.setting}" if device.setting else ""
    readers = [named(user) for user in device.users if not is_live(user)]
    also = f"; open in {', '.join(readers)}" if readers else ""
    if device.fed and device.fed_by_live:
        return Finding(CAMERA, True, f"{name}, fed by live now{setting}{also}")
    if device.fed:
        who = ", ".join(named(user) for user in device.users)
        mend = f"# close the camera in {who}" if who else f"sudo fuser -v {device.path}   # names the program; close it"
        text = f"{name} is held by {who or 'a program that this user may not see'}{setting}"
        more = () if device.own else ("# or make a camera for live:", UNLOAD, _load(facts))
        return Finding(CAMERA, False, text, (mend, *more))
    if not device.own:
        text = f'{name} would be taken: none is labelled "{OWN_LABEL}"'
        return Finding(CAMERA, True, text, (UNLOAD, _load(facts)))
    return Finding(CAMERA, True, f"{name}, free{setting}{also}; programs can choose it while live runs")


def _caps(facts: LinuxFacts, device: LoopbackState) -> Finding:
    """Does the camera show itself as the installed programs want it?"""
    wants_exclusive, wants_plain = _wishes(facts)
    usual = "Chrome, Chromium, Firefox, Zoom, Teams and Discord"
    if device.exclusive is None:
        return Finding(CAPS, True, f"not told by the driver; {usual} want 1")
    if device.exclusive and wants_plain:
        text = f"1, but {_want(wants_plain)} 0"
        other = next((entry for entry in facts.devices if entry.exclusive is False and entry.there), None)
        both = "live --output virtualcam:{} --output virtualcam:{}"
        if other is not None:
            return Finding(CAPS, True, f"{text}; {other.path} has it", (both.format(device.path, other.path),))
        steps = (UNLOAD, _load(facts, bool(wants_exclusive)))
        return Finding(CAPS, False, text, (*steps, both.format(OWN_LABEL, SECOND_LABEL)) if wants_exclusive else steps)
    if device.exclusive:
        return Finding(CAPS, True, f"1, as {usual} want it: they list the camera only while live runs; OBS reads both")
    if wants_exclusive:
        text = f"0, but {_want(wants_exclusive)} 1 and may not list the camera"
        return Finding(CAPS, False, text, (UNLOAD, _load(facts)))
    if wants_plain:
        return Finding(CAPS, True, f"0, as {_want(wants_plain)} it; OBS reads both, browsers want 1")
    return Finding(CAPS, True, f"0: OBS and most readers take it, {usual} want 1", (UNLOAD, _load(facts)))


def _driver(facts: LinuxFacts, device: LoopbackState) -> Finding:
    """What is peculiar to this version of v4l2loopback; both were seen with the real drivers."""
    if facts.old and device.exclusive is not False:
        text = "v4l2loopback 0.12 or older: where a program keeps the camera open while live starts anew, its picture "
        return Finding(DRIVER, True, text + "stays frozen; close and open the camera there (0.15 does not need that)")
    name = "v4l2loopback " + ("0.12 or older" if facts.old else facts.version or "of a version that it does not tell")
    numbers = tuple(int(number) for number in re.findall(r"\d+", facts.version)[:2])
    alone = (
        ": one program at a time can read a camera; a second one needs a second camera" if numbers >= (0, 15) else ""
    )
    return Finding(DRIVER, True, name + alone)


def _want(names: list[str]) -> str:
    return f"{', '.join(names)} {'wants' if len(names) == 1 else 'want'}"


def _start(facts: LinuxFacts) -> Finding:
    """Is the camera there again when the machine has started anew?"""
    file = "/etc/modprobe.d/v4l2loopback.conf"
    labelled = OWN_LABEL in facts.labels_at_start.split(",")
    if facts.at_start and labelled:
        return Finding(START, True, f"the camera will be there ({facts.options_file})")
    mend = [] if facts.at_start else ["echo v4l2loopback | sudo tee /etc/modules-load.d/v4l2loopback.conf"]
    if not labelled:
        mend.append(f"echo 'options v4l2loopback {options(facts)}' | sudo tee {file}")
        if facts.options_file not in {"", file}:
            mend.append(f"# and remove the line `options v4l2loopback ...` from {facts.options_file}")
    what = "the camera will be gone" if not facts.at_start else f'no camera will be labelled "{OWN_LABEL}"'
    return Finding(START, False, what, tuple(mend))
