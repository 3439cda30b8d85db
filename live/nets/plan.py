"""From a graph to a list of steps for torch, for one size of input and any number of rows.

Everything that depends only on weights and shapes is computed here, once. Knows nothing of devices or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from live.errors import ModelError
from live.nets.graph import MOST_ELEMENTS, Graph, Node
from live.nets.operators import OPERATORS
from live.nets.operators.call import Call, Made, MixedRowsError, Value

HEAVY = {"Conv", "ConvTranspose", "live.ModulatedConv", "live.Layers", "MatMul", "Gemm", "Einsum"}
"""Operators in which a network's work is; what comes after the last of them is done in float32."""
TRIED_ROWS = 3


@dataclass(frozen=True)
class Step:
    """One thing to run."""

    name: str
    op: str
    run: Callable[..., Any]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    frees: tuple[int, ...]
    """Slots that no later step reads."""
    shape: Callable[..., Any] | None = None
    """What `run` gives on shapes alone; None: run itself tells."""


@dataclass(frozen=True)
class Constant:
    """A tensor that steps read: a weight, or what was worked out from the shapes."""

    name: str
    tensor: Tensor
    slot: int


@dataclass(frozen=True)
class Plan:
    """Steps over numbered slots; the inputs are in the first ones."""

    steps: tuple[Step, ...]
    constants: tuple[Constant, ...]
    slots: int
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    """Of the outputs, for one row."""
    shared: tuple[bool, ...]
    """Which outputs are the same for all rows and have to be repeated."""
    freed: bool
    """Whether any number of rows is taken; else one."""


def constants_of(graph: Graph) -> dict[str, Value]:
    """The weights as torch tensors on the host: floats become float32, tensors (read from a cache) stay as they are."""
    return {
        name: Value(array if isinstance(array, Tensor) else _tensor(array), constant=True)
        for name, array in graph.weights.items()
    }


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ModelError(f"a weight of type {array.dtype.name} is not run here")
    if array.dtype.name in ("float16", "float64", "bfloat16"):
        array = array.astype(np.float32)
    return torch.tensor(array)


def fold_node(node: Node, inputs: Sequence[Value | None], opset: int, dtype: torch.dtype = torch.float32) -> Made:
    """An operator with what is known of its inputs. Raises: ModelError for an unknown operator; MixedRowsError."""
    build = OPERATORS.get(node.op)
    if build is None:
        raise ModelError(f"the operator {node.op} ({node.name}) is not known to the torch backend; use onnxruntime")
    try:
        return build(Call(node, inputs, opset, dtype))
    except (MixedRowsError, ModelError):
        raise
    except Exception as error:  # attributes of the wrong kind, from a broken file
        raise ModelError(f"{node.op} ({node.name}) is broken: {' '.join(str(error).split())[:120]}") from None


def run_made(node: Node, made: Made, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Run once; a tuple per output. Raises: ModelError when shapes do not fit."""
    try:
        on_shapes = made.shape is not None and tensors[0].is_meta
        result = made.shape(*tensors) if on_shapes and made.shape else made.run(*tensors)
    except ModelError:
        raise
    except Exception as error:  # torch's complaints about shapes
        raise ModelError(f"{node.op} ({node.name}) does not fit: {' '.join(str(error).split())[:160]}") from None
    outputs = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    for tensor in outputs:
        if tensor.numel() > MOST_ELEMENTS:
            raise ModelError(f"{node.op} ({node.name}) makes {tensor.numel()} numbers, which is more than is allowed")
    return outputs


def make_plan(
    graph: Graph,
    constants: Mapping[str, Value],
    shapes: Sequence[tuple[int, ...]],
    dtype: torch.dtype,
    wide: frozenset[str] = frozenset(),
) -> Plan:
    """Plan a network.

    Args: constants from `constants_of`; shapes of the inputs for one row; dtype of the floats; wide names the nodes
    that run in float32 all the same.
    Returns: a plan for any number of rows, or for one row where rows cannot be told apart.
    Raises: ModelError, one line.
    """
    wide |= tail(graph) | lines(graph)
    try:
        plan = _Planner(graph, constants, dtype, wide, free=True).make(shapes)
        _try_rows(plan, graph, shapes, dtype)
        return plan
    except MixedRowsError:
        return _Planner(graph, constants, dtype, wide, free=False).make(shapes)


def tail(graph: Graph) -> frozenset[str]:
    """Nodes after the last heavy one on their way: coordinates and colours, few numbers that half precision would
    round to half a pixel.
    """
    before: set[str] = set()
    after: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op in HEAVY or before & set(node.outputs):
            before |= set(node.inputs)
        else:
            after.add(node.name)
    return frozenset(after)


def lines(graph: Graph) -> frozenset[str]:
    """Nodes between a product and the norms that alone read it, as gains and shifts: one cast instead of one each."""
    others = {port.name for port in graph.outputs}
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op not in HEAVY and not others & set(node.outputs) and found & set(node.outputs):
            found |= set(node.inputs)
            continue
        norm = node.op == "live.Standardise"
        found |= set(node.inputs[1:]) if norm else set()
        others |= set(node.inputs[:1] if norm else node.inputs)
    return frozenset(node.name for node in graph.nodes if node.op not in HEAVY and set(node.outputs) & (found - others))


class _Planner:
    """Walks the graph once; holds what is known of every value."""

    def __init__(
        self, graph: Graph, constants: Mapping[str, Value], dtype: torch.dtype, wide: frozenset[str], *, free: bool
    ) -> None:
        self._graph = graph
        self._known: dict[str, Value] = dict(constants)
        self._names = {id(value): name for name, value in constants.items()}
        self._dtype, self._wide, self._free = dtype, wide, free
        self._slots: dict[tuple[int, torch.dtype | None], int] = {}
        self._held: list[Value] = []  # ids stay unique while the values live
        self._steps: list[Step] = []
        self._constants: list[Constant] = []
        self._count = 0

    def make(self, shapes: Sequence[tuple[int, ...]]) -> Plan:
        for port, shape in zip(self._graph.inputs, shapes):
            kind = getattr(torch, port.dtype, torch.float32)
            kind = self._dtype if kind.is_floating_point else kind
            rows = 0 if self._free and port.shape and port.shape[0] is None else None
            value = Value(torch.empty(shape, dtype=kind, device="meta"), rows=rows)
            self._known[port.name] = value
            self._slot_of(value, value.tensor.dtype)
        for node in self._graph.nodes:
            self._add(node)
        outputs = [self._known[port.name] for port in self._graph.outputs]
        if any(value.rows not in (0, None) for value in outputs):
            raise MixedRowsError
        slots = tuple(self._output(value) for value in outputs)
        return Plan(
            _freeing(self._steps, set(slots)),
            tuple(self._constants),
            self._count,
            slots,
            tuple(value.shape for value in outputs),
            tuple(value.rows is None for value in outputs),
            self._free,
        )

    def _add(self, node: Node) -> None:
        inputs = [self._known[name] if name else None for name in node.inputs]
        dtype = torch.float32 if node.name in self._wide else self._dtype
        made = fold_node(node, inputs, self._graph.opset, dtype)
        if all(value.constant for value in made.takes):
            tensors = run_made(node, made, [value.tensor for value in made.takes])
            results = [Value(tensor, constant=True) for tensor in tensors]
        else:
            kinds = [value.tensor.dtype if at in made.kept else dtype for at, value in enumerate(made.takes)]
            takes = tuple(self._slot_of(value, kind) for value, kind in zip(made.takes, kinds))
            metas = [_meta(value, kind) for value, kind in zip(made.takes, kinds)]
            results = [Value(t, rows=rows) for t, rows in zip(run_made(node, made, metas), made.rows)]
            gives = tuple(self._slot_of(value, value.tensor.dtype) for value in results)
            self._steps.append(Step(node.name, node.op, made.run, takes, gives, (), made.shape))
        for name, value in zip(node.outputs, results):
            if name:
                self._known[name] = value

    def _slot_of(self, value: Value, dtype: torch.dtype) -> int:
        """The slot of a value in the type a step wants; constants and casts are entered on first use."""
        kind = dtype if value.floating else value.tensor.dtype
        key = (id(value), kind)
        if key in self._slots:
            return self._slots[key]
        own = (id(value), value.tensor.dtype)
        slot = self._count
        if value.constant:
            name = self._names.get(id(value), f"{self._steps[-1].name if self._steps else 'first'}.{slot}")
            self._constants.append(Constant(f"{name}:{kind}".replace("torch.", ""), value.tensor.to(kind), slot))
        elif own in self._slots and kind != value.tensor.dtype:
            self._steps.append(Step("", "cast", lambda t: t.to(kind), (self._slots[own],), (slot,), ()))
        self._held.append(value)
        self._slots[key] = slot
        self._count += 1
        return slot

    def _output(self, value: Value) -> int:
        return self._slot_of(value, torch.float32)


def _meta(value: Value, dtype: torch.dtype) -> Tensor:
    kind = dtype if value.floating else value.tensor.dtype
    return torch.empty_like(value.tensor, dtype=kind, device="meta")


def _freeing(steps: Sequence[Step], kept: set[int]) -> tuple[Step, ...]:
    """Note with each step what is read for the last time, so that its memory serves the next."""
    seen = set(kept)
    result = []
    for step in reversed(steps):
        last = {slot for slot in (*step.takes, *step.gives) if slot not in seen}
        seen |= last
        result.append(replace(step, frees=tuple(sorted(last))))
    return tuple(reversed(result))


def _try_rows(plan: Plan, graph: Graph, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype) -> None:
    """Run the plan on shapes alone with three rows. Raises: MixedRowsError when an output does not have three rows."""
    values: list[Any] = [None] * plan.slots
    for index, (port, shape) in enumerate(zip(graph.inputs, shapes)):
        kind = getattr(torch, port.dtype, torch.float32)
        kind = dtype if kind.is_floating_point else kind
        full = (TRIED_ROWS, *shape[1:]) if port.shape and port.shape[0] is None else shape
        values[index] = torch.empty(full, dtype=kind, device="meta")
    for constant in plan.constants:
        values[constant.slot] = torch.empty_like(constant.tensor, device="meta")
    try:
        outputs = run_steps(plan, values, shapes=True)
    except RuntimeError:
        raise MixedRowsError from None
    for tensor, shape, shared in zip(outputs, plan.shapes, plan.shared):
        if tuple(tensor.shape) != ((TRIED_ROWS * shape[0], *shape[1:]) if shape and not shared else shape):
            raise MixedRowsError


def run_steps(plan: Plan, values: list[Any], *, shapes: bool = False) -> list[Tensor]:
    """Run all steps over the slots, which hold inputs and constants. Frees what is no longer read.

    Args: shapes tells that the slots hold tensors of the meta device.
    """
    for step in plan.steps:
        run = step.shape if shapes and step.shape else step.run
        result = run(*[values[slot] for slot in step.takes])
        if len(step.gives) == 1:
            values[step.gives[0]] = result[0] if isinstance(result, (tuple, list)) else result
        else:
            for slot, tensor in zip(step.gives, result):
                values[slot] = tensor
        for slot in step.frees:
            values[slot] = None
    return [values[slot] for slot in plan.outputs]
