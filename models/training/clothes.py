"""Clothes over faces: masks, scarves, hats, headscarves. Covers, see covers.py."""

import cv2
import numpy as np

from models.training import faces
from models.training.covers import SIDE_PX, Cover, Patch, canvas, lit, material, polygon, solid

JAW = faces.FACE_OVAL[8:29]  # ear, chin, ear
MASK_COLOURS = ((230, 200, 150), (240, 240, 240), (35, 35, 38), (190, 175, 160))  # BGR
MASK_ENDS = ((234, 454), (93, 323), (132, 361))  # where its upper edge meets the face's outline
MASK_TOPS = (6, 197, 195, 5, 4, 2)  # from the bridge of the nose to below its tip


def face_mask(random: np.random.Generator, patch: Patch) -> Cover:
    """A surgical or cloth mask: from the bridge of the nose, or below the nose, to under the chin, with its straps."""
    points, mask, side_px = patch.landmarks, canvas(), patch.side_px
    top = points[random.choice(MASK_TOPS)]
    ends = points[random.choice(MASK_ENDS)]
    jaw, nose = points[list(JAW)], points[1]
    below = jaw[jaw[:, 1] > ends[:, 1].mean()]
    below = nose + (below - nose) * random.uniform(0.98, 1.1) + (0, random.uniform(0, 0.05) * side_px)
    cheeks = [(end + top) / 2 + (0, random.uniform(-0.05, 0.12) * side_px) for end in ends]
    outline = np.array([ends[1], *below, ends[0], cheeks[0], top, cheeks[1]])
    cv2.fillPoly(mask, [polygon(outline)], 255, cv2.LINE_AA, 4)
    soft = int(random.integers(1, 6)) * 2 + 1
    mask = cv2.threshold(cv2.blur(mask, (soft, soft)), 127, 255, cv2.THRESH_BINARY)[1]
    if random.random() < 0.5:
        for end, ear in zip(ends, points[[127, 356]], strict=True):
            cv2.line(mask, *(polygon(p).tolist() for p in (end, ear)), 255, int(random.integers(1, 4)), cv2.LINE_AA, 4)
    if random.random() < 0.4:
        return solid(material(random, patch.image), mask, near=True)
    surface = np.empty((SIDE_PX, SIDE_PX, 3), np.float32)
    surface[:] = random.choice(MASK_COLOURS) + random.normal(0, 12, 3)
    folds = np.sin(np.arange(SIDE_PX) * random.uniform(0.2, 0.9) + random.uniform(0, 6)) * random.uniform(0, 0.12)
    return solid(lit(random, np.clip(surface * (1 + folds[:, None, None]), 0, 255).astype(np.uint8)), mask, near=True)


def wavy(random: np.random.Generator, y: float, left: float, right: float, height_px: float) -> np.ndarray:
    """Return a (24, 2) px curve from the patch's left to its right: through y, arched, uneven."""
    x = np.linspace(-8, SIDE_PX + 8, 24)
    share = np.clip((x - left) / max(right - left, 1.0), -0.3, 1.3) * 2 - 1
    uneven = random.normal(0, 0.03) * np.sin(share * random.uniform(2, 9) + random.uniform(0, 6))
    lean = share * random.normal(0, 0.08)
    return np.column_stack([x, y + height_px * (share**2 - 0.3) + (lean + uneven) * (right - left)])


def scarf(random: np.random.Generator, patch: Patch) -> Cover:
    """A scarf, a collar, a blanket: everything below a line between chin and nose."""
    points = patch.landmarks
    y = points[1, 1] + (points[152, 1] - points[1, 1]) * random.uniform(0.15, 1.05)
    left, right = sorted(points[[234, 454], 0])
    line = wavy(random, y, left, right, patch.side_px * random.uniform(-0.15, 0.1))
    outline = np.concatenate([line, [[SIDE_PX + 8, SIDE_PX + 8], [-8, SIDE_PX + 8]]])
    mask = canvas()
    cv2.fillPoly(mask, [polygon(outline)], 255, cv2.LINE_AA, 4)
    return solid(material(random, patch.image), mask, near=True)


def hat(random: np.random.Generator, patch: Patch) -> Cover:
    """A cap, a beanie, a helmet, a headscarf: everything above a line between hairline and brows, domed or not."""
    points, side_px = patch.landmarks, patch.side_px
    left, right = sorted(points[[127, 356], 0])
    y = points[10, 1] + (points[9, 1] - points[10, 1]) * random.uniform(-0.5, 0.95)
    line = wavy(random, y, left, right, side_px * random.uniform(-0.1, 0.2))
    middle, half = (left + right) / 2, (right - left) * random.uniform(0.55, 0.9)
    if random.random() < 0.6:  # to the patch's top, as wide as the head or wider
        line = line[np.abs(line[:, 0] - middle) < half]
        outline = np.concatenate([line, [[middle + half, -30], [middle - half, -30]]])
    else:
        outline = np.concatenate([line, [[SIDE_PX + 8, -30], [-8, -30]]])
    mask = canvas()
    cv2.fillPoly(mask, [polygon(outline)], 255, cv2.LINE_AA, 4)
    if random.random() < 0.3:  # a headscarf goes down at both sides
        for x, way in ((left, -1), (right, 1)):
            edge = x + way * side_px * random.uniform(-0.12, 0.08)
            side = np.array([[edge, y], [edge, SIDE_PX + 8], [edge + way * 60, SIDE_PX + 8], [edge + way * 60, y]])
            cv2.fillPoly(mask, [polygon(side)], 255, cv2.LINE_AA, 4)
    return solid(material(random, patch.image), mask, near=True)
