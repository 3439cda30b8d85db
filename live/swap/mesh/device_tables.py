"""What is known of every face before any is seen, as tensors: the mesh, the canvas and the tables of the host's stages.

Uploaded once. Knows the host's tables; knows nothing about pictures. Imports torch: only the device's path comes here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from live.swap.mesh.canvas import Canvas, load_canvas
from live.swap.mesh.iris import SPOTS
from live.swap.mesh.light import _SKIN_TINTS
from live.swap.mesh.pose import _centred
from live.swap.mesh.shape import _parts
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIDS_LEFT, LIDS_RIGHT, LIPS_INNER
from live.values import Floats

Bound = float | Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Constants of the step. P points, T triangles, M cells on the face, K light functions, as on the host's canvas."""

    triangles: Tensor
    """(T, 3) int64: first the face's, then the ring's."""
    canvas: Tensor
    """(P, 2) texture coordinates, 0..1."""
    positions: Tensor
    """(468, 3) of the canonical face."""
    outline: Tensor
    """(36,) int64."""
    mirror: Tensor
    """(468,) int64."""
    flat: Tensor
    """(468, 3) the canonical face about its middle, ..."""
    middle: Tensor
    """... (3,) that middle, ..."""
    length: Tensor
    """... and () its sum of squares."""
    horn: Tensor
    """(9, 16): from products of coordinates to Horn's symmetric matrix of quaternions."""
    turn: Tensor
    """(16, 9): from a quaternion's products with itself to the rotation."""
    triangle: Tensor
    """(M,) int64."""
    corners: Tensor
    """(M, 3) int64."""
    weights: Tensor
    """(M, 3)."""
    basis: Tensor
    """(M, K)."""
    basis_everywhere: Tensor
    """(GRID * GRID, K)."""
    basis_of_skin: Tensor
    """(K,): the mean of plain skin."""
    stiffness: Tensor
    """(K,)."""
    tints: Tensor
    """(2, 3) least and most of skin in white light, log units, BGR."""
    skin: Tensor
    """(M,) 0..1."""
    features: Tensor
    """(F,) int64: the cells of M that are not plain skin."""
    hair: Tensor
    """(M,) 0..1."""
    depth: Tensor
    """(GRID * GRID, 1) distance to the outline."""
    nearest: Tensor
    """(GRID * GRID,) int64."""
    smoothing: Tensor
    """(468, 468) of proportions."""
    lips: Tensor
    """(468, 1) 0..1."""
    lips_core: Tensor
    """(468,) sums to 1: the mean over the lips themselves."""
    jaw: Tensor
    """(468, 1) 0..1."""
    eyes: Tensor
    """(2, 16) int64: the openings."""
    lids: Tensor
    """(2, 16) int64: the creases around them."""
    mouth: Tensor
    """(20,) int64: the inner lips."""
    spots: Tensor
    """(48, 2) where an iris's colour is looked at, in its radii."""

    def on(self, device: torch.device | str) -> Tables:
        """Return the same tables on a device."""
        return Tables(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def load_tables(device: torch.device | str = "cpu") -> Tables:
    """Build the tables from the host's canvas."""
    canvas: Canvas = load_canvas()
    topology = canvas.topology
    flat, middle, length = _centred(topology)
    smoothing, lips, jaw = _parts()
    core = (lips > 0.99).astype(np.float32)
    arrays = {
        "triangles": topology.triangles,
        "canvas": topology.canvas,
        "positions": topology.positions,
        "outline": topology.outline,
        "mirror": topology.mirror,
        "flat": flat,
        "middle": middle,
        "length": np.float32(length),
        "horn": _HORN,
        "turn": _TURN,
        "triangle": canvas.triangle,
        "corners": canvas.corners,
        "weights": canvas.weights,
        "basis": canvas.basis,
        "basis_everywhere": canvas.basis_everywhere,
        "basis_of_skin": canvas.skin @ canvas.basis / canvas.skin.sum(),
        "stiffness": canvas.stiffness,
        "tints": _SKIN_TINTS,
        "skin": canvas.skin,
        "features": np.flatnonzero(canvas.skin < 0.5),
        "hair": canvas.hair,
        "depth": canvas.depth.reshape(-1, 1),
        "nearest": canvas.nearest,
        "smoothing": smoothing,
        "lips": lips[:, None],
        "lips_core": core / core.sum(),
        "jaw": jaw[:, None],
        "eyes": np.array((EYE_LEFT, EYE_RIGHT)),
        "lids": np.array((LIDS_LEFT, LIDS_RIGHT)),
        "mouth": np.array(LIPS_INNER),
        "spots": SPOTS,
    }
    return Tables(**{name: _tensor(array) for name, array in arrays.items()}).on(device)


def ramp(values: Tensor, low: Bound, high: Bound) -> Tensor:
    """Return the smooth step (3 t^2 - 2 t^3) from 0 at `low` to 1 at `high`."""
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t.square() * torch.rsub(t, 3, alpha=2)


def _tensor(array: np.ndarray) -> Tensor:
    whole = np.issubdtype(array.dtype, np.integer)
    return torch.from_numpy(np.array(array, np.int64 if whole else np.float32))


def _horn() -> Floats:
    """Source: closed-form absolute orientation by unit quaternions, Horn 1987; products come as to, from."""
    out = np.zeros((3, 3, 4, 4), np.float32)  # [to axis, from axis, row, column]
    for axis in range(3):
        out[axis, axis, 0, 0] = 1
        for row in range(3):
            out[axis, axis, 1 + row, 1 + row] = 1 if row == axis else -1
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        # the vector part w, third: from[first] to[second] - from[second] to[first]
        for row, column in ((0, 1 + third), (1 + third, 0)):
            out[second, first, row, column], out[first, second, row, column] = 1, -1
        for row, column in ((1 + first, 1 + second), (1 + second, 1 + first)):
            out[second, first, row, column] = out[first, second, row, column] = 1
    return out.reshape(9, 16)


def _turn() -> Floats:
    """The rotation of a unit quaternion (w, x, y, z), linear in its products with itself."""
    out = np.zeros((4, 4, 3, 3), np.float32)
    for row in range(3):
        out[0, 0, row, row] = 1
        for axis in range(3):
            out[1 + axis, 1 + axis, row, row] = 1 if axis == row else -1
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[1 + first, 1 + second, first, second] = out[1 + first, 1 + second, second, first] = 2
        out[0, 1 + third, first, second], out[0, 1 + third, second, first] = -2, 2
    return out.reshape(16, 9)


_HORN, _TURN = _horn(), _turn()
