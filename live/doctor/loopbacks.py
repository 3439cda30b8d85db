"""What each v4l2loopback camera of this machine does now: its setting, who has it open, how it shows itself.

Read from sysfs, where a device need not be opened; only whether it is exclusive is asked from the device. Linux only:
elsewhere there are none. Judges nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from live.capture.devices import Control, Opener, openers
from live.output import loopback

OWN_CHILD = "live.output.virtualcam_child"
"""What stands in the command line of the process with which this program feeds a camera."""
VIDEO_CAPTURE, VIDEO_OUTPUT_DEVICE, HAS_DEVICE_CAPS = 0x1, 0x2, 0x80000000
"""linux/videodev2.h: what a device says it can do."""


@dataclass(frozen=True, slots=True)
class LoopbackState:
    """One virtual camera."""

    path: str
    label: str
    there: bool = True
    """Its node is in /dev. A container sees the kernel's list, but only the nodes that were given to it."""
    allowed: bool = True
    """This user may write to it."""
    group: str = "video"
    """Who owns the node: members may write."""
    exclusive: bool | None = None
    """exclusive_caps; None where it cannot be found out."""
    setting: str = ""
    """`NV12 1280x720`; empty while it has none."""
    fed: bool = False
    """Somebody sends pictures. 0.12 also says so while a reader stays after the sender has left."""
    users: tuple[Opener, ...] = ()

    @property
    def number(self) -> int:
        """10 of /dev/video10."""
        return int(self.path.rpartition("video")[2])

    @property
    def own(self) -> bool:
        """Whether it has the label that this program looks for."""
        return self.label == loopback.OWN_LABEL

    @property
    def fed_by_live(self) -> bool:
        """Whether this program, in another process, feeds it now."""
        return any(is_live(user) for user in self.users)


def is_live(user: Opener) -> bool:
    """Whether an opener is the process with which this program feeds a camera."""
    return OWN_CHILD in user.command


def named(user: Opener) -> str:
    """An opener for people."""
    return f"live (process {user.process})" if is_live(user) else str(user)


def loopback_states(
    dev: Path = Path("/dev"), control: Control | None = None, users: Callable[[str], list[Opener]] = openers
) -> list[LoopbackState]:
    """All v4l2loopback cameras, by number. `control` stands for `fcntl.ioctl`, `dev` and `users` for the system's."""
    found = []
    for path, label in loopback.labels().items():
        entry, node = loopback.DEVICES / Path(path).name, dev / Path(path).name
        if not (entry / "max_openers").exists():
            continue  # some other driver's virtual device
        setting, fed = _setting(entry)
        there = node.exists()
        found.append(
            LoopbackState(
                path,
                label,
                there=there,
                allowed=there and os.access(node, os.R_OK | os.W_OK),
                group=_group(node),
                exclusive=_exclusive(node, path, control),
                setting=setting,
                fed=fed,
                users=tuple(users(str(node))) if there else (),
            )
        )
    return found


def _setting(entry: Path) -> tuple[str, bool]:
    """The setting for people, and whether somebody feeds the device.

    The driver writes `NV12:1280x720@30`, where the rate is its own default and not that of the pictures.
    """
    setting = _read(entry / "format").partition("@")[0].replace(":", " ")
    state = _read(entry / "state")  # since 0.13; 0.12 has a format only while it is fed
    return setting, state == "capture" if state else bool(setting)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _group(node: Path) -> str:
    """The name of the group that owns a node."""
    with suppress(OSError, KeyError, ImportError):
        import grp

        return grp.getgrgid(node.stat().st_gid).gr_name
    return "video"


def _exclusive(node: Path, path: str, control: Control | None) -> bool | None:
    """A device that says to take and to give pictures at once is not exclusive; the driver's list is the second best:
    its order is that of the devices' making, which video_nr can make another than that of their numbers.
    """
    if control is None:
        import fcntl

        control = fcntl.ioctl
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return loopback.exclusive_caps(path)
    try:
        answer = bytearray(104)
        control(descriptor, loopback.QUERYCAP, answer)
    except OSError:
        return loopback.exclusive_caps(path)
    finally:
        os.close(descriptor)
    capabilities, of_node = struct.unpack_from("II", answer, 84)
    can = of_node if capabilities & HAS_DEVICE_CAPS else capabilities
    both = VIDEO_CAPTURE | VIDEO_OUTPUT_DEVICE
    return can & both != both if can & both else None
