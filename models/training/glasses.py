"""Glasses drawn on landmarks: thin wire to thick plastic, clear, tinted or dark. A cover like those in covers.py."""

import cv2
import numpy as np

from models.training.covers import DRAWN, SIDE_PX, Cover, Patch, canvas, lit, polygon, shrunk

HIDING_FROM = 0.45  # a lens this opaque hides what is behind it
EYES = ((33, 133), (362, 263))
TEMPLES = (127, 356)


def rim(centre: np.ndarray, inward: np.ndarray, down: np.ndarray, size_px: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the outline (40, 2) px of one lens: from the nose over the cheek to the temple and over the brow back.

    Args: inward, down (2,) unit vectors; size_px width and height; shape: squareness 2 (ellipse) .. 7, taper towards
    the cheek, share of the top that is cut off.
    """
    angles = np.linspace(0, 2 * np.pi, 41)[:-1]
    power = 2.0 / shape[0]
    x = np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** power / 2
    y = np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** power / 2
    x, y = x * (1 - shape[1] * y), np.maximum(y, -0.5 * (1 - shape[2]))
    return centre + x[:, None] * size_px[0] * inward + y[:, None] * size_px[1] * down


def frame_colour(random: np.random.Generator) -> np.ndarray:
    """Return a (3,) BGR colour: black or brown plastic, metal, or any."""
    kind = random.random()
    if kind < 0.45:
        return random.uniform(5, 60) + np.array([0, 0, random.uniform(0, 40)])
    if kind < 0.7:
        return random.uniform(90, 220) * np.array([random.uniform(0.6, 1.0), random.uniform(0.8, 1.0), 1.0])
    return random.uniform(0, 255, 3)


def lenses(random: np.random.Generator, glass: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return picture (128, 128, 3), opacity and hiding (128, 128) of the glass (128, 128) 0..1 between the rims."""
    kind, down = random.random(), np.linspace(0, 1, SIDE_PX, dtype=np.float32)[:, None]
    if kind < 0.6:
        opacity, colour = random.uniform(0.0, 0.15), random.uniform(150, 255, 3)
    elif kind < 0.8:
        opacity, colour = random.uniform(0.2, 0.75), random.uniform(0, 120, 3)
    else:
        opacity, colour = random.uniform(0.75, 1.0), random.uniform(0, 70) + random.uniform(0, 60, 3)
    density = glass * np.float32(opacity) * (1 + (down - 0.5) * np.float32(random.uniform(-0.5, 0.5)))
    picture = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    picture[:] = colour
    if random.random() < 0.35:  # a window or a lamp reflected
        streak = canvas()
        for _ in range(int(random.integers(1, 4))):
            start = random.uniform(0, SIDE_PX, 2)
            end = start + random.normal(0, 25, 2)
            corners = np.array([start, end, end + random.normal(0, 7, 2), start + random.normal(0, 7, 2)])
            cv2.fillPoly(streak, [polygon(corners)], 255, cv2.LINE_AA, 4)
        shine = shrunk(streak) * glass * np.float32(random.uniform(0.1, 0.7))
        picture = (picture * (1 - shine[..., None]) + 250 * shine[..., None]).astype(np.uint8)
        density = np.maximum(density, shine)
    density = np.clip(density, 0, 1)
    hides = glass if opacity >= HIDING_FROM else np.zeros_like(glass)
    return picture, density, hides


def frame(random: np.random.Generator, patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    """Draw rims, bridge and temples; returns canvases (256, 256) of the frame and of the glass in it."""
    points = patch.landmarks
    eyes = np.array([points[list(eye)].mean(axis=0) for eye in EYES])
    apart = eyes[1] - eyes[0]
    eyes_px = max(float(np.hypot(*apart)), 4.0)
    across, down = apart / eyes_px, np.array([-apart[1], apart[0]]) / eyes_px
    size_px = eyes_px * random.uniform(0.6, 0.98) * np.array([1.0, random.uniform(0.5, 1.0)])
    shape = np.array([random.uniform(2, 7), random.uniform(-0.1, 0.4), random.uniform(0, 0.3)])
    pen = max(round(patch.side_px * np.exp(random.uniform(np.log(0.006), np.log(0.05))) * DRAWN), 1)
    drop_px, open_below, heavy_brow = eyes_px * random.uniform(0, 0.12), random.random() < 0.15, random.random() < 0.3
    drawn, glass = canvas(), canvas()
    rims = [rim(eye + down * drop_px, across * sign, down, size_px, shape) for eye, sign in zip(eyes, (1, -1))]
    for outline, ear in zip(rims, TEMPLES, strict=True):
        cv2.fillPoly(glass, [polygon(outline)], 255, cv2.LINE_AA, 4)
        if not open_below:
            cv2.polylines(drawn, [polygon(outline)], True, 255, pen, cv2.LINE_AA, 4)
        if open_below or heavy_brow:
            cv2.polylines(drawn, [polygon(outline[20:])], False, 255, pen * 2, cv2.LINE_AA, 4)
        hinge = outline[20] - down * size_px[1] * 0.2
        end = hinge + (points[ear] - hinge) * random.uniform(0.7, 1.4)
        cv2.line(drawn, *(polygon(p).tolist() for p in (hinge, end)), 255, pen, cv2.LINE_AA, 4)
    arch = eyes.mean(axis=0) + down * (drop_px - size_px[1] * random.uniform(0, 0.3))
    bridge = np.array([rims[0][-3], arch, rims[1][-3]])
    cv2.polylines(drawn, [polygon(bridge)], False, 255, pen, cv2.LINE_AA, 4)
    return drawn, glass


def glasses(random: np.random.Generator, patch: Patch) -> Cover:
    """Return a pair of glasses where this face would wear them."""
    drawn, glass = frame(random, patch)
    metal = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    metal[:] = np.clip(frame_colour(random), 0, 255)
    edge = shrunk(drawn)
    picture, density, hides = lenses(random, shrunk(glass))
    opacity = edge + density * (1 - edge)
    share = (edge / np.maximum(opacity, 1e-3))[..., None]
    mixed = picture * (1 - share) + lit(random, metal) * share
    return Cover(mixed.astype(np.uint8), opacity, np.maximum(edge, hides), near=True)
