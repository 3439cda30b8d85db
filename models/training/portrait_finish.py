"""Finish an averaged portrait: give back fine texture, cut it out, put it before the bundled people's grey backdrop.

Last stage of composites.py. Knows pictures and mean landmarks; nothing about how the average was made.
"""

from itertools import pairwise

import cv2
import numpy as np

from models.training.faces import FACE_OVAL

BACKDROP_BGR = (198.0, 200.0, 199.0)
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
BANDS_PX = (0.8, 1.6, 3.2, 6.4)  # finer than 0.8 px the 256 px pictures hold nothing
GAIN_LIMIT = 1.7
GRAIN_SHARE = 0.5  # of the texture energy the gain could not give back
GRAIN_LIMIT = 3.0  # grey levels; more reads as sensor noise


def restore_texture(mean: np.ndarray, stack: np.ndarray, seed: int) -> np.ndarray:
    """Give an average the fine contrast that its faces have: bounded gain per band, then grain for what is left.

    Args: mean (H, W, 3) float32; stack (N, H, W, 3) uint8, the faces behind it. Returns: (H, W, 3) float32 BGR.
    """
    luma = mean @ LUMA
    added = np.zeros_like(luma)
    noise = np.random.default_rng(seed).standard_normal(luma.shape).astype(np.float32)
    members = [image @ LUMA for image in stack[::2]]
    for fine, coarse in pairwise(BANDS_PX):
        own = _band(luma, fine, coarse)
        own_energy = cv2.GaussianBlur(own**2, (0, 0), 2 * coarse) + 0.05
        energies = [cv2.GaussianBlur(_band(member, fine, coarse) ** 2, (0, 0), 2 * coarse) for member in members]
        energy = np.median(energies, axis=0).astype(np.float32)
        gain = np.clip(np.sqrt(energy / own_energy), 1, GAIN_LIMIT)
        added += (gain - 1) * own
        if fine < BANDS_PX[2]:
            missing = np.sqrt(np.maximum(energy - gain**2 * own_energy, 0)) * GRAIN_SHARE
            grain = _band(noise, fine, coarse)
            added += np.minimum(missing, GRAIN_LIMIT) * grain / grain.std()
    return mean + added[..., None]


def _band(plane: np.ndarray, fine_px: float, coarse_px: float) -> np.ndarray:
    return cv2.GaussianBlur(plane, (0, 0), fine_px) - cv2.GaussianBlur(plane, (0, 0), coarse_px)


def matte(picture: np.ndarray, landmarks: np.ndarray, headroom_px: int) -> np.ndarray:
    """Return the (H, W) float32 0..1 share of the person in each pixel of a (H, W, 3) uint8 BGR picture.

    The person is what differs from the plain backdrop (the colour along the picture's sides), hangs
    together with the face and has no holes; the edge follows the picture's own softness.
    """
    height, width = picture.shape[:2]
    oval = landmarks[list(FACE_OVAL), :2]
    centre = oval.mean(axis=0)
    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    backdrop = _backdrop(lab, side_px=width // 16, bottom_px=int(centre[1]))
    distance = np.linalg.norm((lab - backdrop) * (1.0, 1.6, 1.6), axis=-1)
    distance[:headroom_px] = 0
    face = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(face, np.int32(cv2.convexHull(np.float32(oval))), 1)
    hard = cv2.morphologyEx(((distance > 13) | (face > 0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    _, parts = cv2.connectedComponents(hard)
    hard = (parts == parts[int(centre[1]), int(centre[0])]).astype(np.uint8)
    outside = np.pad(hard, 1)  # flooded from the border: what the flood does not reach are holes
    outside[-1] = 1
    cv2.floodFill(outside, None, (0, 0), 2)
    filled = (outside[1:-1, 1:-1] != 2).astype(np.uint8)
    inside = cv2.erode(filled, np.ones((9, 9), np.uint8)) > 0
    near = cv2.dilate(filled, np.ones((11, 11), np.uint8)) > 0
    soft = np.where(inside, 1, np.where(near, np.clip((distance - 5) / 18, 0, 1), 0)).astype(np.float32)
    soft *= np.clip((np.arange(height, dtype=np.float32) - headroom_px + 4) / 8, 0, 1)[:, None]
    return cv2.GaussianBlur(soft, (0, 0), 1.5)


def _backdrop(lab: np.ndarray, side_px: int, bottom_px: int) -> np.ndarray:
    """The backdrop everywhere, (H, W, 3): from the colour at the left border to that at the right one."""
    left, right = lab[:bottom_px, :side_px].reshape(-1, 3), lab[:bottom_px, -side_px:].reshape(-1, 3)
    share = np.linspace(0, 1, lab.shape[1], dtype=np.float32)[None, :, None]
    return np.median(left, axis=0) * (1 - share) + np.median(right, axis=0) * share


def before_backdrop(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Put the person before the backdrop: grey, a little darker towards the corners, with a trace of grain.

    Args: picture (H, W, 3) float32 BGR; alpha (H, W) float32 0..1. Returns: (H, W, 3) uint8.
    """
    height, width = alpha.shape
    y, x = np.mgrid[-1 : 1 : 1j * height, -1 : 1 : 1j * width].astype(np.float32)
    shade = 1.03 - 0.06 * np.minimum((x**2 + (y + 0.3) ** 2) / 2, 1)
    backdrop = np.array(BACKDROP_BGR, np.float32) * shade[..., None]
    return np.uint8(np.clip(np.rint(backdrop + (picture - backdrop) * alpha[..., None]), 0, 255))
