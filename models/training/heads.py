"""The 3D head model: shapes of random people, seen from anywhere, as a map from picture pixels to its surface.

Geometry only: `head_looks` gives skin, eyes and hair, and knows why. The model is ICT FaceKit's light version (MIT):
26 719 vertices in cm (x to the subject's left, y up, z forward), 100 identity and 57 expression modes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Vertex ranges of the model's parts, from its documentation.
FACE, HEAD = (0, 9409), (9409, 11248)
MOUTH = (11248, 13294)
SOCKETS = (13294, 14062)
GUMS, TEETH = (14062, 17039), (17039, 21451)
EYE_LEFT, EYE_RIGHT = (21451, 23021), (23021, 24591)
LASHES_END = 26719

SHOWN = (FACE, HEAD, MOUTH, SOCKETS, GUMS, TEETH, EYE_LEFT, EYE_RIGHT)
SKIN_END = HEAD[1]
"""Vertices before this one are skin or scalp."""
MIDDLE = np.array([0.0, 0.5, 0.0], np.float32)
"""What a head turns about, cm: between the ears."""
SIDES_PX = (2, 4, 8, 16, 32, 64, 128)
PAIRED_MODES = ("_L", "_R")


@dataclass(frozen=True)
class HeadModel:
    """The model's modes and the triangles of the parts that are shown."""

    neutral: np.ndarray
    """(V, 3) float32 cm"""
    identity: np.ndarray
    """(100, V, 3) float16 cm per standard deviation"""
    expression: np.ndarray
    """(57, V, 3) float16 cm at full strength"""
    expression_names: tuple[str, ...]
    triangles: np.ndarray
    """(T, 3) int32"""


@dataclass(frozen=True)
class View:
    """Where a head stands before the camera."""

    yaw_rad: float
    """Positive: the nose points to the picture's right."""
    pitch_rad: float
    """Positive: the nose points down."""
    roll_rad: float
    distance_cm: float
    """From the lens to MIDDLE: the nearer, the stronger the perspective."""
    px_per_cm: float
    """At MIDDLE."""
    centre_px: tuple[float, float]
    """Where MIDDLE lies in the picture."""


@dataclass(frozen=True)
class Surface:
    """What each pixel of a square picture shows."""

    triangle: np.ndarray
    """(S, S) int32 number of the triangle, -1 where there is none"""
    shares: np.ndarray
    """(S, S, 3) float32 weights of the triangle's corners"""

    def spread(self, triangles: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Interpolate values (V, C) of vertices to (S, S, C); 0 where nothing is shown."""
        corners = values[triangles[self.triangle.clip(0)]]  # (S, S, 3, C)
        mixed = np.einsum("yxkc,yxk->yxc", corners, self.shares)
        return np.where((self.triangle >= 0)[..., None], mixed, np.float32(0))


def load_heads(file: Path) -> HeadModel:
    """Read ict_facekit_light_f16.npz."""
    stored = np.load(file, allow_pickle=False)
    quads = stored["faces"]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
    part = np.searchsorted([first for first, _ in SHOWN], triangles, side="right") - 1
    ends = np.array([end for _, end in SHOWN])
    shown = (triangles < ends[part]).all(axis=1)
    names = tuple(str(name) for name in stored["expression_names"])
    return HeadModel(stored["neutral"], stored["identity"], stored["expression"], names, triangles[shown])


def random_shape(random: np.random.Generator, model: HeadModel, *, identity: float = 1.0) -> np.ndarray:
    """Return (V, 3) cm of a random person: identity modes at this many deviations, a few expressions, eyes moved."""
    weights = (random.normal(0, identity, len(model.identity))).clip(-2.5, 2.5).astype(np.float32)
    shape = model.neutral + np.tensordot(weights, model.identity.astype(np.float32), axes=1)
    return shape + np.tensordot(random_expression(random, model.expression_names), model.expression, axes=1)


def random_expression(random: np.random.Generator, names: tuple[str, ...]) -> np.ndarray:
    """Return (57,) float32 strengths: mostly both sides alike, often a mouth that speaks or eyes that blink."""
    strengths = dict.fromkeys(names, 0.0)
    bases = sorted({name.removesuffix("_L").removesuffix("_R") for name in names})
    for base in random.choice(bases, min(int(random.integers(0, 7)), len(bases)), replace=False):
        strength = random.beta(1.2, 2.5)
        for name in (base, *(base + side for side in PAIRED_MODES)):
            if name in strengths:
                strengths[name] = strength * random.uniform(0.7, 1.0)
    if random.random() < 0.4:
        strengths["jawOpen"] = random.beta(1.0, 2.0)
    if random.random() < 0.2:
        strengths["eyeBlink_L"] = strengths["eyeBlink_R"] = random.uniform(0.3, 1.0)
    if random.random() < 0.3:
        strengths["mouthSmile_L"] = strengths["mouthSmile_R"] = random.uniform(0.2, 1.0)
    return np.array([strengths[name] for name in names], np.float32)


def turn_of(view: View) -> np.ndarray:
    """Return the (3, 3) rotation of model space."""
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = (
        function([view.yaw_rad, view.pitch_rad, view.roll_rad]) for function in (np.sin, np.cos)
    )
    yaw = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    pitch = np.array([[1, 0, 0], [0, cos_p, -sin_p], [0, sin_p, cos_p]])
    roll = np.array([[cos_r, -sin_r, 0], [sin_r, cos_r, 0], [0, 0, 1]])
    return (roll @ pitch @ yaw).astype(np.float32)


def project(points: np.ndarray, view: View) -> np.ndarray:
    """Return points (N, 3) cm as (N, 3) float32 px: x right, y down, z away from the camera in px at MIDDLE."""
    turned = (points - MIDDLE) @ turn_of(view).T
    grown = view.px_per_cm * view.distance_cm / (view.distance_cm - turned[:, 2:])
    flat = turned[:, :2] * (1, -1) * grown + view.centre_px
    return np.column_stack([flat, -turned[:, 2] * view.px_per_cm]).astype(np.float32)


def normals_of(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return (V, 3) float32 unit normals of vertices (V, 3), pointing outwards in model space."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(triangles[:, corner], faces[:, axis], len(points))
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def rasterise(points: np.ndarray, triangles: np.ndarray, size_px: int) -> Surface:
    """Return what each pixel of a (size, size) picture shows of triangles with corners (V, 3) px, nearest first.

    Triangles are taken in groups of like size, each tested against every pixel of its bounding square.
    """
    corners = points[triangles]  # (T, 3, 3)
    low = np.ceil(corners[:, :, :2].min(axis=1)).astype(np.int32)
    high = np.floor(corners[:, :, :2].max(axis=1)).astype(np.int32)
    side = (high - low).max(axis=1) + 1
    shown = (side > 0) & (high >= 0).all(axis=1) & (low < size_px).all(axis=1) & ((high - low) >= 0).all(axis=1)
    found: list[tuple[np.ndarray, ...]] = []
    for least_px, most_px in zip((0, *SIDES_PX), SIDES_PX, strict=False):
        numbers = np.flatnonzero(shown & (side > least_px) & (side <= most_px))
        if len(numbers):
            found.append(_covered(corners[numbers], low[numbers], most_px, size_px, numbers))
    triangle, shares = np.full(size_px**2, -1, np.int32), np.zeros((size_px**2, 3), np.float32)
    if found:
        pixel, depth, number, weights = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((-depth, pixel))  # the nearest of each pixel comes last, and is the one that stays
        triangle[pixel[order]], shares[pixel[order]] = number[order], weights[order]
    return Surface(triangle.reshape(size_px, size_px), shares.reshape(size_px, size_px, 3))


def _covered(
    corners: np.ndarray, low: np.ndarray, side_px: int, size_px: int, numbers: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return pixel, depth, triangle number and corner shares of every pixel that triangles (T, 3, 3) cover."""
    grid = np.stack(np.meshgrid(np.arange(side_px), np.arange(side_px)), axis=-1).reshape(-1, 2)
    pixels = low[:, None] + grid[None]  # (T, side ** 2, 2)
    a, b, c = (corners[:, corner, None, :2] for corner in range(3))
    first, second, away = b - a, c - a, pixels - a
    area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (away[..., 0] * second[..., 1] - away[..., 1] * second[..., 0]) / area
        across = (first[..., 0] * away[..., 1] - first[..., 1] * away[..., 0]) / area
    inside = (along >= -1e-4) & (across >= -1e-4) & (along + across <= 1 + 1e-4)
    inside &= ((pixels >= 0) & (pixels < size_px)).all(axis=-1)
    row, column = inside.nonzero()
    shares = np.stack([1 - along[row, column] - across[row, column], along[row, column], across[row, column]], axis=1)
    depth = (shares * corners[row, :, 2]).sum(axis=1)
    pixel = pixels[row, column, 1] * size_px + pixels[row, column, 0]
    return pixel, depth, numbers[row], shares.astype(np.float32)
