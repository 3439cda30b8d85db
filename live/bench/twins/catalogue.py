"""Which twins there are, how exact each is, and writing one to a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from live.bench.twins.adain import inswapper, simswap
from live.bench.twins.arcface import arcface
from live.bench.twins.builder import Net
from live.bench.twins.codeformer import codeformer
from live.bench.twins.hyperswap import hyperswap
from live.bench.twins.interfaces import detector, interface, restorer, swapper
from live.bench.twins.stylegan import gfpgan, gpen
from live.errors import UsageError

SMALL = 1 / 32
"""Width of the twins in tests: the same nodes with a thousandth of the arithmetic."""


@dataclass(frozen=True)
class Twin:
    """One network's twin."""

    write: Callable[[Net, float], None]
    """Takes the graph to write into and the width, 1 for full size."""
    exact: bool = False
    """Layer for layer after the public definition; else names and sizes only."""
    parameters_m: float = 0.0
    """Millions, and GFLOP for one row, as counted from the public definitions (zero: not counted)."""
    gflop: float = 0.0
    opset: int = 11


TWINS: dict[str, Twin] = {
    "inswapper_128": Twin(inswapper, True, 138.29, 349.0),
    "inswapper_256": Twin(partial(inswapper, size=256), True, 138.29, 1397.0),
    "hyperswap_1a_256": Twin(hyperswap, True, 201.2, 63.9, opset=15),
    "simswap_256": Twin(simswap, True, 55.0, 126.0),
    "arcface_w600k_r50": Twin(arcface, True, 43.6, 12.6),
    "gpen_bfr_256": Twin(partial(gpen, size=256, narrow=0.5, multiplier=1), True, 18.9, 17.4),
    "gpen_bfr_512": Twin(gpen, True, 71.0, 276.0),
    "gfpgan_1.4": Twin(gfpgan, True, 86.4, 396.0),
    "codeformer": Twin(codeformer, True, 94.1, 810.0),
    "ghost_1_256": Twin(swapper(256)),
    "hififace_unofficial_256": Twin(swapper(256)),
    "simswap_unofficial_512": Twin(
        interface((("input", (1, 3, 512, 512)), ("onnx::Gemm_1", (1, 512))), (("output", (1, 3, 512, 512)),), "Sigmoid")
    ),
    "blendswap_256": Twin(
        interface(
            (("source", (1, 3, 112, 112)), ("target", (1, 3, 256, 256))), (("output", (1, 3, 256, 256)),), "Sigmoid"
        )
    ),
    "uniface_256": Twin(
        interface((("source", (1, 3, 256, 256)), ("target", (1, 3, 256, 256))), (("output", (1, 3, 256, 256)),))
    ),
    "crossface": Twin(interface((("input", (1, 512)),), (("output", (1, 512)),))),
    "restoreformer_plus_plus": Twin(restorer(512)),
    "gpen_bfr_1024": Twin(restorer(1024)),
    "xseg": Twin(interface((("input", ("N", 256, 256, 3)),), (("output", ("N", 256, 256, 1)),), "Sigmoid")),
    "occluder": Twin(interface((("img", (1, 3, 256, 256)),), (("output", (1, 1, 256, 256)),), "")),
    "bisenet_resnet_34": Twin(interface((("input", (1, 3, 512, 512)),), (("output", (1, 19, 512, 512)),), "")),
    "dfm_224": Twin(
        interface(
            (("in_face:0", ("N", 224, 224, 3)),),
            (
                ("out_face_mask:0", ("N", 224, 224, 1)),
                ("out_celeb_face:0", ("N", 224, 224, 3)),
                ("out_celeb_face_mask:0", ("N", 224, 224, 1)),
            ),
            "Sigmoid",
        )
    ),
    "2dfan4": Twin(
        interface((("input", (1, 3, 256, 256)),), (("landmarks", (1, 68, 3)), ("heatmaps", (1, 68, 64, 64))), "Sigmoid")
    ),
    "2d106det": Twin(interface((("data", ("None", 3, 192, 192)),), (("fc1", ("None", 212)),))),
    "det_10g": Twin(detector(("448", "471", "494", "451", "474", "497", "454", "477", "500"), 640, 2)),
}


def write_twin(name: str, path: Path, *, width: float = 1.0, seed: int = 1) -> Path:
    """Write a twin's ONNX file. Returns: the path.

    Args: width 1 for full size, `SMALL` for tests.
    Raises: UsageError for a name that is none.
    """
    if name not in TWINS:
        raise UsageError(f"no twin {name}; there are: {', '.join(sorted(TWINS))}")
    twin = TWINS[name]
    net = Net(opset=twin.opset, seed=seed)
    twin.write(net, width)
    net.save(path)
    return path
