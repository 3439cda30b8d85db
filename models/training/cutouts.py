"""Real things cut out of the training pictures, to be laid over other faces: hands from clips, hair from portraits.

A cut-out is a (S, S, 4) uint8 picture, BGR and opacity. Whatever it shows, once it is laid over a face the label is
exact; so the segmentation here may be rough. Knows pictures and labels, nothing about samples.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from models.training import faces
from models.training.mask_labels import disc, filled

HAND_PX = 128
HAND_SHIFT_LEVELS = 14  # from the clip's median picture: hands move, necks do not
HAND_AREA = (1.2, 14.0)  # in squared eye distances
HAND_SOLID = 0.6  # of its convex hull: leaves out letters and stripes
HAND_SPREAD = (12.0, 1.6, 1.6)  # least deviation of L, a, b taken for skin
HAIR_SPREAD = (8.0, 2.5, 2.5)
HAIR_AREA = (0.02, 0.3)  # of the crop
FACE_OVERLAP = 0.02


def lab_of(image: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) float32 L, a, b in OpenCV's 0..255 scales."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)


def distance_to(colours: np.ndarray, samples: np.ndarray, least: tuple[float, ...]) -> np.ndarray:
    """Return the squared deviations (..., 3) of colours from samples (N, 3), each measured by their robust spread."""
    middle = np.median(samples, axis=0)
    spread = np.median(np.abs(samples - middle), axis=0) * 1.48 + np.array(least, np.float32)
    return ((colours - middle) / spread) ** 2


def cut_out(image: np.ndarray, mask: np.ndarray, size_px: int) -> np.ndarray:
    """Return the masked part (mask (H, W) bool) as a (size, size, 4) picture, scaled to fit, centred, softly edged."""
    y, x = np.nonzero(mask)
    box = (slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1))
    part = np.dstack([image[box], mask[box].astype(np.uint8) * 255])
    scale = (size_px - 4) / max(part.shape[:2])
    part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA)
    # The outermost pixels are half background: eaten away, then softened.
    part[..., 3] = cv2.blur(cv2.erode(part[..., 3], disc(max(scale, 1.0))), (3, 3))
    result = np.zeros((size_px, size_px, 4), np.uint8)
    top, left = (size_px - part.shape[0]) // 2, (size_px - part.shape[1]) // 2
    result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result


def moving_skin(frame: np.ndarray, median: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return the (H, W) uint8 mask 0/1 of what has the face's colour and is not there most of the time."""
    oval = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillConvexPoly(oval, np.round(face[list(faces.FACE_OVAL), :2]).astype(np.int32), 1)
    lab = lab_of(frame)
    off = distance_to(lab, lab[oval > 0], HAND_SPREAD)
    skin = (off[..., 1:].sum(axis=2) < 9) & (off[..., 0] < 7)
    moved = np.abs(frame.astype(np.float32) - median).max(axis=2) > HAND_SHIFT_LEVELS
    found = cv2.morphologyEx((skin & moved).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))


def hands_in(frame: np.ndarray, median: np.ndarray, face: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the hands (and arms) of one clip frame that do not touch its face (478, 3)."""
    found = moving_skin(frame, median, face)
    near = np.zeros_like(found)
    cv2.fillConvexPoly(near, np.round(face[list(faces.FACE_OVAL), :2]).astype(np.int32), 1)
    near = cv2.dilate(near, disc(3))
    eyes_px = float(faces.eye_distance_px(face))
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(found)
    for number in range(1, count):
        area, mask = stats[number, cv2.CC_STAT_AREA], numbers == number
        if not HAND_AREA[0] < area / eyes_px**2 < HAND_AREA[1] or (mask & (near > 0)).sum() > FACE_OVERLAP * area:
            continue
        hull = cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.int32))
        if area > HAND_SOLID * cv2.contourArea(hull):
            yield cut_out(frame, mask, HAND_PX)


def hands_of_clip(labelled: list[faces.Labelled]) -> list[np.ndarray]:
    """Return the hands of the labelled frames of one clip."""
    median = np.median(np.stack([row.image for row in labelled]), axis=0)
    return [hand for row in labelled if len(row.faces) for hand in hands_in(row.image, median, row.faces[0])]


def hands_of(frames: Iterable[faces.Labelled]) -> np.ndarray:
    """Return (N, 128, 128, 4) hands of training clips whose frames come clip by clip."""
    clips: dict[str, list[faces.Labelled]] = {}
    for row in frames:
        if not row.held_out:
            clips.setdefault(row.name.split("/")[0], []).append(row)
    hands = [hand for rows in clips.values() for hand in hands_of_clip(rows)]
    return np.stack(hands) if hands else np.zeros((0, HAND_PX, HAND_PX, 4), np.uint8)


def hair_of(crop: np.ndarray, label: np.ndarray, landmarks: np.ndarray, corners: np.ndarray) -> np.ndarray | None:
    """Return the hair of an upright crop in its place, (S, S, 4), or None where it cannot be told from the rest.

    It grows, by colour, from just above the hairline; what is nearer to the colours of skin or background is left out.
    Args: label (S, S) uint8 visible face; landmarks (478, 3), corners (4, 2) of the picture, px of the crop.
    """
    size_px, side_px = len(crop), faces.patch_square(landmarks)[1] / faces.PATCH_SCALE
    inside, face = filled([corners], size_px) > 0, label > 127
    top = np.where(face.any(axis=0), face.argmax(axis=0), size_px)
    y, x = np.mgrid[:size_px, :size_px]
    above = (y < top - 0.04 * side_px) & (y > top - 0.16 * side_px)
    seed = above & (x > landmarks[103, 0]) & (x < landmarks[332, 0]) & inside & ~face
    beside = inside & (y < landmarks[10, 1]) & (np.abs(x - landmarks[10, 0]) > 0.75 * side_px)
    if seed.sum() < 0.02 * side_px**2 or beside.sum() < 50 or face.sum() < 50:
        return None
    lab = lab_of(crop)
    hair, skin, rest = (distance_to(lab, lab[part], HAIR_SPREAD).sum(axis=2) for part in (seed, face, beside))
    found = ((hair < 14) & (hair < skin) & (hair < rest) & inside & ~face).astype(np.uint8)
    found = cv2.morphologyEx(cv2.morphologyEx(found, cv2.MORPH_CLOSE, disc(2)), cv2.MORPH_OPEN, disc(1))
    count, numbers = cv2.connectedComponents(found * (~face).astype(np.uint8))
    votes = np.bincount(numbers[seed], minlength=count)
    votes[0] = 0
    mask = numbers == votes.argmax()
    if votes.max() < 0.3 * seed.sum() or not HAIR_AREA[0] < mask.mean() < HAIR_AREA[1]:
        return None
    opacity = cv2.GaussianBlur(mask.astype(np.uint8) * 255, (0, 0), 0.7)
    return np.dstack([crop, opacity])
