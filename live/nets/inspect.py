"""Looking at an ONNX file that somebody else made, before any library opens it.

Says what it takes and gives without reading its weights, and refuses, in one line, what is broken, what needs operators
from elsewhere, what reaches for files outside its folder, and what is beyond all measure. Runs nothing. A file that
passes is well formed and bounded; that a library which loads it has no fault of its own is not promised.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, field
from pathlib import Path

from live.errors import ModelError
from live.nets.strangers import refuse_strangers, shown
from live.nets.tensors import MOST_NAME_BYTES, Tensor, read_port, read_weight
from live.nets.wire import Field, Walker, WireError

MOST_NODES = 50_000
MOST_TENSORS = 50_000
MOST_DEPTH = 8
"""Of graphs inside graphs (If, Loop, Scan)."""
MOST_PORTS = 64
MOST_IR_VERSION = 99
DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
"""Sets of operators that ONNX Runtime brings; others would be code from elsewhere."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What an ONNX file says about itself."""

    inputs: tuple[Tensor, ...]
    """What a caller has to give; weights that old files list among them are left out."""
    outputs: tuple[Tensor, ...]
    opset: int
    nodes: int
    operators: frozenset[str]
    parameters: int
    """Numbers in its initialisers."""
    last: Tensor | None
    """The last initialiser: inswapper keeps its emap there."""
    external: tuple[str, ...]
    """Further files that hold weights, all inside the file's folder."""


def inspect_onnx(path: Path) -> OnnxFile:
    """Look at an ONNX file (also `.dfm`). Raises: ModelError, one line, for anything else or anything suspicious."""
    refuse_strangers(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Model(path, Walker(data)).read(len(data))
    except (OSError, ValueError) as error:
        if isinstance(error, WireError):
            raise ModelError(f"{path.name} is no whole ONNX file ({error}); get it again from where it came") from None
        raise ModelError(f"{path.name} cannot be read ({error}); allow it and try again") from None


class _Model:
    """One file being looked at; counts what all its graphs hold together."""

    def __init__(self, path: Path, walker: Walker) -> None:
        self._path, self._walk = path, walker
        self._nodes = self._tensors = self._parameters = self._opset = 0
        self._operators: set[str] = set()
        self._domains = set(DOMAINS)
        self._external: dict[str, None] = {}
        self._main = _Graph()

    def read(self, size: int) -> OnnxFile:
        """Everything, from the top. Raises: WireError, ModelError."""
        graphs, functions, versions = [], [], []
        for part in self._walk.fields(0, size):
            if part.number == 1:
                versions.append(part.whole())
            elif part.number == 7:
                graphs.append(part.message())
            elif part.number == 8:
                self._opset_of(part.message())
            elif part.number == 20:
                raise ModelError(f"{self._path.name} carries a training graph; export it for inference")
            elif part.number == 25:
                functions.append(part.message())
        if not graphs or not versions or not 0 < versions[-1] <= MOST_IR_VERSION:
            raise WireError("it holds no graph")
        self._functions(functions)
        for part in graphs:
            self._graph(part, 0, self._main)
        main = self._main
        inputs = tuple(tensor for tensor in main.inputs if tensor.name not in main.weights)
        if not inputs or not main.outputs or not self._nodes:
            raise WireError("a graph without inputs, outputs or nodes")
        if len(inputs) > MOST_PORTS or len(main.outputs) > MOST_PORTS:
            raise self._beyond(f"more than {MOST_PORTS} inputs or outputs")
        return OnnxFile(
            inputs, tuple(main.outputs), self._opset, self._nodes, frozenset(self._operators), self._parameters,
            main.last, tuple(self._external),
        )  # fmt: skip

    def _opset_of(self, part: Field) -> None:
        domain, version = "", 0
        for inner in self._walk.fields(part.start, part.end):
            if inner.number == 1:
                domain = self._walk.text(inner, MOST_NAME_BYTES)
            elif inner.number == 2:
                version = inner.whole()
        if domain in ("", "ai.onnx"):
            self._opset = version

    def _functions(self, parts: list[Field]) -> None:
        """Operators that the file brings itself, made of known ones; they may use each other."""
        inners = [inner for part in parts for inner in self._walk.fields(part.start, part.end)]
        self._domains |= {self._walk.text(inner, MOST_NAME_BYTES) for inner in inners if inner.number == 10}
        for inner in inners:
            if inner.number == 7:
                self._node(inner.message(), 1)
            elif inner.number == 11:
                self._attribute(inner.message(), 1)

    def _graph(self, part: Field, depth: int, graph: _Graph) -> None:
        if depth > MOST_DEPTH:
            raise self._beyond(f"graphs inside graphs, more than {MOST_DEPTH} deep")
        for inner in self._walk.fields(part.start, part.end):
            if inner.number == 1:
                self._node(inner.message(), depth)
            elif inner.number == 5:
                graph.last = self._weight(inner.message())
                graph.weights.add(graph.last.name)
                self._parameters += math.prod(size or 0 for size in graph.last.shape)
            elif inner.number == 15:
                self._sparse(inner.message())
            elif inner.number in (11, 12):
                ports = graph.inputs if inner.number == 11 else graph.outputs
                if len(ports) > MOST_TENSORS:
                    raise self._beyond(f"more than {MOST_TENSORS} inputs")
                ports.append(read_port(self._walk, inner.message()))

    def _node(self, part: Field, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._beyond(f"more than {MOST_NODES} nodes")
        for inner in self._walk.fields(part.start, part.end):
            if inner.number == 4:
                self._operators.add(self._walk.text(inner, MOST_NAME_BYTES))
            elif inner.number == 7:
                domain = self._walk.text(inner, MOST_NAME_BYTES)
                if domain not in self._domains:
                    raise ModelError(
                        f"{self._path.name} needs operators of the set {shown(domain)}, which live does not have; "
                        "export it with the standard operators"
                    )
            elif inner.number == 5:
                self._attribute(inner.message(), depth)

    def _attribute(self, part: Field, depth: int) -> None:
        for inner in self._walk.fields(part.start, part.end):
            if inner.number in (5, 10):
                self._weight(inner.message())
            elif inner.number in (6, 11):
                self._graph(inner.message(), depth + 1, _Graph())
            elif inner.number in (22, 23):
                self._sparse(inner.message())

    def _sparse(self, part: Field) -> None:
        for inner in self._walk.fields(part.start, part.end):
            if inner.number in (1, 2):
                self._weight(inner.message())

    def _weight(self, part: Field) -> Tensor:
        self._tensors += 1
        if self._tensors > MOST_TENSORS:
            raise self._beyond(f"more than {MOST_TENSORS} tensors")
        tensor, location = read_weight(self._walk, part, self._path)
        if location is not None:
            self._external[location] = None
        return tensor

    def _beyond(self, what: str) -> ModelError:
        return ModelError(f"{self._path.name} has {what}; that is no network for faces")


@dataclass(slots=True)
class _Graph:
    """What is gathered of one graph."""

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    last: Tensor | None = None
