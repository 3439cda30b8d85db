"""Closing eyes: the upper lid of a labelled face drawn down over the eye, picture and landmarks alike.

Pictures of people looking into cameras hardly show closed eyes. Knows landmarks; knows nothing about patches.
"""

import cv2
import numpy as np

from models.training import faces

# Of each eye: corners, upper lid's edge between them, lower one's, and the lower edge of the brow.
EYES = (
    ((33, 133), (246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), (46, 53, 52, 65, 55)),
    ((362, 263), (398, 384, 385, 386, 387, 388, 466), (382, 381, 380, 374, 373, 390, 249), (285, 295, 282, 283, 276)),
)
STRETCHED = 0.8  # of the way from the lid's edge up to the brow
LEAST_WIDE_PX = 6.0  # narrower eyes are seen from the side
WINK_CHANCE = 0.15
WHOLLY_CHANCE = 0.6


def closed(random: np.random.Generator, picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Close the eyes of an upright face (478, 3) px in a picture (H, W, 3), wholly or in part, sometimes only one."""
    amount = 1.0 if random.random() < WHOLLY_CHANCE else random.uniform(0.2, 0.95)
    amounts = [amount, amount]
    if random.random() < WINK_CHANCE:
        amounts[int(random.integers(2))] = 0.0
    picture, points = picture.copy(), points.copy()
    for eye, share in zip(EYES, amounts, strict=True):
        if share:
            close(picture, points, eye, share)
    return picture, points


def close(picture: np.ndarray, points: np.ndarray, eye: tuple, share: float) -> None:
    """Draw one upper lid down by a share of the eye's opening, in place: picture (H, W, 3) and points (478, 3) px."""
    corners, upper, lower, brow = eye
    first, last = points[corners[0], :2].copy(), points[corners[1], :2].copy()
    wide_px = float(np.linalg.norm(last - first))
    if wide_px < LEAST_WIDE_PX or last[0] <= first[0]:
        return
    along = (last - first) / wide_px
    turn = np.array([along, [-along[1], along[0]]])  # picture -> x along the eye, y down
    local = (points[:, :2] - first) @ turn.T
    lines = [_line(local, (*corners, *row)) for row in (upper, lower)] + [_line(local, brow)]
    mesh = np.arange(faces.MESH_LANDMARKS)
    inside = mesh[(local[mesh, 0] > 0) & (local[mesh, 0] < wide_px)]
    local[inside, 1] = _moved(local[inside, 0], local[inside, 1], lines, share)
    _draw(picture, first, turn, wide_px, lines, share)
    points[inside, :2] = local[inside] @ turn + first


def _line(local: np.ndarray, numbers: tuple[int, ...]) -> np.ndarray:
    """Return the named points (N, 2) in the order of x."""
    row = local[list(numbers)]
    return row[np.argsort(row[:, 0])]


def _edges(x: np.ndarray, lines: list[np.ndarray], share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, at each x, y of where the skin starts to stretch, of the lid's edge, and of where that edge goes."""
    upper, lower, brow = (np.interp(x, line[:, 0], line[:, 1]) for line in lines)
    start = upper + STRETCHED * np.minimum(brow - upper, -1.0)
    return start, upper, upper + share * np.maximum(lower - upper, 0)


def _moved(x: np.ndarray, y: np.ndarray, lines: list[np.ndarray], share: float) -> np.ndarray:
    """Return where points of the lid go: y, px."""
    start, edge, goal = _edges(x, lines, share)
    on_lid = (y > start) & (y <= edge + 0.05)
    return np.where(on_lid, start + (y - start) * (goal - start) / (edge - start), y)


def _draw(
    picture: np.ndarray, origin: np.ndarray, turn: np.ndarray, wide_px: float, lines: list[np.ndarray], share: float
) -> None:
    """Draw the stretched lid into the picture."""
    top, bottom = min(line[:, 1].min() for line in lines), lines[1][:, 1].max()
    box = np.array([[0, top], [wide_px, top], [0, bottom], [wide_px, bottom]]) @ turn + origin
    low = np.maximum(np.floor(box.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(box.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if (high <= low).any():
        return
    columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    local = (np.stack([columns, rows], axis=-1) - origin) @ turn.T
    x, y = local[..., 0], local[..., 1]
    start, edge, goal = _edges(x, lines, share)
    on_lid = (x > 0) & (x < wide_px) & (y > start) & (y < goal)
    source = np.where(on_lid, start + (y - start) * (edge - start) / np.maximum(goal - start, 1e-3), y)
    at = (np.stack([x, source], axis=-1) @ turn + origin).astype(np.float32)
    picture[low[1] : high[1], low[0] : high[0]] = cv2.remap(picture, at, None, cv2.INTER_LINEAR)
