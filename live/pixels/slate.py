"""The slate: the calm picture shown instead of one that must not be seen.

Drawn once per size and text, never in the frame path. Knows nothing about when it is shown.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.values import Pixels

TOP_BGR, BOTTOM_BGR = (58, 44, 38), (30, 22, 18)
"""Slate blue, darker below: far from black, so nobody takes it for a broken camera."""
TEXT_BGR = (232, 226, 220)
QUIET_BGR = (150, 138, 126)
SHADOW_BGR = (96, 82, 72)
MARK_BGR = (168, 196, 96)
SMALLEST_TEXT_PX = 60
"""Below this height only the mark is drawn: words could not be read."""
SMALLEST_DETAIL_PX = 160


def draw_slate(width_px: int, height_px: int, text: str = "face hidden", detail: str = "") -> Pixels:
    """Draw a slate.

    Args: width_px, height_px at least 16; text the one line to read, shortened to fit, ASCII; detail a smaller second
    line.
    Returns: (height_px, width_px, 3) BGR.
    Raises: ValueError for a size below 16 px.
    """
    if min(width_px, height_px) < 16:
        raise ValueError(f"a slate needs at least 16 px a side, got {width_px}x{height_px}")
    picture = _background(width_px, height_px)
    unit = min(width_px * 0.75, height_px) / 100.0
    centre_x, centre_y = width_px // 2, height_px // 2
    if height_px < SMALLEST_TEXT_PX or width_px < SMALLEST_TEXT_PX:
        _draw_mask(picture, centre_x, centre_y, min(width_px, height_px) * 0.36)
        return picture
    _draw_mask(picture, centre_x, round(centre_y - 15 * unit), 16 * unit)
    _draw_line(picture, text, round(centre_y + 19 * unit), 7.0 * unit, TEXT_BGR)
    if detail and height_px >= SMALLEST_DETAIL_PX:
        _draw_line(picture, detail, round(centre_y + 29 * unit), 4.2 * unit, QUIET_BGR)
    _draw_mark(picture, unit)
    return picture


def _background(width_px: int, height_px: int) -> Pixels:
    """(H, W, 3): a soft vertical fall, rounded with a fixed pattern so that it shows no bands."""
    fall = np.linspace(0.0, 1.0, height_px, dtype=np.float32)[:, None, None]
    column = np.array(TOP_BGR, np.float32) * (1 - fall) + np.array(BOTTOM_BGR, np.float32) * fall  # (H, 1, 3)
    grain = np.array([[0.125, 0.625], [0.875, 0.375]], np.float32)
    tiled = np.tile(grain, (-(-height_px // 2), -(-width_px // 2)))[:height_px, :width_px, None]
    return np.asarray(np.floor(column + tiled), np.uint8)


def _draw_mask(picture: Pixels, x: int, y: int, radius: float) -> None:
    """Head and shoulders as a shadow, a bar over the eyes; about 2 x `radius` high."""

    def oval(at_y: float, half_width: float, half_height: float, end_degrees: int) -> None:
        axes = (round(half_width * 16), round(half_height * 16))  # 4 bits of sub-pixel
        cv2.ellipse(picture, (x * 16, round(at_y * 16)), axes, 180, 0, end_degrees, SHADOW_BGR, -1, cv2.LINE_AA, 4)

    head_y = y - 0.35 * radius
    oval(y + radius, 0.95 * radius, 0.72 * radius, 180)
    oval(head_y, 0.5 * radius, 0.62 * radius, 360)
    left, right = round(x - 0.62 * radius), round(x + 0.62 * radius)
    top, bottom = round(head_y - 0.24 * radius), round(head_y + 0.08 * radius)
    cv2.rectangle(picture, (left, top), (right, max(top + 1, bottom)), TEXT_BGR, -1)


def _draw_line(picture: Pixels, text: str, baseline: int, height: float, colour: tuple[int, int, int]) -> None:
    """One centred line of text, letters `height` px high, scaled down and then cut to stay in the picture."""
    text = text.encode("ascii", "replace").decode()[:120]
    font = cv2.FONT_HERSHEY_SIMPLEX
    room = picture.shape[1] * 0.92
    scale = height / 22.0  # the font's capitals are 22 px high at scale 1
    width = cv2.getTextSize(text, font, scale, 1)[0][0]
    scale = max(0.3, scale * min(1.0, room / max(1, width)))
    while len(text) > 1 and cv2.getTextSize(text, font, scale, 1)[0][0] > room:
        text = text[:-1]
    thickness = max(1, round(scale * 1.6))
    width = cv2.getTextSize(text, font, scale, thickness)[0][0]
    cv2.putText(picture, text, ((picture.shape[1] - width) // 2, baseline), font, scale, colour, thickness, cv2.LINE_AA)


def _draw_mark(picture: Pixels, unit: float) -> None:
    """The small `live` in the lower right corner, a dot before it."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, max(0.3, 3.4 * unit / 22.0)
    thickness = max(1, round(scale * 1.6))
    (width, height), _ = cv2.getTextSize("live", font, scale, thickness)
    margin = max(3, round(4.5 * unit))
    x, y = picture.shape[1] - margin - width, picture.shape[0] - margin
    cv2.putText(picture, "live", (x, y), font, scale, QUIET_BGR, thickness, cv2.LINE_AA)
    radius = max(1, round(height * 0.28))
    cv2.circle(picture, (x - 3 * radius, y - height // 2), radius, MARK_BGR, -1, cv2.LINE_AA)
