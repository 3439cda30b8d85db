"""The canonical canvas: a square in which every face lies the same way, with what is known about its places.

The canvas is the mesh's texture space. Two resolutions matter: the texture's (for colours) and a coarse grid of cells
(for light, hair and edges, which are smooth). Knows the topology; knows nothing about pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from live.swap.mesh import raster
from live.swap.mesh.raster import Ids
from live.swap.mesh.topology import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    LIPS_OUTER,
    NOSTRILS,
    VERTICES,
    Topology,
    load_topology,
)
from live.values import Floats

GRID = 48
"""Cells along one side of the coarse grid: one is about 2.7 % of the face's width."""
_BROW_TOP = 105
_FOREHEAD = (0.3, 1.2)  # canonical units above the brow where hair starts to be expected
_SIDES = (4.5, 5.8)  # the same, sideways from the middle


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """What is known about every cell of the coarse grid. M cells lie on the face."""

    topology: Topology
    cells: Ids
    """(M,) numbers of the face's cells in the flattened grid."""
    triangle: Ids
    """(M,) the triangle each lies in."""
    corners: Ids
    """(M, 3) its vertices."""
    weights: Floats
    """(M, 3) their barycentric weights."""
    basis: Floats
    """(M, K) smooth functions that light is made of; the first is 1."""
    basis_everywhere: Floats
    """(GRID * GRID, K): the same, continued beyond the face."""
    stiffness: Floats
    """(K,) how unwillingly each function is used."""
    skin: Floats
    """(M,) 0..1: plain skin, no brow, eye, lip or nostril."""
    mean: Floats
    """(K,) the mean of each function over plain skin."""
    hair: Floats
    """(M,) 0..1: forehead, temples and sides, where hair may hang into the face."""
    depth: Floats
    """(GRID, GRID): distance to the outline in shares of the canvas's side, positive inside."""
    nearest: Ids
    """(GRID * GRID,) for every cell the nearest one of the M."""

    def between(self, points: Floats) -> Floats:
        """Return the places (M, 2) of the face's cells between the vertices' places (468 or more, 2)."""
        corners = points.T.take(self.corners.T, axis=1)  # (2, 3, M)
        corners *= self.weights.T
        return np.ascontiguousarray(corners.sum(axis=1).T)

    def spread(self, values: Floats) -> Floats:
        """Put values (M, K) of the face's cells onto the grid, continued beyond the face.  Returns (GRID, GRID, K)."""
        return values[self.nearest].reshape(GRID, GRID, -1)


@lru_cache(maxsize=1)
def load_canvas() -> Canvas:
    """Build the canvas; later calls return the same object."""
    topology = load_topology()
    faces = topology.triangles[: topology.face_triangles]
    points = (topology.canvas * GRID - 0.5).astype(np.float32)
    seen = raster.draw(points, faces, np.arange(len(faces), dtype=np.int32), (GRID, GRID))
    cells = np.flatnonzero(seen.ravel() != raster.EMPTY).astype(np.int32)
    triangle = seen.ravel()[cells]
    corners = faces[triangle]
    weights = _barycentric(points[corners], np.stack([cells % GRID, cells // GRID], axis=1).astype(np.float32))
    nearest = _nearest(seen != raster.EMPTY)
    basis = _basis(topology)[corners]  # (M, 3, K)
    basis = np.einsum("mck,mc->mk", basis, weights).astype(np.float32)
    hair = np.einsum("mc,mc->m", hair_zone(topology)[corners], weights).astype(np.float32)
    skin = 1 - features(GRID, grow=0.022).ravel()[cells]
    return Canvas(
        topology=topology,
        cells=cells,
        triangle=triangle,
        corners=corners,
        weights=weights,
        basis=basis,
        basis_everywhere=basis[nearest],
        stiffness=np.array([0] + [1] * 8 + [5] * 3, np.float32),
        skin=skin,
        mean=(skin @ basis) / skin.sum(),
        hair=hair,
        depth=outline_depth(GRID),
        nearest=nearest,
    )


@lru_cache(maxsize=4)
def features(size: int, *, grow: float) -> Floats:
    """Return where brows, eyes, lips and nostrils are on a canvas: (size, size) float32, 0 or 1, soft edge.

    Args: grow: how far beyond their outlines, in shares of the canvas's side.
    """
    fine = max(size, 256)
    mask = np.zeros((fine, fine), np.uint8)
    canvas = load_topology().canvas
    for part in (BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS_OUTER, NOSTRILS):
        hull = cv2.convexHull((canvas[list(part)] * fine).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255)
    reach = max(1, round(grow * fine))
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    small: Floats = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return small


@lru_cache(maxsize=4)
def outline_depth(size: int) -> Floats:
    """Return the signed distance (size, size) to the outline in shares of the canvas's side, positive inside."""
    fine = max(size, 512)
    mask = np.zeros((fine, fine), np.uint8)
    topology = load_topology()
    cv2.fillPoly(mask, [(topology.canvas[topology.outline] * fine).astype(np.int32)], 1)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    depth: Floats = cv2.resize(inside / fine, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return depth


def hair_zone(topology: Topology) -> Floats:
    """Return per vertex (468,) 0..1 how far it lies where hair may hang: above the brows and at the sides."""
    x, y = np.abs(topology.positions[:, 0]), topology.positions[:, 1]
    above = topology.positions[_BROW_TOP, 1] - y
    return np.maximum(ramp(above, *_FOREHEAD), ramp(x, *_SIDES))


def rows(values: Floats) -> Floats:
    """Return values (M, 3) as three rows (3, M): numpy sums over rows in a tenth of the time of threes."""
    return np.ascontiguousarray(values.T)


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Return the smooth step (3 t^2 - 2 t^3) from 0 at `low` to 1 at `high`."""
    t = np.asarray((values - low) * (1 / (high - low)), np.float32)
    np.maximum(t, 0, out=t)
    np.minimum(t, 1, out=t)  # two calls take half the time of np.clip
    smooth = 3 - 2 * t
    smooth *= t
    smooth *= t
    return smooth


def step(value: float, low: float, high: float) -> float:
    """Return the smooth step of one number."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _basis(topology: Topology) -> Floats:
    """Return per vertex (468, K) the light functions.

    Spherical harmonics up to order 2 of the normal (diffuse light, Ramamoorthi and Hanrahan 2001) and two of the place,
    for what a fringe, a lamp close by or a beard does.
    """
    x, y, z = topology.normals.T
    place = topology.positions / np.abs(topology.positions).max(axis=0)
    functions = [np.ones(VERTICES), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    functions += [place[:, 1], place[:, 0] * place[:, 1], place[:, 1] ** 2]
    return np.stack(functions, axis=1).astype(np.float32)


def _barycentric(corners: Floats, points: Floats) -> Floats:
    """Return the weights (M, 3) of triangles' corners (M, 3, 2) at points (M, 2)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    twice = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    second = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / twice
    third = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / twice
    return np.stack([1 - second - third, second, third], axis=1).astype(np.float32)


def _nearest(on_face: Ids) -> Ids:
    """Return for every grid cell the number, among the face's cells, of the nearest one."""
    rows, columns = np.nonzero(on_face)
    every = np.indices(on_face.shape).reshape(2, -1).T
    distance = (every[:, None, 0] - rows) ** 2 + (every[:, None, 1] - columns) ** 2
    nearest: Ids = distance.argmin(axis=1).astype(np.int32)
    return nearest
