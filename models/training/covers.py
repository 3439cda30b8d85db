"""Things that hide parts of a face, laid over aligned patches with exact labels: phones, cups, pens, microphones.

A cover says what it looks like, how opaque it is and what it hides; `lay` puts it over a patch with its shadow and its
own blur. Knows patches and landmarks; knows nothing about where they come from. Clothes, glasses, hands and hair have
their own files beside this one.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from models.training import augment, faces

SIDE_PX = 128
DRAWN = 2  # covers are drawn so many times finer, so that thin things have soft edges
DRAWN_PX = SIDE_PX * DRAWN


@dataclass(frozen=True)
class Cover:
    """Something in front of a face, in patch pixels."""

    picture: np.ndarray
    """(128, 128, 3) uint8 BGR"""
    opacity: np.ndarray
    """(128, 128) float32 0..1: how it is painted"""
    hides: np.ndarray
    """(128, 128) float32 0..1: what of the face counts as hidden; clear glass is painted but hides nothing"""
    near: bool = False
    """It touches the skin: narrow shadows."""


@dataclass(frozen=True)
class Patch:
    """What covers are laid over."""

    image: np.ndarray
    """(128, 128, 3) uint8 BGR"""
    face: np.ndarray
    """(128, 128) float32 0..1: visible face"""
    trust: np.ndarray
    """(128, 128) float32 0..1: how much the label weighs"""
    landmarks: np.ndarray
    """(478, 2) float32 px"""

    @property
    def side_px(self) -> float:
        """The mesh's longer side."""
        mesh = self.landmarks[: faces.MESH_LANDMARKS]
        return float((mesh.max(axis=0) - mesh.min(axis=0)).max())

    def skin(self) -> np.ndarray:
        """Return the (3,) BGR colour of the visible skin."""
        seen = self.image[self.face > 0.9]
        return np.median(seen, axis=0) if len(seen) > 20 else np.array([110.0, 130.0, 170.0])


def canvas() -> np.ndarray:
    """Return an empty (256, 256) uint8 mask to draw on."""
    return np.zeros((DRAWN_PX, DRAWN_PX), np.uint8)


def polygon(points: np.ndarray) -> np.ndarray:
    """Return patch points (N, 2) as fillPoly and polylines take them on the canvas with shift 4."""
    return np.round(((points + 0.5) * DRAWN - 0.5) * 16).astype(np.int32)


def shrunk(mask: np.ndarray) -> np.ndarray:
    """Return a canvas (256, 256) uint8 as (128, 128) float32 0..1."""
    return cv2.resize(mask, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0


def material(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return a (128, 128, 3) uint8 surface: painted, plain under a slope of light, or a piece of the picture itself."""
    kind = random.random()
    if kind < 0.3:
        surface = augment.texture(random, SIDE_PX, SIDE_PX)
    elif kind < 0.4:
        surface = augment.clouds(random, SIDE_PX, SIDE_PX)
    elif kind < 0.5:
        surface = np.roll(image, random.integers(30, 98, 2), axis=(0, 1))[:, :: random.choice([1, -1])]
    else:
        surface = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        surface[:] = augment.random_colour(random, image) if random.random() < 0.7 else random.uniform(0, 255)
    return lit(random, surface)


def lit(random: np.random.Generator, surface: np.ndarray) -> np.ndarray:
    """Return a surface (128, 128, 3) under a slope of light, with some grain."""
    angle_rad, strength = random.uniform(0, 2 * np.pi), random.uniform(0.0, 0.5)
    slope = np.linspace(-1, 1, SIDE_PX, dtype=np.float32) * np.float32(strength)
    light = 1 + slope[None] * np.float32(np.cos(angle_rad)) + slope[:, None] * np.float32(np.sin(angle_rad))
    grain = random.standard_normal((SIDE_PX, SIDE_PX, 1), dtype=np.float32) * np.float32(random.uniform(0, 8))
    return np.clip(surface * light[..., None] + grain, 0, 255).astype(np.uint8)


def solid(picture: np.ndarray, mask: np.ndarray, *, near: bool = False) -> Cover:
    """Return a cover that hides what it paints; mask (256, 256) uint8."""
    opacity = shrunk(mask)
    return Cover(picture, opacity, opacity, near)


def blurred(random: np.random.Generator, cover: Cover) -> Cover:
    """Return the cover out of focus or in motion, as what is nearer to the camera often is."""
    sharp = random.random()
    if sharp < 0.4:
        return cover
    layers = np.dstack([cover.picture * cover.opacity[..., None], cover.opacity, cover.hides]).astype(np.float32)
    if sharp < 0.8:
        layers = cv2.GaussianBlur(layers, (0, 0), random.uniform(0.4, 1.6))
    else:
        length_px, angle_rad = int(random.integers(3, 14)), random.uniform(0, np.pi)
        half = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * (length_px - 1) / 2
        kernel = np.zeros((length_px, length_px), np.float32)
        ends = [np.round((length_px - 1) / 2 + sign * half).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        layers = cv2.filter2D(layers, -1, kernel / kernel.sum())
    picture = layers[..., :3] / np.maximum(layers[..., 3:4], 1e-3)
    return Cover(np.clip(picture, 0, 255).astype(np.uint8), layers[..., 3], layers[..., 4], cover.near)


def lay(random: np.random.Generator, patch: Patch, cover: Cover) -> Patch:
    """Return the patch with a cover over it."""
    cover = blurred(random, cover)
    image = patch.image.astype(np.float32)
    if random.random() < 0.7:
        reach_px = random.uniform(0, 3 if cover.near else 10, 2) * (random.choice([-1, 1]), 1)
        move = np.array([[1, 0, reach_px[0]], [0, 1, reach_px[1]]])
        shadow = cv2.warpAffine(cover.opacity, move, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
        shadow = cv2.GaussianBlur(shadow, (0, 0), random.uniform(0.6, 2.0 if cover.near else 6.0))
        image *= 1 - shadow[..., None] * np.float32(random.uniform(0.1, 0.55))
    opacity = cover.opacity[..., None]
    image = image * (1 - opacity) + cover.picture * opacity
    face, trust = patch.face * (1 - cover.hides), np.maximum(patch.trust, cover.hides)
    return Patch(np.clip(image, 0, 255).astype(np.uint8), face, trust, patch.landmarks)


def place_on_face(random: np.random.Generator, patch: Patch) -> np.ndarray:
    """Return a point (2,) px somewhere on the face, more often near its edge."""
    if random.random() < 0.6:
        edge = patch.landmarks[random.choice(faces.FACE_OVAL)]
        return edge + (patch.landmarks[1] - edge) * random.uniform(-0.15, 0.6)
    return patch.landmarks[random.integers(0, faces.MESH_LANDMARKS)]


def thing(random: np.random.Generator, patch: Patch) -> Cover:
    """A phone, a cup, a book, a ball: a plain shape, whole or reaching in from the patch's edge."""
    mask, place = canvas(), place_on_face(random, patch)
    size = patch.side_px * random.uniform(0.15, 0.9)
    if random.random() < 0.5:
        sides = size * np.array([1.0, random.uniform(0.3, 1.0)])
        corners = cv2.boxPoints((place.tolist(), sides.tolist(), random.uniform(0, 180)))
        corners = corners + random.normal(0, 0.06 * size, (4, 2))
        cv2.fillConvexPoly(mask, polygon(corners), 255, cv2.LINE_AA, 4)
        rounded = int(random.integers(0, 5)) * 2 + 1
        mask = cv2.threshold(cv2.blur(mask, (rounded, rounded)), 127, 255, cv2.THRESH_BINARY)[1]
    else:
        shape = augment.blob_mask(random, max(int(size * DRAWN), 8))
        left, top = np.round(place * DRAWN - len(shape) / 2).astype(int)
        move = np.array([[1, 0, left], [0, 1, top]], np.float32)
        mask = cv2.warpAffine(shape, move, (DRAWN_PX, DRAWN_PX))
    return solid(material(random, patch.image), mask)


def stick(random: np.random.Generator, patch: Patch) -> Cover:
    """A pen, a straw, a cable, a cigarette: a thin line, straight or bent, from somewhere outside to the face."""
    end = place_on_face(random, patch)
    way = random.uniform(0, 2 * np.pi)
    start = end + np.array([np.cos(way), np.sin(way)]) * patch.side_px * random.uniform(0.3, 1.6)
    bend = (start + end) / 2 + random.normal(0, 0.15 * patch.side_px, 2) * (random.random() < 0.5)
    share = np.linspace(0, 1, 12)[:, None]
    path = start * (1 - share) ** 2 + 2 * bend * share * (1 - share) + end * share**2
    mask, width_px = canvas(), patch.side_px * np.exp(random.uniform(np.log(0.015), np.log(0.12)))
    cv2.polylines(mask, [polygon(path)], False, 255, max(round(width_px * DRAWN), 1), cv2.LINE_AA, 4)
    return solid(material(random, patch.image), mask)


def microphone(random: np.random.Generator, patch: Patch) -> Cover:
    """A microphone before the mouth, on a handle or an arm, dark and rough as most are."""
    mask, side_px = canvas(), patch.side_px
    mouth = (patch.landmarks[13] + patch.landmarks[14]) / 2
    place = mouth + random.normal(0, 0.16, 2) * side_px + (0, 0.1 * side_px)
    head_px = side_px * random.uniform(0.06, 0.3)
    way = random.uniform(0.1, 0.9) * np.pi
    axes = (2 * head_px * random.uniform(0.8, 1.5), 2 * head_px)
    box = (((place + 0.5) * DRAWN).tolist(), (DRAWN * axes[0], DRAWN * axes[1]), float(np.degrees(way)))
    cv2.ellipse(mask, box, 255, -1, cv2.LINE_AA)
    end = place + np.array([np.cos(way), np.sin(way)]) * 2 * side_px
    handle_px = head_px * random.uniform(0.15, 1.4)
    cv2.line(mask, *(polygon(p).tolist() for p in (place, end)), 255, max(round(handle_px * DRAWN), 1), cv2.LINE_AA, 4)
    if random.random() < 0.25:
        return solid(material(random, patch.image), mask)
    surface = np.full((SIDE_PX, SIDE_PX, 3), random.uniform(5, 90), np.float32)
    surface += random.standard_normal((SIDE_PX, SIDE_PX, 1), dtype=np.float32) * np.float32(random.uniform(2, 25))
    return solid(lit(random, np.clip(surface, 0, 255).astype(np.uint8)), mask)
