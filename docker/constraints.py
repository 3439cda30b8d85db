"""NVIDIA's torch and torchvision as pip constraints, and the proof that an installation kept them.

Runs while the image is built: `constraints.py > FILE` with the base's Python, then `constraints.py FILE` with the
virtual environment's.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from pathlib import Path

KEPT = ("torch", "torchvision")
OURS = ("numpy", "cv2")


def pins() -> list[str]:
    """One line for pip per package of the base that has to stay."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in KEPT]


def check(before: list[str]) -> None:
    """Exit with the reason where this environment has another torch, or numpy and OpenCV that are not its own."""
    if pins() != before:
        sys.exit(f"the base's packages were {before}, now they are {pins()}")
    for name in (*KEPT, *OURS):
        inside = str(importlib.import_module(name).__file__).startswith(sys.prefix + "/")
        if inside is (name in KEPT):
            sys.exit(f"{name} comes from the {'virtual environment' if inside else 'base'}")
    import numpy
    import torch

    if torch.from_numpy(numpy.ones(3, numpy.float32)).numpy().sum() != 3:
        sys.exit(f"torch {torch.__version__} does not work with numpy {numpy.__version__}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print("\n".join(pins()))
    else:
        check(Path(sys.argv[1]).read_text("utf-8").split())
