"""The networks `live bench precision` runs: our embedded ones, twins of the field's, or any ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from live.bench.precision_wish import OURS
from live.bench.twins import TWINS, write_twin
from live.errors import UsageError
from live.nets.graph import Graph, read_graph
from live.nets.selftest import calibration
from live.nets.torch_graph import prepare
from live.resources import models_dir, people_dir
from live.values import Pixels

DETECTOR_SIZE = (192, 320)
"""Height and width of the thumbnail it looks at."""


@dataclass(frozen=True)
class Subject:
    """A network to be measured."""

    name: str
    graph: Graph
    trained: bool
    """Ours, on real faces; a twin has random weights."""
    picture: int | None
    """Which output is a picture (or a mask), whose PSNR means something."""


def load_subject(name: str, folder: Path, width: float = 1.0) -> Subject:
    """Load or make a network.

    Args: name of ours, of a twin, or of an ONNX file; folder takes a twin's file; width of twins.
    Raises: UsageError for a name that is none; ModelError.
    """
    if name in OURS:
        path = models_dir() / f"{name}.onnx"
    elif name in TWINS:
        path = write_twin(name, folder / f"{name}.onnx", width=width)
    elif Path(name).suffix == ".onnx":
        path = Path(name)
    else:
        raise UsageError(f"no network {name}; there are {', '.join((*OURS, *TWINS))}, or give an ONNX file")
    graph = prepare(read_graph(path))
    if name in TWINS:
        path.unlink()
    outputs = enumerate(graph.outputs)
    pictures = [i for i, port in outputs if name == "masker" or (len(port.shape) == 4 and port.shape[1] in (1, 3))]
    return Subject(name, graph, name in OURS, pictures[0] if pictures else None)


def inputs_for(subject: Subject, rows: int) -> list[Tensor]:
    """What it is run on: bundled people for ours, soft random pictures for the rest; on the host."""
    if subject.name not in OURS:
        return calibration(subject.graph.inputs, rows)
    people = _people(rows)
    if subject.name != "detector":
        patches = [cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA) for picture in people]
        return [torch.from_numpy(np.stack(patches))]
    height, width = DETECTOR_SIZE
    frames = np.full((rows, height, width, 3), 90, np.uint8)
    for frame, picture in zip(frames, people):
        frame[24:168, 80:224] = cv2.resize(picture, (144, 144), interpolation=cv2.INTER_AREA)
    return [torch.from_numpy(frames)]


def _people(rows: int) -> list[Pixels]:
    """(512, 512, 3) BGR each."""
    files = sorted(people_dir().glob("*.webp"))
    pictures = [np.asarray(cv2.imread(str(file)), np.uint8) for file in files[:rows]]
    return [pictures[row % len(pictures)] for row in range(rows)]
