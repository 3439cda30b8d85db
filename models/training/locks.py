"""Hair over faces: other people's hair pulled over forehead and cheeks, and drawn strands. Covers, see covers.py."""

import cv2
import numpy as np

from models.training.covers import DRAWN_PX, SIDE_PX, Cover, Patch, canvas, polygon, shrunk

HAIR_COLOURS = ((18, 20, 26), (25, 35, 55), (40, 65, 105), (75, 115, 160), (120, 165, 200), (45, 70, 150))
HAIR_COLOURS += ((160, 165, 170),)
BROWS = (105, 334)
STRAND_POINTS = 8


def recoloured(random: np.random.Generator, picture: np.ndarray, opacity: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Return hair (H, W, 3) in another colour: of people, dyed, or, hardest to tell, near the skin's."""
    shown = picture[opacity > 0.5].astype(np.float32)
    kind = random.random()
    if kind < 0.3 or len(shown) < 20:
        return picture
    luma = picture.astype(np.float32).mean(axis=2)
    middle, spread = np.median(shown.mean(axis=1)), shown.mean(axis=1).std() + 4
    if kind < 0.75:
        target = np.array(HAIR_COLOURS[random.integers(0, len(HAIR_COLOURS))]) * np.exp(random.normal(0, 0.2))
    elif kind < 0.93:
        target = skin * random.uniform(0.6, 1.15) * np.exp(random.normal(0, 0.06, 3))
    else:
        target = random.uniform(0, 255, 3)
    relief = (luma - middle) / spread * random.uniform(0.12, 0.4)
    return np.clip(target * (1 + relief[..., None]) + relief[..., None] * 12, 0, 255).astype(np.uint8)


def wig(random: np.random.Generator, patch: Patch, hair: np.ndarray, hair_landmarks: np.ndarray) -> Cover:
    """Someone's hair over this face, lower than it grew: real hairlines where there was forehead or cheek.

    Args: hair (N, S, S, 4) in place; hair_landmarks (N, 478, 2) px of the faces it was cut from.
    """
    number = int(random.integers(0, len(hair)))
    source, target = hair_landmarks[number], patch.landmarks
    ends = (127, 356, 152)  # temples and chin
    matrix = cv2.getAffineTransform(source[list(ends)].astype(np.float32), target[list(ends)].astype(np.float32))
    if random.random() < 0.5:
        swapped = target[[356, 127, 152]].astype(np.float32)
        matrix = cv2.getAffineTransform(source[list(ends)].astype(np.float32), swapped)
    centre, side_px = target[1], patch.side_px
    angle_deg, narrow, longer = random.normal(0, 7), random.uniform(0.72, 1.05), random.uniform(0.85, 1.25)
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    change = np.array([[cosine * narrow, -sine * longer], [sine * narrow, cosine * longer]])
    drop = np.array([random.normal(0, 0.05), random.uniform(-0.03, 0.32)]) * side_px
    whole = change @ matrix
    whole[:, 2] += centre - change @ centre + drop
    layer = cv2.warpAffine(hair[number], whole, (SIDE_PX, SIDE_PX))
    opacity = layer[..., 3].astype(np.float32) / 255.0
    return Cover(recoloured(random, layer[..., :3], opacity, patch.skin()), opacity, opacity, near=True)


def strand_paths(random: np.random.Generator, patch: Patch) -> np.ndarray:
    """Return (N, 8, 2) px of strands that fall from above the hairline over the forehead or down one cheek."""
    points, side_px = patch.landmarks, patch.side_px
    left, right = sorted(points[[127, 356], 0])
    top = points[10, 1]
    count = int(np.exp(random.uniform(np.log(6), np.log(300))))
    roots = random.uniform(left, right, count)
    if random.random() < 0.5:  # gathered in a few locks
        locks = random.uniform(left, right, int(random.integers(1, 6)))
        roots = locks[random.integers(0, len(locks), count)] + random.normal(0, 0.05 * side_px, count)
    brows_y = points[list(BROWS), 1].mean()
    deepest = random.uniform(0.15, 1.2) if random.random() < 0.75 else random.uniform(1.2, 4.0)
    lengths = (brows_y - top) * deepest * random.uniform(0.6, 1.0, count)
    parting = random.uniform(left, right)
    sweep = random.normal(0, 0.5) + (roots - parting) / max(right - left, 1.0) * random.uniform(-0.5, 1.5)
    share = np.linspace(0, 1, STRAND_POINTS)
    start_y = top - side_px * random.uniform(0.2, 0.4)
    fall = (top - start_y) + lengths
    curl = random.normal(0, 0.04) * side_px * np.sin(share * random.uniform(1, 8))[None]
    x = roots[:, None] + (sweep * fall)[:, None] * share[None] ** 1.5 + curl
    x = x + random.normal(0, 0.006 * side_px, (count, STRAND_POINTS)).cumsum(axis=1)
    return np.dstack([x, start_y + fall[:, None] * share[None]])


def strands(random: np.random.Generator, patch: Patch) -> Cover:
    """A fringe or loose strands, each with its own shade of one hair colour."""
    paths = strand_paths(random, patch)
    colour = np.array(HAIR_COLOURS[random.integers(0, len(HAIR_COLOURS))], np.float64) * np.exp(random.normal(0, 0.25))
    if random.random() < 0.25:
        colour = patch.skin() * random.uniform(0.5, 1.15)
    picture = np.zeros((DRAWN_PX, DRAWN_PX, 3), np.uint8)
    picture[:] = np.clip(colour, 0, 255)
    mask, pen = canvas(), int(random.choice((1, 1, 2, 2, 3, 4)))
    for path in paths:
        shade = np.clip(colour * np.exp(random.normal(0, 0.25)) + random.normal(0, 4), 0, 255).tolist()
        line = [polygon(path)]
        cv2.polylines(picture, line, False, shade, pen + 2, cv2.LINE_8, 4)
        cv2.polylines(mask, line, False, 255, pen, cv2.LINE_AA, 4)
    coarse = cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    opacity = np.clip(shrunk(mask) * 1.15, 0, 1)
    return Cover(coarse, opacity, opacity, near=True)
