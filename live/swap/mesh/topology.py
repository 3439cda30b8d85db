"""The mesh that every face shares: triangles, texture coordinates, outline, and which vertices are what.

Read once from topology.npz beside this file (made by models/training/topology.py from the canonical face model of
MediaPipe, Apache-2.0, Copyright The MediaPipe Authors; models/topology.md). Knows nothing about pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from live.swap.mesh.raster import Ids
from live.values import Floats

VERTICES = 468
EYE_LEFT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYE_RIGHT = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
"""The lids' inner edges, as rings; left and right as seen in the picture."""
LIDS_LEFT = (130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247)
LIDS_RIGHT = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)
"""The creases around the lids, in the order of the eyes' rings."""
LIPS_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
LIPS_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
BROW_LEFT = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_RIGHT = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
NOSTRILS = (98, 97, 2, 326, 327, 290, 250, 458, 461, 354, 19, 125, 241, 238, 20, 60)

RING_REACH = 1.2
"""How far the ring of extra vertices lies from the middle of the outline, in units of the outline."""
MESH_IN_CANVAS = 0.78
"""Share of the canvas's side that the canonical texture coordinates take; the ring gets the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """The mesh and the ring of triangles around it (P = 468 + 36 points)."""

    triangles: Ids
    """(T, 3): first the face's, then the ring's; clockwise as seen from the front."""
    face_triangles: int
    """How many of them are the face's."""
    canvas: Floats
    """(P, 2) texture coordinates, 0..1 of the square canvas."""
    positions: Floats
    """(468, 3) of the canonical face: x right, y down, z away from the camera; the face is about 15.5 wide."""
    normals: Floats
    """(468, 3) unit vectors of the canonical face."""
    outline: Ids
    """(36,) the border's vertices in order."""
    mirror: Ids
    """(468,) the vertex on the other side of the face."""

    def with_ring(self, points: Floats) -> Floats:
        """Append the ring to points (468 or more, K): the outline, scaled about its middle.  Returns (P, K)."""
        border = points[self.outline]
        middle = border.mean(axis=0)
        return np.concatenate([points[:VERTICES], middle + RING_REACH * (border - middle)])


@lru_cache(maxsize=1)
def load_topology() -> Topology:
    """Read the mesh; later calls return the same object."""
    with np.load(Path(__file__).with_name("topology.npz"), allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    outline = stored["outline"].astype(np.int32)
    triangles = stored["triangles"].astype(np.int32)
    here = np.arange(len(outline), dtype=np.int32)
    there = np.roll(here, -1)
    inner, inner_next = outline[here], outline[there]
    outer, outer_next = VERTICES + here, VERTICES + there
    ring = np.concatenate([np.stack([inner, inner_next, outer], 1), np.stack([inner_next, outer_next, outer], 1)])
    canvas = (stored["uv"] - stored["uv"].mean(axis=0)) * MESH_IN_CANVAS
    canvas += 0.5 - (canvas.max(axis=0) + canvas.min(axis=0)) / 2
    bare = Topology(
        triangles,
        len(triangles),
        canvas,
        stored["positions"],
        np.empty(0, np.float32),
        outline,
        stored["mirror"].astype(np.int32),
    )
    points = bare.with_ring(canvas).astype(np.float32)
    ab, ac = points[ring[:, 1]] - points[ring[:, 0]], points[ring[:, 2]] - points[ring[:, 0]]
    flipped = ab[:, 0] * ac[:, 1] < ab[:, 1] * ac[:, 0]
    ring[flipped] = ring[flipped][:, ::-1]
    return Topology(
        triangles=np.concatenate([triangles, ring]).astype(np.int32),
        face_triangles=len(triangles),
        canvas=points,
        positions=stored["positions"],
        normals=_normals(stored["positions"], triangles),
        outline=outline,
        mirror=bare.mirror,
    )


def _normals(positions: Floats, triangles: Ids) -> Floats:
    """Return vertex normals (V, 3), area-weighted."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    facing = np.cross(b - a, c - a)
    normals = np.zeros_like(positions)
    np.add.at(normals, triangles.ravel(), np.repeat(facing, 3, axis=0))
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
