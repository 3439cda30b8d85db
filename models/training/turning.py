"""Turning a labelled face: yaw and pitch by rotating its 3D landmarks and warping its texture piecewise-affinely.

Gives the profiles that the picture sets lack. Runs while the patch cache is built; knows nothing about training.
"""

import cv2
import numpy as np

from models.training.faces import FACE_OVAL, MESH_LANDMARKS

# Rings around the face oval, as factors of its distance from the centre: the first turns with the head (hair, ears),
# the last stays where it is, and what lies between is stretched.
RING_FACTORS = (1.0, 1.3, 2.0)
SUBPIXEL_BITS = 4


def rotation(yaw_rad: float, pitch_rad: float) -> np.ndarray:
    """Return the (3, 3) rotation of image space (x right, y down, z away from the camera)."""
    cos_y, sin_y, cos_p, sin_p = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    around_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    around_x = np.array([[1, 0, 0], [0, cos_p, -sin_p], [0, sin_p, cos_p]])
    return around_y @ around_x


def turned_points(points: np.ndarray, pivot: np.ndarray, yaw_rad: float, pitch_rad: float) -> np.ndarray:
    """Rotate points (N, 3) px about a pivot (3,) under parallel projection."""
    return (points - pivot) @ rotation(yaw_rad, pitch_rad).T + pivot


def rings(landmarks: np.ndarray) -> np.ndarray:
    """Return (rings, 36, 3) px: the face oval, and copies of it drawn outwards at the depth of its deepest point."""
    oval = landmarks[list(FACE_OVAL)]
    centre = oval.mean(axis=0)
    outer = [centre + (oval - centre) * factor for factor in RING_FACTORS[1:]]
    for ring in outer:
        ring[:, 2] = oval[:, 2].max()
    return np.stack([oval, *outer])


def ring_triangles(ring_count: int, length: int, first: int) -> np.ndarray:
    """Return (T, 3) vertex numbers of the bands between consecutive rings, the outermost band first."""
    triangles = []
    for ring in reversed(range(ring_count - 1)):
        for i in range(length):
            j = (i + 1) % length
            inner, outer = first + ring * length, first + (ring + 1) * length
            triangles += [(inner + i, inner + j, outer + i), (inner + j, outer + j, outer + i)]
    return np.array(triangles)


def painted_map(source: np.ndarray, target: np.ndarray, triangles: np.ndarray, size_px: int) -> np.ndarray:
    """Return the (size, size, 2) float32 map target px -> source px; later triangles are painted over earlier.

    Args: source, target: (V, 2) px; triangles (T, 3). Pixels outside every triangle map to themselves.
    """
    corners = target[triangles]  # (T, 3, 2)
    ones = np.ones((*corners.shape[:2], 1))
    across, down = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area2 = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    triangles, corners, ones = (part[np.abs(area2) > 0.1] for part in (triangles, corners, ones))
    affine = np.linalg.solve(np.concatenate([corners, ones], axis=2), source[triangles])  # (T, 3, 2)
    affine = np.concatenate([affine, np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])])  # last: identity
    number = np.full((size_px, size_px), len(triangles), np.float32)
    for index, polygon in enumerate(np.round(corners * 2**SUBPIXEL_BITS).astype(np.int32)):
        cv2.fillConvexPoly(number, polygon, float(index), lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)
    chosen = affine[number.astype(np.int64)]  # (size, size, 3, 2)
    x, y = np.meshgrid(np.arange(size_px), np.arange(size_px))
    return (chosen[:, :, 0] * x[..., None] + chosen[:, :, 1] * y[..., None] + chosen[:, :, 2]).astype(np.float32)


def turn_face(
    image: np.ndarray, landmarks: np.ndarray, triangles: np.ndarray, yaw_rad: float, pitch_rad: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return a square picture with its face turned, and the turned landmarks.

    Args: image (S, S, 3) uint8; landmarks (478, 3) px; triangles (T, 3) of the mesh.
    """
    points = landmarks.astype(np.float64)
    bands = rings(points)
    pivot = np.array([*bands[0].mean(axis=0)[:2], bands[0][:, 2].max()])
    turned = turned_points(points, pivot, yaw_rad, pitch_rad)
    turned_bands = turned_points(bands.reshape(-1, 3), pivot, yaw_rad, pitch_rad).reshape(bands.shape)
    turned_bands[-1] = bands[-1]
    depth = turned[triangles][:, :, 2].mean(axis=1)
    order = np.concatenate([ring_triangles(*bands.shape[:2], MESH_LANDMARKS), triangles[np.argsort(-depth)]])
    source = np.concatenate([points[:MESH_LANDMARKS], bands.reshape(-1, 3)])[:, :2]
    target = np.concatenate([turned[:MESH_LANDMARKS], turned_bands.reshape(-1, 3)])[:, :2]
    pixel_map = painted_map(source, target, order, image.shape[0])
    picture = cv2.remap(image, pixel_map, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return picture, turned.astype(np.float32)
