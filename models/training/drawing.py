"""Drawing cut-outs: (128, 128, 4) uint8 pictures, BGR and opacity, of one thing. Knows shapes and light, no things."""

import cv2
import numpy as np

from models.training import surfaces
from models.training.surfaces import to_bytes

SIDE_PX = 128
MIDDLE = SIDE_PX / 2


def empty() -> np.ndarray:
    """Return a (128, 128) uint8 mask of nothing."""
    return np.zeros((SIDE_PX, SIDE_PX), np.uint8)


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of every pixel from the middle, (128, 128) float32, -1..1 at the edges."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float32)
    return (x - MIDDLE) / MIDDLE, (y - MIDDLE) / MIDDLE


def cut_out(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return picture (128, 128, 3) of any type and mask (128, 128) uint8 as one cut-out with soft edges."""
    return np.dstack([to_bytes(picture), cv2.blur(mask, (3, 3))])


def relief(random: np.random.Generator, mask: np.ndarray, colour: np.ndarray, bumps: float = 0.0) -> np.ndarray:
    """Return a (128, 128, 3) float picture of a mask as a rounded body of one colour under one light."""
    depth = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)[1:-1, 1:-1]
    height = np.sqrt(np.minimum(depth, random.uniform(6, 40)) + 0.1) * random.uniform(1.0, 4.0)
    height = height + bumps * surfaces.octaves(random, SIDE_PX, SIDE_PX)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), random.uniform(0.8, 3.0))
    slope_x, slope_y = cv2.Sobel(height, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(height, cv2.CV_32F, 0, 1) / 8
    light = np.array([random.normal(0, 0.6), random.uniform(-1.0, 0.4), 1.0])
    light /= np.linalg.norm(light)
    lit = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    picture = colour * (0.25 + 0.85 * lit.clip(0, 1.2))[..., None]
    shine = random.uniform(0, 1) ** 2
    return picture + (255 * shine * lit.clip(0, 1) ** random.uniform(8, 40))[..., None]


def ellipse(
    mask: np.ndarray, x: float, y: float, wide: float, high: float, angle_deg: float = 0.0, value: int = 255
) -> None:
    """Fill an ellipse with this centre and these whole axes, in px."""
    cv2.ellipse(mask, ((float(x), float(y)), (float(max(wide, 1)), float(max(high, 1))), float(angle_deg)), value, -1)
