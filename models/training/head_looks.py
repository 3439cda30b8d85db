"""Looks for the 3D head model: skin from a labelled photograph, eyes, hair, clothes and light; exact landmarks.

`heads` says where the surface is; this says what colour it has. Used for profiles, which no training picture shows, and
for heads seen from behind, which are no faces.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.training import faces, heads
from models.training.heads import HeadModel, Surface, View

POINTS_FILE = Path(__file__).parent / "head_points.npz"
AXIS_Z = -1.0  # cm: the vertical axis round which the face is unrolled
FADE_CM = 1.2  # outside the landmarks' mesh the photograph fades into plain skin
TEMPLE_CM = 1.3  # and inside them, on temples and forehead
COLLAR_CM = -12.5
IRIS_CM, PUPIL_CM = 0.58, 0.22
STRANDS_PX = 256


@dataclass(frozen=True)
class HeadSkin:
    """How the head model's surface and the 478 landmarks belong together."""

    landmark_corners: np.ndarray
    """(478, 3) int: vertices around each landmark"""
    landmark_shares: np.ndarray
    """(478, 3) float32 weights of them"""
    photo_corners: np.ndarray
    """(S, 3) int: the mesh landmarks around each skin vertex"""
    photo_shares: np.ndarray
    """(S, 3) float32"""
    photo_weight: np.ndarray
    """(S,) float32 0..1: how much the photograph says about the vertex"""


@dataclass(frozen=True)
class Look:
    """How a head appears, whatever its shape and pose."""

    photo: np.ndarray
    """(H, W, 3) uint8 BGR"""
    landmarks: np.ndarray
    """(478, 3) px of the photograph"""
    hair: np.ndarray
    """(3,) BGR 0..255"""
    hair_cm: float
    """How far the hair stands off; 0: bald"""
    hair_down_cm: float
    """How far below the ears long hair falls; 0: short"""
    parting_rad: float
    """Half the opening of long hair around the face"""
    iris: np.ndarray
    cloth: np.ndarray
    light: np.ndarray
    """(3,) direction it comes from, view space, not normalised: longer is harder"""


def load_skin(model: HeadModel, mesh_triangles: np.ndarray) -> HeadSkin:
    """Read the landmarks' places on the head, and derive from them where a photograph's points lie."""
    stored = np.load(POINTS_FILE, allow_pickle=False)
    corners, shares = stored["corners"].astype(np.int64), stored["shares"].astype(np.float32)
    places = np.einsum("nk,nkc->nc", shares, model.neutral[corners])[: faces.MESH_LANDMARKS]
    flat, vertices = unrolled(places), unrolled(model.neutral[: heads.SKIN_END])
    a, b, c = (flat[mesh_triangles[:, corner]] for corner in range(3))
    first, second = b - a, c - a
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    photo_corners = np.zeros((len(vertices), 3), np.int64)
    photo_shares = np.zeros((len(vertices), 3), np.float32)
    gap = np.empty(len(vertices), np.float32)
    for number, vertex in enumerate(vertices):
        away = vertex - a
        along = (away[:, 0] * second[:, 1] - away[:, 1] * second[:, 0]) / area
        across = (first[:, 0] * away[:, 1] - first[:, 1] * away[:, 0]) / area
        weights = np.stack([1 - along - across, along, across], axis=1).clip(0, None)
        weights /= weights.sum(axis=1, keepdims=True)
        nearest = (weights[:, :1] * a + weights[:, 1:2] * b + weights[:, 2:] * c) - vertex
        best = int((nearest**2).sum(axis=1).argmin())
        photo_corners[number], photo_shares[number] = mesh_triangles[best], weights[best]
        gap[number] = np.hypot(*nearest[best])
    # The photograph's temples and forehead may show hair, so it fades inside the outline there; below, beards go on.
    outline = flat[list(faces.FACE_OVAL)]
    inside_cm = np.linalg.norm(vertices[:, None] - outline[None], axis=2).min(axis=1)
    upper = np.clip((vertices[:, 1] + 1.0) / 3.0, 0, 1)
    weight = np.exp(-((gap / FADE_CM) ** 2)) * (1 - upper * (1 - np.clip(inside_cm / TEMPLE_CM - 0.4, 0, 1)))
    weight = weight * (model.neutral[: heads.SKIN_END, 2] > AXIS_Z)
    return HeadSkin(corners, shares, photo_corners, photo_shares, weight.astype(np.float32))


def unrolled(points: np.ndarray) -> np.ndarray:
    """Return points (N, 3) cm unrolled round the head's axis: (N, 2) cm along the skin and up."""
    around = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    return np.stack([around * 9.0, points[:, 1]], axis=1)


def random_look(random: np.random.Generator, labelled: faces.Labelled) -> Look:
    """Draw a look with the skin of a labelled picture; its hair is the picture's own above the forehead, or any."""
    landmarks = labelled.faces[0]
    top, chin = landmarks[10, :2], landmarks[152, :2]
    above = np.round(top + (top - chin) * 0.16).astype(int)
    height_px, width_px = labelled.image.shape[:2]
    hair = random.uniform(8, 120) * np.array([0.7, 0.85, 1.0]) ** random.uniform(0, 2)
    if random.random() < 0.6 and 0 <= above[0] < width_px and 0 <= above[1] < height_px:
        hair = labelled.image[above[1], above[0]].astype(float)
    kind = random.random()
    hair_cm = 0.0 if kind < 0.12 else random.uniform(0.3, 2.6)
    return Look(
        labelled.image, landmarks, hair, hair_cm, random.uniform(3, 16) if kind > 0.6 else 0.0,
        np.radians(random.uniform(48, 78)), random.uniform(20, 110) * random.uniform(0.5, 1.3, 3),
        random.uniform(0, 230) * random.uniform(0.6, 1.2, 3), random.normal((0, 0.4, 1.0), (0.7, 0.4, 0.3)),
    )  # fmt: skip


def landmarks_on(skin: HeadSkin, projected: np.ndarray) -> np.ndarray:
    """Return the (478, 3) px landmarks of a head whose vertices lie at (V, 3) px; z is 0 at the face's middle."""
    points = np.einsum("nk,nkc->nc", skin.landmark_shares, projected[skin.landmark_corners])
    points[:, 2] -= points[:, 2].mean()
    return points.astype(np.float32)


def hair_share(neutral: np.ndarray) -> np.ndarray:
    """Return (S,) 0..1 of skin vertices: how hairy the scalp is there, on an average hairline."""
    y, z = neutral[: heads.SKIN_END, 1], neutral[: heads.SKIN_END, 2]
    line = np.interp(z, [-9, -4, -2.5, 1.5, 4, 7, 9, 13], [-6, -5, 3.0, 3.8, 6.5, 8.6, 9.3, 10.0])
    return np.clip((y - line) / 0.8 + 0.5, 0, 1).astype(np.float32)


def long_hair(random: np.random.Generator, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (N, 3) cm and triangles of hair that hangs round the head, open towards the face."""
    columns, rows = 49, 17
    angle = np.linspace(look.parting_rad, 2 * np.pi - look.parting_rad, columns)
    down = np.linspace(0, 1, rows)
    y = 11.5 - down * (11.5 + look.hair_down_cm)
    swell = np.interp(down, [0, 0.12, 0.3, 0.7, 1.0], [0.45, 0.8, 1.0, 1.04, random.uniform(0.7, 1.1)])
    wave = cv2.resize(random.normal(0, 0.05, (5, 7)), (columns, rows), interpolation=cv2.INTER_CUBIC)
    wide, deep = random.uniform(8.6, 10.5), random.uniform(10.0, 12.0)
    radius = swell[:, None] * (1 + wave)
    points = np.stack(
        [np.sin(angle) * wide * radius, np.repeat(y[:, None], columns, 1), np.cos(angle) * deep * radius - 0.5], axis=-1
    )
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    triangles = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + columns], axis=1),
            np.stack([corner + 1, corner + columns + 1, corner + columns], axis=1),
        ]
    )
    return points.reshape(-1, 3).astype(np.float32), triangles


def strands(random: np.random.Generator) -> np.ndarray:
    """Return a (256, 256) float32 texture about 1 of strands running down."""
    fine = random.normal(0, 1, (STRANDS_PX, STRANDS_PX)).astype(np.float32)
    length_px = int(random.integers(8, 70))
    drawn = cv2.blur(fine, (1, length_px)) * np.sqrt(length_px)
    locks = cv2.resize(random.normal(0, 1, (6, 24)).astype(np.float32), (STRANDS_PX, STRANDS_PX))
    return 1 + drawn * np.float32(random.uniform(0.1, 0.35)) + locks * np.float32(random.uniform(0.05, 0.3))


@dataclass(frozen=True)
class PosedHead:
    """A head in its pose: everything that does not depend on skin and light."""

    surface: Surface
    triangles: np.ndarray
    projected: np.ndarray
    """(V, 3) px of all vertices, long hair included"""
    normals: np.ndarray
    """(V, 3) view space"""
    resting: np.ndarray
    """(V, 3) cm of the neutral head, whose places say what is hair, iris or collar"""


def pose(
    random: np.random.Generator, model: HeadModel, shape: np.ndarray, view: View, look: Look, size_px: int
) -> PosedHead:
    """Place a head of this shape (V, 3) cm with the hair of this look before the camera."""
    normals = heads.normals_of(shape, model.triangles)
    shape = shape.copy()
    volume = hair_share(model.neutral) * np.float32(look.hair_cm)
    shape[: heads.SKIN_END] += normals[: heads.SKIN_END] * volume[:, None]
    triangles, resting = model.triangles, model.neutral
    if look.hair_down_cm > 0:
        curtain, more = long_hair(random, look)
        triangles = np.concatenate([triangles, more + len(shape)])
        shape, resting = np.concatenate([shape, curtain]), np.concatenate([resting, curtain])
    normals = heads.normals_of(shape, triangles) @ heads.turn_of(view).T
    projected = heads.project(shape, view)
    return PosedHead(heads.rasterise(projected, triangles, size_px), triangles, projected, normals, resting)


def paint(
    random: np.random.Generator, skin: HeadSkin, head: PosedHead, look: Look, background: np.ndarray
) -> np.ndarray:
    """Return the (S, S, 3) uint8 BGR picture of a posed head before a background (S, S, 3)."""
    colours, hairy = vertex_colours(random, head, look)
    photo_px = np.zeros((len(colours), 3), np.float32)
    points = look.landmarks[: faces.MESH_LANDMARKS, :2].astype(np.float32)
    photo_px[: heads.SKIN_END, :2] = np.einsum("nk,nkc->nc", skin.photo_shares, points[skin.photo_corners])
    photo_px[: heads.SKIN_END, 2] = skin.photo_weight * (1 - hairy[: heads.SKIN_END])
    values = np.concatenate([colours, photo_px, head.normals, hairy[:, None], head.resting], axis=1)
    drawn = head.surface.spread(head.triangles, values.astype(np.float32))
    plain, where, weight, normal = drawn[..., :3], drawn[..., 3:5], drawn[..., 5:6], drawn[..., 6:9]
    seen = cv2.remap(look.photo, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    length = np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-3)
    lit = (normal / length) @ (look.light / np.linalg.norm(look.light)).astype(np.float32)
    hardness = np.float32(np.clip(np.linalg.norm(look.light) * 0.35, 0.1, 0.7))
    shade = (1 - hardness + hardness * (0.35 + 0.9 * lit.clip(0)))[..., None]
    picture = plain * (1 - weight) + seen * weight
    hair = drawn[..., 9:10]
    around = np.arctan2(drawn[..., 10], drawn[..., 12] + 0.5) * (STRANDS_PX / 3.2)
    tufts = cv2.remap(strands(random), around % STRANDS_PX, drawn[..., 11] * 10 % STRANDS_PX, cv2.INTER_LINEAR)
    picture = picture * (1 - hair) + picture * hair * tufts[..., None]
    alpha = cv2.blur((head.surface.triangle >= 0).astype(np.float32), (3, 3))[..., None]
    return np.clip(picture * shade * alpha + background * (1 - alpha), 0, 255).astype(np.uint8)


def vertex_colours(random: np.random.Generator, head: PosedHead, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Return (V, 3) BGR of everything but the photograph's skin, and (V,) 0..1 how much of each vertex is hair."""
    mesh = np.round(look.landmarks[: faces.MESH_LANDMARKS, :2]).astype(int)
    x, y = mesh[:, 0].clip(0, look.photo.shape[1] - 1), mesh[:, 1].clip(0, look.photo.shape[0] - 1)
    colours = np.tile(np.median(look.photo[y, x], axis=0).astype(np.float32), (len(head.resting), 1))
    hairy = np.zeros(len(head.resting), np.float32)
    hairy[: heads.SKIN_END] = hair_share(head.resting) * (look.hair_cm > 0)
    hairy[heads.EYE_RIGHT[1] :] = 0
    hairy[heads.LASHES_END :] = 1
    cloth = head.resting[: heads.SKIN_END, 1] < COLLAR_CM + random.normal(0, 1.0)
    colours[: heads.SKIN_END][cloth] = look.cloth
    colours[slice(*heads.MOUTH)], colours[slice(*heads.SOCKETS)] = (35, 25, 60), colours[0] * 0.5
    colours[slice(*heads.GUMS)], colours[slice(*heads.TEETH)] = (85, 80, 150), random.uniform(150, 235)
    for part in (heads.EYE_LEFT, heads.EYE_RIGHT):
        ball = head.resting[slice(*part)]
        off = np.hypot(*(ball - ball.mean(axis=0))[:, :2].T)
        eye = np.where((off < IRIS_CM)[:, None], look.iris, random.uniform(160, 235) * np.array([0.97, 0.97, 1.0]))
        eye[off < PUPIL_CM] = 12
        colours[slice(*part)] = eye
    return colours * (1 - hairy[:, None]) + look.hair.astype(np.float32) * hairy[:, None], hairy
