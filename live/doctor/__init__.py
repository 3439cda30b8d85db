"""`live doctor` and `live devices`: what was found, what is missing, and the exact command that mends it.

Looking and judging are apart: a module looks at one system and fills a frozen value of facts, a pure function makes
findings of it. So the judgement about every system can be tested on any.
"""

from __future__ import annotations

import importlib.metadata
import sys

from live.doctor.devices import device_lines
from live.doctor.finding import Finding

__all__ = ["Finding", "device_lines", "findings"]


def findings() -> list[Finding]:
    """Look at everything a run may need."""
    from live.doctor import backends, machine, networks
    from live.nets import devices

    return [
        machine.program(),
        *machine.models(),
        networks.look(),
        machine.cameras(),
        *virtual_camera(),
        machine.window(),
        machine.streams(),
        *backends.judge(devices.look(), devices.variants()),
    ]


def virtual_camera(platform: str = sys.platform) -> list[Finding]:
    """Whether other programs can see what this one shows, on this system."""
    try:
        version = importlib.metadata.version("pyvirtualcam")
    except importlib.metadata.PackageNotFoundError:
        return [Finding("virtual camera", False, "pyvirtualcam is not installed", ("pip install pyvirtualcam",))]
    if platform == "linux":
        from live.doctor import linux, linux_facts

        return linux.judge(linux_facts.look())
    if platform == "win32":
        from live.doctor import windows

        return windows.judge(windows.look())
    if platform == "darwin":
        from live.doctor import macos

        return macos.judge(macos.look(version))
    text = f"none is known for {platform}; window, web and files work"
    return [Finding("virtual camera", False, text, ("live --output web",))]
