"""Hands before faces: drawn from capsules in the colour of a skin, or real ones out of clips. Covers, see covers.py."""

import cv2
import numpy as np

from models.training.covers import DRAWN, DRAWN_PX, SIDE_PX, Cover, Patch, place_on_face, shrunk

# One hand, palm towards -y, in palm widths: knuckle, length and thickness of thumb and four fingers; wrist at (0, 1.1).
KNUCKLES = np.array([(-0.5, 0.45), (-0.38, -0.05), (-0.13, -0.13), (0.13, -0.1), (0.36, 0.02)])
LENGTHS = np.array([0.75, 0.85, 0.95, 0.88, 0.7])
THICKNESS = np.array([0.15, 0.125, 0.13, 0.125, 0.11])
LEANS_RAD = np.array([-0.8, -0.12, -0.02, 0.08, 0.2])
WRIST, ELBOW = np.array([0.0, 1.1]), np.array([0.0, 4.0])


def bones(random: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Return a random hand as capsules (start (2,), end (2,), radii there) in palm widths."""
    parts = [(WRIST, ELBOW + np.array([random.normal(0, 0.6), 0]), 0.33, 0.45)]
    parts += [
        (WRIST + np.array([x, -0.1]), KNUCKLES[1 + i], 0.24, 0.2) for i, x in enumerate((-0.15, -0.05, 0.05, 0.15))
    ]
    spread, pose = random.uniform(0.2, 2.2), random.random()
    for finger in random.permutation(5):
        # A bent finger is seen shortened; a fist shows only the first joints, a pointing hand one finger.
        stretched = random.uniform(0.75, 1.0) if pose < 0.5 else random.uniform(0.25, 1.0)
        if pose > 0.85:
            stretched = 1.0 if finger == 1 else 0.35
        lean_rad = LEANS_RAD[finger] * spread + random.normal(0, 0.06)
        joint, radius = KNUCKLES[finger], THICKNESS[finger] * random.uniform(0.9, 1.1)
        for share in (0.45, 0.3, 0.25):
            length = LENGTHS[finger] * share * stretched
            tip = joint + np.array([np.sin(lean_rad), -np.cos(lean_rad)]) * length
            parts.append((joint, tip, radius, radius * 0.92))
            joint, radius = tip, radius * 0.92
            lean_rad += random.normal(0, 0.12)
    return parts


def capsule(
    start: np.ndarray, end: np.ndarray, first_px: float, last_px: float
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the part of the canvas a capsule may touch, and there how deep inside it a pixel lies: (h, w, 2).

    0: distance from its axis over its radius, signed by the side of the axis; 1: radius in px.
    """
    reach = max(first_px, last_px) + 2
    low = np.clip(np.floor(np.minimum(start, end) - reach), 0, DRAWN_PX).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + reach), 0, DRAWN_PX).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    axis = (end - start).astype(np.float32)
    length2 = max(float(axis @ axis), 1e-3)
    along = np.clip(((x - start[0]) * axis[0] + (y - start[1]) * axis[1]) / length2, 0, 1)
    off_x, off_y = x - start[0] - along * axis[0], y - start[1] - along * axis[1]
    radius = first_px + (last_px - first_px) * along
    side = np.sign(off_x * axis[1] - off_y * axis[0])
    distance = np.hypot(off_x, off_y) / np.maximum(radius, 0.5)
    return (slice(low[1], high[1]), slice(low[0], high[0])), np.dstack([side * distance, radius])


def drawn_hand(random: np.random.Generator, patch: Patch) -> Cover:
    """A hand, a fist or a pointing finger with its arm, round under one light, coloured like a skin."""
    place, width_px = place_on_face(random, patch) * DRAWN, patch.side_px * random.uniform(0.28, 0.6) * DRAWN
    angle_rad, flip = random.normal(0, 0.9), random.choice([-1.0, 1.0])
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cosine * flip, -sine], [sine * flip, cosine]]) * width_px
    aim = random.uniform((-0.3, -0.9), (0.3, 0.5))  # this point of the hand lies on the face
    tone = patch.skin() if random.random() < 0.6 else random.uniform(0.3, 1.1) * np.array([130.0, 160.0, 215.0])
    tone = tone * np.exp(random.normal(0, 0.08, 3))
    picture = np.zeros((DRAWN_PX, DRAWN_PX, 3), np.float32)
    mask = np.zeros((DRAWN_PX, DRAWN_PX), np.uint8)
    side_light, roundness = random.uniform(-0.35, 0.35), random.uniform(0.2, 0.55)
    for start, end, first, last in bones(random):
        ends = [turn @ (point - aim) + place for point in (start, end)]
        where, depth = capsule(ends[0], ends[1], first * width_px, last * width_px)
        across = depth[..., 0]
        inside = np.abs(across) < 1
        shade = 1 - roundness * across**2 * np.abs(across) + side_light * flip * across
        shade = shade * np.float32(random.uniform(0.92, 1.08))
        picture[where][inside] = (shade[..., None] * tone)[inside]
        mask[where][inside] = 255
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.6, 2.0))
    covered = np.maximum(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.0), 0.05)
    fine = np.clip(picture / covered[..., None], 0, 255).astype(np.uint8)
    coarse = cv2.resize(fine, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    grain = cv2.GaussianBlur(random.standard_normal((SIDE_PX, SIDE_PX), dtype=np.float32), (0, 0), 1.2)
    coarse *= 1 + grain[..., None] * np.float32(random.uniform(0, 0.15))
    opacity = shrunk(mask)
    return Cover(np.clip(coarse, 0, 255).astype(np.uint8), opacity, opacity)


def placed(
    random: np.random.Generator, cut_out: np.ndarray, place: np.ndarray, size_px: float, angle_deg: float
) -> np.ndarray:
    """Return a cut-out (S, S, 4) turned, scaled and mirrored at random, its middle at a point: (128, 128, 4)."""
    source_px = cut_out.shape[0]
    matrix = cv2.getRotationMatrix2D((source_px / 2, source_px / 2), angle_deg, size_px / source_px)
    if random.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, source_px - 1], [0, 1, 0], [0, 0, 1]])
    matrix[:, 2] += place - source_px / 2
    return cv2.warpAffine(cut_out, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR)


def real_hand(random: np.random.Generator, patch: Patch, hands: np.ndarray) -> Cover:
    """A hand cut out of a clip (hands (N, S, S, 4)), usually in the colour of this face."""
    hand = hands[random.integers(0, len(hands))]
    size_px = patch.side_px * random.uniform(0.5, 1.4)
    layer = placed(random, hand, place_on_face(random, patch), size_px, random.uniform(-180, 180))
    picture, opacity = layer[..., :3].astype(np.float32), layer[..., 3].astype(np.float32) / 255.0
    shown = opacity > 0.5
    if shown.any() and random.random() < 0.75:
        own = np.median(picture[shown], axis=0)
        contrast = random.uniform(0.9, 1.6)
        tone = patch.skin() * np.exp(random.normal(0, 0.06, 3)) * np.exp(random.normal(0, 0.12))
        picture = (picture - own) * contrast * (tone.mean() / max(own.mean(), 1)) + tone
    return Cover(np.clip(picture, 0, 255).astype(np.uint8), opacity, opacity)
