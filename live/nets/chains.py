"""Looking along the edges of a graph, and replacing a chain by its last node. Knows no pattern."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from live.nets.contract import Array
from live.nets.graph import Graph, Node

SHAPING = {"Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten"}
"""Operators that keep the entries in their order."""


class Chains:
    """A graph with its edges, and the replacements made so far."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._weights: dict[str, Array] = dict(graph.weights)
        self._makers = {name: node for node in graph.nodes for name in node.outputs}
        self._readers: dict[str, list[Node]] = defaultdict(list)
        self._counts: Counter[str] = Counter(port.name for port in graph.outputs)
        for node in graph.nodes:
            self._counts.update(node.inputs)
            for name in dict.fromkeys(node.inputs):
                self._readers[name].append(node)
        self._replaced: dict[str, Node] = {}

    def alive(self, node: Node) -> bool:
        """Whether the node has not been replaced."""
        return node.name not in self._replaced

    def maker(self, name: str) -> Node | None:
        """The node that makes a value."""
        return self._makers.get(name)

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a value."""
        return self._readers[name]

    def count(self, name: str) -> int:
        """How often a value is read, as an output of the network too."""
        return self._counts[name]

    @staticmethod
    def uses(name: str, *nodes: Node) -> int:
        """How often these nodes read a value."""
        return sum(node.inputs.count(name) for node in nodes)

    def only_reader(self, name: str, op: str) -> Node | None:
        """The node that alone, and once, reads a value, if it has this operator."""
        readers = self._readers[name]
        return readers[0] if self._counts[name] == 1 and readers and readers[0].op == op else None

    def weight(self, name: str) -> Array | None:
        """The numbers of a weight."""
        return self._weights.get(name)

    def number(self, name: str) -> float | None:
        """The value of a weight of one number."""
        array = self._weights.get(name)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    @staticmethod
    def other(node: Node, name: str) -> str:
        """The other one of a node's two inputs."""
        return node.inputs[1] if node.inputs[0] == name else node.inputs[0]

    def number_beside(self, node: Node | None, name: str) -> float | None:
        """The number that a node of two inputs combines with a value."""
        return None if node is None else self.number(self.other(node, name))

    def axes(self, node: Node) -> list[int] | None:
        """The axes of a reduction, where they are known."""
        if "axes" in node.attributes:
            return [int(axis) for axis in node.attributes["axes"]]
        array = self._weights.get(node.inputs[1]) if len(node.inputs) > 1 else None
        return None if array is None else [int(axis) for axis in array.reshape(-1)]

    def is_square(self, node: Node, name: str) -> bool:
        """Whether a node squares a value."""
        if node.op == "Mul":
            return node.inputs == (name, name)
        return node.op == "Pow" and node.inputs[0] == name and self.number(node.inputs[1]) == 2.0

    def per_channel(self, name: str) -> bool:
        """Whether a value plainly has four axes of which height and width are one."""
        array = self._weights.get(name)
        if array is not None:
            return array.ndim in (3, 4) and array.shape[-2:] == (1, 1) and (array.ndim == 3 or array.shape[0] == 1)
        node, rank = self.maker(name), 4
        while node is not None and node.op in ("Slice", "Split", "Identity", "Add", "Mul", "Gather"):
            if node.op in ("Add", "Mul"):
                rest = [item for item in node.inputs if self.number(item) is None]
                if len(rest) != 1:
                    return False
                node = self.maker(rest[0])
                continue
            # Cut along the channels, or taken from an axis before them.
            if node.op == "Gather":
                if node.attributes.get("axis", 0) != 1 or rank != 4:
                    return False
                rank = 5
            node = self.maker(node.inputs[0])
        return node is not None and self._ends_in_ones(node, rank)

    def _ends_in_ones(self, node: Node, rank: int) -> bool:
        """Whether a node lays a value out with this many axes, of which the last two are one."""
        if node.op == "Reshape":
            shape = as_shape(self._weights.get(node.inputs[1]))
            return len(shape) == rank and shape[-2:] == (1, 1)
        axes: list[int] = []
        made: Node | None = node
        while made is not None and made.op == "Unsqueeze":
            axes += self.axes(made) or [0]
            made = self.maker(made.inputs[0])
        return rank == 4 and sorted(axes) == [2, 3] and made is not None and made.op == "Gemm"

    def root(self, name: str) -> str:
        """The value a value is laid out from."""
        node = self.maker(name)
        while node is not None and node.op in SHAPING:
            name = node.inputs[0]
            node = self.maker(name)
        return name

    def add_weight(self, name: str, array: Array) -> str:
        """Enter a weight. Returns: its name."""
        while name in self._weights or name in self._makers:
            name += "'"
        self._weights[name] = array
        return name

    def replace(self, node: Node, made: Node) -> None:
        """Put a node in another's place; what only the old one read falls away with `result`."""
        self._replaced[node.name] = made

    def result(self) -> Graph:
        """The graph with all replacements."""
        nodes = tuple(self._replaced.get(node.name, node) for node in self._graph.nodes)
        return replace(self._graph, nodes=nodes, weights=self._weights).pruned()


def as_shape(array: Array | None) -> tuple[int, ...]:
    """A weight that holds a shape, as numbers; empty where there is none."""
    return () if array is None else tuple(int(size) for size in np.asarray(array).reshape(-1))
