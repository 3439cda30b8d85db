"""The visible badge on swapped pictures. Knows pixel formats, nothing about why a picture is marked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from live.pixels import host
from live.values import Box, Frame, Pixels


@dataclass(frozen=True, slots=True)
class Badge:
    """What the badge says and where."""

    text: str = "face swapped"
    corner: str = "bottom-right"


def mark(frame: Frame, badge: Badge) -> None:
    """Draw the badge into a frame, in place. Frames too small to hold it legibly are left as they are."""
    picture, alpha = _drawn(badge.text, frame.height_px)
    height_px, width_px = alpha.shape
    margin_px = max(2, frame.height_px // 60) // 2 * 2
    if width_px + 2 * margin_px > frame.width_px or height_px + 2 * margin_px > frame.height_px:
        return
    host.paste(frame, _place(badge.corner, frame, width_px, height_px, margin_px), picture, alpha)


def _place(corner: str, frame: Frame, width_px: int, height_px: int, margin_px: int) -> Box:
    left = margin_px if corner.endswith("left") else (frame.width_px - width_px - margin_px) // 2 * 2
    top = margin_px if corner.startswith("top") else (frame.height_px - height_px - margin_px) // 2 * 2
    return left, top, left + width_px, top + height_px


@lru_cache(maxsize=8)
def _drawn(text: str, frame_height_px: int) -> tuple[Pixels, Pixels]:
    """White letters on a dark rounded bar, (h, w, 3) BGR and (h, w) alpha, even sizes, 1/18 of the frame's height."""
    letter = max(frame_height_px / 850, 0.3)
    thickness = max(1, round(letter * 1.4))
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, letter, thickness)
    pad = max(3, round(text_height * 0.45))
    height_px = (text_height + below + 2 * pad + 1) // 2 * 2
    width_px = (text_width + 3 * pad + 1) // 2 * 2
    picture = np.full((height_px, width_px, 3), 24, np.uint8)
    alpha = np.zeros((height_px, width_px), np.uint8)
    radius = height_px // 3
    cv2.rectangle(alpha, (radius, 0), (width_px - radius - 1, height_px - 1), 150, cv2.FILLED)
    cv2.rectangle(alpha, (0, radius), (width_px - 1, height_px - radius - 1), 150, cv2.FILLED)
    for x in (radius, width_px - radius - 1):
        for y in (radius, height_px - radius - 1):
            cv2.circle(alpha, (x, y), radius, 150, cv2.FILLED, cv2.LINE_AA)
    letters = np.zeros((height_px, width_px), np.uint8)
    origin = (round(pad * 1.5), pad + text_height)
    cv2.putText(letters, text, origin, cv2.FONT_HERSHEY_SIMPLEX, letter, 255, thickness, cv2.LINE_AA)
    picture = np.maximum(picture, letters[..., None])
    return picture, np.maximum(alpha, letters)
