"""Tries a network at each precision against float32 on the device that will run it, and remembers what it chose."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from live.nets.contract import Port
from live.nets.graph import Graph
from live.nets.plan import HEAVY
from live.nets.precision import Choice, DeviceFacts, Verdict, choose, ladder, narrow_down, overflowing
from live.nets.torch_graph import TorchGraph
from live.nets.torch_math import multiplying

log = logging.getLogger(__name__)

ROOM = 4.0
"""Half precision holds 65 504; a frame may bring that many times what the calibration brought."""
OPEN_SIZE = 256
"""Height and width of the calibration where a network leaves them open."""


def facts_of(device: torch.device) -> DeviceFacts:
    """What torch knows of a device."""
    if device.type != "cuda":
        return DeviceFacts(device.type)
    if torch.version.hip:
        # Matrix cores differ from card to card there, and capability numbers mean something else.
        return DeviceFacts("rocm", torch.cuda.get_device_name(device))
    return DeviceFacts("cuda", torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device))


def calibration(ports: Sequence[Port], rows: int = 1, seed: int = 0) -> list[Tensor]:
    """Inputs such as a network meets: soft pictures with grain, unit vectors, numbers between 0 and 1.

    Returns: one tensor per port, on the host. Pictures are -1..1 (0..255 for uint8), which every normalisation of the
    field lies within.
    """
    random = np.random.default_rng(seed)
    tensors = []
    for port in ports:
        free = port.shape[:1] == (None,)
        shape = [rows if free and axis == 0 else size or OPEN_SIZE for axis, size in enumerate(port.shape)]
        if len(shape) == 4:
            flat = port.shape[3] in (1, 3) and port.shape[1] not in (1, 3)
            n, c, h, w = (shape[0], shape[3], shape[1], shape[2]) if flat else shape
            coarse = torch.from_numpy(random.uniform(-1, 1, (n, c, 6, 6)).astype(np.float32))
            picture = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic", align_corners=False)
            picture += torch.from_numpy(random.normal(0, 0.05, (n, c, h, w)).astype(np.float32))
            value = (picture.permute(0, 2, 3, 1) if flat else picture).clamp(-1, 1).contiguous()
            value = value if port.dtype.startswith("float") else value * 127.5 + 127.5
        elif len(shape) == 2:
            vector = torch.from_numpy(random.normal(0, 1, shape).astype(np.float32))
            value = vector / vector.norm(dim=1, keepdim=True)
        else:
            value = torch.from_numpy(random.uniform(0, 1, shape).astype(np.float32))
        tensors.append(value.to(getattr(torch, port.dtype)))
    return tensors


def compare(outputs: Sequence[Tensor], reference: Sequence[Tensor]) -> Verdict:
    """How near outputs are to a reference: the worst output's ||a - b|| / ||b||."""
    finite, worst = True, 0.0
    for tensor, wanted in zip(outputs, reference):
        a, b = tensor.double().cpu(), wanted.double().cpu()
        finite = finite and bool(torch.isfinite(a).all())
        worst = max(worst, float((a - b).norm() / b.norm().clamp_min(1e-12)))
    return Verdict(finite, worst if finite else float("inf"))


def largest_numbers(module: TorchGraph, inputs: Sequence[Tensor]) -> dict[str, float]:
    """Run a float32 module once. Returns: per node the largest magnitude among its inputs and outputs."""
    plan = module.plan_for(*inputs)
    values = module.slots_for(plan, inputs)
    seen: dict[str, float] = {}
    for step in plan.steps:
        result = step.run(*[values[slot] for slot in step.takes])
        made = list(result) if isinstance(result, (tuple, list)) else [result]
        for slot, tensor in zip(step.gives, made):
            values[slot] = tensor
        if step.name:
            floats = [t for t in (*(values[slot] for slot in step.takes), *made) if t.is_floating_point() and t.numel()]
            seen[step.name] = max((float(t.abs().max()) for t in floats), default=0.0)
        for slot in step.frees:
            values[slot] = None
    return seen


def choose_precision(
    graph: Graph, device: torch.device, inputs: Sequence[Tensor] | None = None, remember: Path | None = None
) -> Choice:
    """Choose at start: fast where the network bears it.

    Args: graph from `prepare`; inputs: the caller's own calibration, else `calibration`'s; remember: a file that keeps
    the answer for the next start, see `memory_key`.
    """
    facts = facts_of(device)
    if len(ladder(facts)) == 1:
        return Choice("fp32")
    known = recall(remember)
    if known is not None:
        return known
    given = [tensor.to(device) for tensor in (calibration(graph.inputs) if inputs is None else inputs)]

    def run(precision: str, wide: frozenset[str]) -> tuple[Tensor, ...]:
        module = TorchGraph(graph, device=device, precision=precision, wide=wide)
        with torch.inference_mode(), multiplying(tf32=precision == "tf32"):
            return module(*given)

    reference = run("fp32", frozenset())

    def judge(precision: str, wide: frozenset[str]) -> Verdict:
        return compare(run(precision, wide), reference)

    def find_wide(precision: str) -> tuple[str, ...]:
        module = TorchGraph(graph, device=device)
        with torch.inference_mode():
            hot = overflowing(largest_numbers(module, given), torch.finfo(torch.float16).max / ROOM)
        if hot and judge(precision, frozenset(hot)).holds:
            return hot
        heavy = [node.name for node in graph.nodes if node.op in HEAVY]
        return narrow_down(heavy, lambda names: judge(precision, names | frozenset(hot)).holds) + tuple(hot)

    choice = choose(facts, judge, find_wide, len(graph.nodes))
    _remember(remember, choice)
    return choice


def memory_key(digest: str, facts: DeviceFacts, version: int) -> str:
    """Under which name a choice is kept: the model's hash, the device, torch's and the converter's version."""
    text = json.dumps([digest, asdict(facts), torch.__version__, version])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recall(path: Path | None) -> Choice | None:
    """A choice made before; None where there is none that can be read."""
    if path is None or not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text("utf-8"))
        verdict = Verdict(**kept["verdict"]) if kept["verdict"] else None
        refused = tuple((str(word), Verdict(**numbers)) for word, numbers in kept["refused"])
        return Choice(str(kept["precision"]), tuple(map(str, kept["wide"])), verdict, refused)
    except (ValueError, TypeError, KeyError, OSError) as error:
        log.debug("%s is no choice of a precision: %s", path, error)
        return None


def _remember(path: Path | None, choice: Choice) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(choice)), "utf-8")
    except OSError as error:
        log.warning("the precision's self-test cannot be remembered in %s: %s", path.parent, error.strerror)
