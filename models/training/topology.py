"""Write live/swap/mesh/topology.npz: the triangles and texture coordinates that all 478-point faces share.

Stands outside the program: it is run once, on the canonical face model published with MediaPipe under Apache-2.0
(mediapipe/modules/face_geometry/data/canonical_face_model.obj, Copyright The MediaPipe Authors); models/topology.md
states origin and licence. Knows the OBJ file; knows nothing about pictures.
"""

import argparse
from pathlib import Path

import numpy as np

VERTICES = 468
MIRROR_TOLERANCE = 1e-3


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read vertices (V, 3) float32, texture coordinates per vertex (V, 2) float32 and triangles (T, 3) int32."""
    vertices, coordinates, corners = [], [], []
    for line in path.read_text().splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(field) for field in fields])
        elif kind == "vt":
            coordinates.append([float(field) for field in fields[:2]])
        elif kind == "f":
            corners.append([[int(number) - 1 for number in field.split("/")[:2]] for field in fields])
    faces = np.array(corners, np.int32)  # (T, 3, 2): vertex, texture coordinate
    uv = np.zeros((len(vertices), 2), np.float32)
    uv[faces[..., 0]] = np.array(coordinates, np.float32)[faces[..., 1]]
    return np.array(vertices, np.float32), uv, faces[..., 0]


def outline(triangles: np.ndarray) -> np.ndarray:
    """Return the vertices (N,) int32 of the mesh's only border, in order."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    after = {a: b for a, b in known if (b, a) not in known}
    loop = [10]  # the middle of the forehead's upper edge
    while after[loop[-1]] != loop[0]:
        loop.append(after[loop[-1]])
    if len(loop) != len(after):
        raise ValueError(
            f"the mesh has more than one border: {len(after)} border edges, the first loop has {len(loop)}"
        )
    return np.array(loop, np.int32)


def mirrored(vertices: np.ndarray) -> np.ndarray:
    """Return for every vertex (V,) int32 the one on the other side of the face."""
    distance = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices[None], axis=2)
    if distance.min(axis=1).max() > MIRROR_TOLERANCE * np.ptp(vertices):
        raise ValueError(
            f"the model is not symmetric: a vertex is {distance.min(axis=1).max():.3f} from its mirror image"
        )
    return distance.argmin(axis=1).astype(np.int32)


def main() -> None:
    """Read the OBJ file and write the npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--obj", type=Path, required=True, help="canonical_face_model.obj")
    parser.add_argument("--out", type=Path, default=Path("live/swap/mesh/topology.npz"))
    arguments = parser.parse_args()
    vertices, uv, triangles = read_obj(arguments.obj)
    if len(vertices) != VERTICES:
        raise ValueError(f"{arguments.obj} has {len(vertices)} vertices; the canonical face model has {VERTICES}")
    np.savez_compressed(
        arguments.out,
        positions=vertices * np.float32((1, -1, -1)),  # image axes: x right, y down, z away from the camera
        uv=np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1),
        triangles=triangles[:, ::-1].astype(np.int16),  # clockwise as seen: positive area where y points down
        outline=outline(triangles).astype(np.int16),
        mirror=mirrored(vertices).astype(np.int16),
    )


if __name__ == "__main__":
    main()
