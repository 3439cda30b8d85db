"""What is remembered of target faces on the device: tensors that go into a step and come out of it.

What track.look does, for a batch of faces, without asking the host. Which source face was worn before, and since when,
stays with the host. Knows the tables and what was seen; draws nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from live.swap.mesh import device_light, device_mask, device_shape
from live.swap.mesh.device_lens import Lens
from live.swap.mesh.device_shape import Pose
from live.swap.mesh.device_tables import Tables, ramp
from live.swap.mesh.topology import VERTICES
from live.swap.mesh.track import LAMP, SLOW


class State(NamedTuple):
    """What is remembered of N target faces, as in track.Track."""

    skin: Tensor
    """(N, K, 3) smooth skin colour."""
    bare: Tensor
    """(N, M) 0..1: what is not covered by hair."""
    depth: Tensor
    """(N,) of pupils and nostrils below the skin, log units."""
    built: Tensor
    """(N, 468, 3) proportions, canonical units."""
    certain: Tensor
    """(N,) how many neutral frames' worth `built` rests on."""
    lens: Lens
    """What their worn faces lack of the camera's blur and grain."""
    age: Tensor
    """(N,) int32 frames since the track began; -1: nothing is known yet."""


def fresh(count: int, tables: Tables) -> State:
    """Return the state of faces that were never seen. A track is forgotten by writing -1 into its `age`."""
    device, (cells, functions) = tables.basis.device, tables.basis.shape
    nothing = torch.zeros(count, device=device)
    return State(
        skin=torch.zeros(count, functions, 3, device=device),
        bare=torch.ones(count, cells, device=device),
        depth=torch.zeros(count, device=device),
        built=torch.zeros(count, VERTICES, 3, device=device),
        certain=torch.zeros(count, device=device),
        lens=Lens(nothing, nothing.clone(), torch.zeros(count, dtype=torch.bool, device=device)),
        age=torch.full((count,), -1, dtype=torch.int32, device=device),
    )


def look(
    known: State,
    picture: Tensor,
    extent: Tensor,
    landmarks: Tensor,
    facing: Tensor,
    pose: Pose,
    memory_frames: Tensor,
    tables: Tables,
) -> State:
    """Update what is known of targets, or begin: light in every frame, hair and proportions in every third.

    Args: picture (N, 3, S, S) with a region of extent (N, 2) rows, columns; landmarks (N, 468, 3) px of it;
        facing (N, T) cosine per triangle; memory_frames () time constant.
    """
    begun = known.age >= 0
    seen = device_light.observe(picture, extent, landmarks[..., :2], tables)
    trust = device_light.trust_in(facing, torch.where(begun[:, None], known.bare, 1), tables)
    skin = device_light.fit(seen, trust, known.skin, begun, tables)
    rate = 1 / memory_frames
    change = skin - known.skin
    lamp = ramp(change[:, 0].abs().amax(dim=-1), *LAMP)
    followed = known.skin + (rate + (1 - rate) * lamp)[:, None, None] * change
    skin = torch.where(begun[:, None, None], followed, skin)
    age = torch.where(begun, known.age + 1, 0)
    due = age % SLOW == 0
    rate = (SLOW / memory_frames).clamp(max=1)
    certain = device_shape.neutrality(landmarks, pose) + 1e-3
    share = certain / (certain + torch.minimum(known.certain, memory_frames))
    bare = device_mask.skin_seen(seen, skin, trust, tables)
    built = device_shape.proportions(landmarks, pose, tables)
    return State(
        skin,
        _mixed(known.bare, bare, rate, begun, due),
        _mixed(known.depth, device_light.depth(seen, skin, tables), rate, begun, due),
        _mixed(known.built, built, share, begun, due),
        torch.where(due, certain + torch.where(begun, known.certain, 0), known.certain),
        Lens(known.lens.blur_px, known.lens.grain, known.lens.known & begun),
        age,
    )


def _mixed(old: Tensor, new: Tensor, rate: Tensor, begun: Tensor, due: Tensor) -> Tensor:
    """Lead old values (N, ...) to new ones by rate, () or (N,), where due (N,); where not begun take the new ones."""
    begun, due, rate = (each.reshape(-1, *[1] * (old.ndim - 1)) for each in (begun, due, rate))
    return torch.where(due, torch.where(begun, old + rate * (new - old), new), old)


def chosen(takes: Tensor, new: State, old: State) -> State:
    """Return the new state where takes (N,) bool, else the old one."""

    def choose(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(takes.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    lens = Lens(*(choose(one, other) for one, other in zip(new.lens, old.lens)))
    rest = {name: choose(getattr(new, name), getattr(old, name)) for name in State._fields if name != "lens"}
    return State(**rest, lens=lens)


def of_rows(tables: State, rows: Tensor) -> State:
    """Return the states in rows (N,) of tables."""
    lens = Lens(*(part[rows] for part in tables.lens))
    return State(**{name: getattr(tables, name)[rows] for name in State._fields if name != "lens"}, lens=lens)


def store(tables: State, rows: Tensor, new: State) -> None:
    """Write the states of N faces into rows (N,) of tables, in place."""
    for name in State._fields:
        table, values = getattr(tables, name), getattr(new, name)
        for into, value in zip(table, values) if isinstance(table, Lens) else ((table, values),):
            into.index_copy_(0, rows, value)
