"""What this computer has for running networks: ONNX Runtime's providers, the graphics card, torch. Judges nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import re
import shutil
import subprocess
import sys
from functools import lru_cache

from live.nets.backends import Gpu, Present

log = logging.getLogger(__name__)

ASK_S = 10.0
"""nvidia-smi takes seconds where the driver sleeps."""


@lru_cache(maxsize=1)
def look() -> Present:
    """Look once. Imports torch only where a card was found: it takes seconds."""
    gpu = nvidia()
    version = _version("torch")
    return Present(
        system=sys.platform,
        providers=providers(),
        runtime=_runtime(),
        gpu=gpu,
        torch=version,
        torch_cuda=bool(gpu and version) and _torch_sees_it(),
    )


def providers() -> frozenset[str]:
    """What ONNX Runtime was built with; whether each one's libraries are there shows only when a network is loaded."""
    if importlib.util.find_spec("onnxruntime") is None:
        return frozenset()
    import onnxruntime

    return frozenset(onnxruntime.get_available_providers())


def nvidia() -> Gpu | None:
    """The first NVIDIA card as its driver names it; None without card, driver or an answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("nvidia-smi does not answer: %s", error)
        return None
    return gpu_of(said)


def gpu_of(said: str) -> Gpu | None:
    """Read nvidia-smi's answer: `NVIDIA GeForce RTX 3090, 8.6, 570.86.10`, one card a line."""
    found = re.match(r"\s*([^,\n]{1,100}),\s*(\d{1,2})\.(\d{1,2}),\s*([\d.]{1,20})", said)
    return Gpu(found[1].strip(), (int(found[2]), int(found[3])), found[4]) if found else None


def variants() -> tuple[str, ...]:
    """The installed packages that all fill the folder `onnxruntime`; more than one is a mixture."""
    names = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
    return tuple(name for name in names if _version(name))


def _runtime() -> str:
    return next((_version(name) for name in variants()), "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _torch_sees_it() -> bool:
    import torch

    try:
        return bool(torch.cuda.is_available())
    except Exception as error:  # a driver that does not fit raises types of its own
        log.debug("torch finds no card: %s", error)
        return False
