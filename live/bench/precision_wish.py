"""What `live bench precision` can be asked. Imports no torch, so that the command line starts quickly."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = ("landmarker", "detector", "masker")
ON_GPU = (*OURS, "arcface_w600k_r50", "gpen_bfr_256", "hyperswap_1a_256", "gfpgan_1.4", "inswapper_128")
BATCHED = ("inswapper_128",)
"""Measured with every number of rows; the rest, by default, with the first."""
MODES = ("fp32", "tf32", "fp16", "bf16", "autocast")
"""autocast is torch's own mixed precision around the float32 module: what others do."""
CPU_MODES = ("fp32", "bf16", "fp16")
BUDGET_S = 140.0


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    networks: tuple[str, ...] = ()
    """None: those above on a GPU, ours without."""
    rows: tuple[int, ...] = (1, 8)
    modes: tuple[str, ...] = ()
    device: str = "auto"
    width: float = 1.0
    """Of twins; less than 1 for a quick look."""
    compile: bool = False
    kernels: bool = False
    budget_s: float = BUDGET_S
    json: Path | None = None


def add_arguments(parser: Any) -> None:
    """The command's options."""
    parser.add_argument("--networks", "--twin", nargs="+", default=[], metavar="NAME|FILE",
                        help="embedded, twins, ONNX files (default: eight on a GPU, else embedded)")  # fmt: skip
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8], metavar="N", help="rows (default: 1 8)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=[], metavar="MODE", help=", ".join(MODES))
    parser.add_argument("--device", default="auto", metavar="cpu|cuda", help="default: cuda where there is one")
    parser.add_argument("--width", type=float, default=1.0, help="of twins: less than 1 is narrower (default 1)")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too; a minute per network")
    parser.add_argument("--kernels", action="store_true", help="list in FILE where FP16's time goes")
    parser.add_argument("--budget", type=float, default=BUDGET_S, metavar="S", help="rows that come later are left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="written after every row")


def wish_of(options: argparse.Namespace) -> Wish:
    """The options as a wish."""
    return Wish(
        tuple(options.networks), tuple(max(1, rows) for rows in options.batch), tuple(options.modes), options.device,
        options.width, options.compile, options.kernels, options.budget, options.json,
    )  # fmt: skip
