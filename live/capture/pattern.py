"""A moving test card as a capture: checks cameras and outputs without a person in the picture.

Colour bars, a grey ramp that runs, grey steps, and lines over the whole height that sweep: between two pictures every
row changes (from 128 px of width on), so a torn one is seen. What picture n shows depends on n, format and size only
(`planes_of`), so a reader can verify every pixel. A cycle of pictures is drawn once and each frame is a copy of one: at
720p 0.1 ms. Knows the clock; imports neither OpenCV nor PyAV.
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache

import numpy as np

from live.errors import UsageError
from live.values import Colour, Frame, PixelFormat, Pixels

from .contract import CaptureInfo, Wanted

DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS, FASTEST_FPS = 30.0, 240.0
SMALLEST_PX, LARGEST_PX = 16, 8192
CHROMA_STEP = {
    PixelFormat.I420: (2, 2),
    PixelFormat.NV12: (2, 2),
    PixelFormat.I422: (2, 1),
    PixelFormat.I444: (1, 1),
}
"""Luma pixels per chroma sample, (across, down), of formats with chroma planes."""

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])
BARS_RGB = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
"""Bars at 75 %, by falling luma."""
LINE_RGB = (96, 196, 168)
LEVELS = 32
"""Of grey, black to white."""
BARS, LINE, GREY = 0, len(BARS_RGB), len(BARS_RGB) + 1
"""Where colours, the line and the greys begin in the palette."""
STEPS = 11
RAMP_PX = 4 * LEVELS  # 128
"""Period of the running ramp: two pixels per level, up and down."""
CYCLE = 16
"""Pictures after which the card looks the same: the ramp ran one period, each line is where the next one was."""
LINES = 4
KEPT_BYTES = 128 * 2**20
"""Larger cycles (from about 2560x1440 on) are not kept: every picture is drawn anew, 1 to 3 ms."""


def open(rest: str, wanted: Wanted) -> PatternCapture:
    """Open the test card; it has no options.

    Raises: UsageError if anything follows `pattern`, for a size or a rate that cannot be.
    """
    if rest.strip():
        raise UsageError(f"pattern takes nothing after the colon, got {rest.strip()!r}; size and rate are preset keys")
    fps = wanted.fps or DEFAULT_FPS
    if not 0 < fps <= FASTEST_FPS:
        raise UsageError(
            f"the test pattern cannot run at {fps:g} fps; more than 0 and up to {FASTEST_FPS:g} are allowed"
        )
    return PatternCapture(*_size(wanted), fps, wanted)


def _size(wanted: Wanted) -> tuple[int, int]:
    """The size as wanted, the other side in 16:9 where only one is given. YUYV has no odd width."""
    width, height = wanted.width_px, wanted.height_px
    if not width and not height:
        return DEFAULT_SIZE_PX
    width, height = width or round(height * 16 / 9), height or round(width * 9 / 16)
    if not (SMALLEST_PX <= width <= LARGEST_PX and SMALLEST_PX <= height <= LARGEST_PX):
        allowed = f"{SMALLEST_PX} to {LARGEST_PX} px a side"
        raise UsageError(f"the test pattern cannot be {width}x{height}; ask for {allowed}, for example 1280x720")
    return width - (width % 2 if wanted.format is PixelFormat.YUYV else 0), height


class PatternCapture:
    """Pictures of the test card on a fixed schedule: number n of a reader in time is due n periods after the first.

    It has no end. A reader that comes late gets the next picture at once; the times that passed are left out.
    """

    def __init__(self, width_px: int, height_px: int, fps: float, wanted: Wanted) -> None:
        self._format = wanted.format or PixelFormat.NV12
        self._card = Card(self._format, width_px, height_px)
        self._period_s = 1 / fps
        self._first_s: float | None = None
        self._slot = -1
        self._number = 0
        self._stop = threading.Event()
        asked = (wanted.width_px or width_px, wanted.height_px or height_px)
        odd = f"asked for {asked[0]}x{asked[1]}, got {width_px}x{height_px}: yuyv has an even width"
        self.info = CaptureInfo(
            name="test pattern",
            width_px=width_px,
            height_px=height_px,
            fps=fps,
            format=self._format,
            colour=Colour(),
            live=True,
            notes=() if asked == (width_px, height_px) else (odd,),
        )

    def read(self) -> Frame | None:
        """The next picture, when it is due; None after `close`."""
        if self._stop.is_set():
            return None
        number, self._number = self._number, self._number + 1
        planes = self._card.planes(number)  # before the wait, so that copying costs no latency
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
        self._slot = max(self._slot + 1, int((now_s - self._first_s) / self._period_s))
        due_s = self._first_s + self._slot * self._period_s
        if due_s > now_s and self._stop.wait(due_s - now_s):
            return None
        return Frame(planes, self._format, self.info.width_px, self.info.height_px, due_s, number)

    def close(self) -> None:
        """A waiting `read` returns None; there is nothing else to free."""
        self._stop.set()


def planes_of(number: int, format: PixelFormat, width_px: int, height_px: int) -> tuple[Pixels, ...]:
    """What picture `number` shows: fresh planes, shaped as `PixelFormat` says; YUV in video range, BT.601."""
    return _card(format, width_px, height_px).planes(number)


@lru_cache(maxsize=2)
def _card(format: PixelFormat, width_px: int, height_px: int) -> Card:
    return Card(format, width_px, height_px)


class Card:
    """The still card of one format and size, and what moves over it."""

    def __init__(self, format: PixelFormat, width_px: int, height_px: int) -> None:
        self._top_px, bottom_px = height_px * 5 // 8 // 2 * 2, height_px * 7 // 8 // 2 * 2
        # Everything begins at even columns and rows, so that halved chroma has no mixed samples.
        columns = np.arange(width_px) // 2 * 2
        still = np.empty((height_px, width_px), np.uint8)
        still[: self._top_px] = BARS + columns * len(BARS_RGB) // width_px
        still[self._top_px :] = GREY + columns * STEPS // width_px * (LEVELS - 1) // (STEPS - 1)
        phase = np.arange(width_px + RAMP_PX) // 2 % (2 * LEVELS)
        row = (GREY + np.minimum(phase, 2 * LEVELS - 1 - phase)).astype(np.uint8)
        ramp = np.tile(row, (bottom_px - self._top_px, 1))
        self._line_px = max(2, width_px // 160 * 2)
        self._width_px = width_px
        self._still = _painted(still, format)
        self._ramp = _painted(ramp, format)
        self._line = _painted(np.full((2, self._line_px), LINE, np.uint8), format)
        self._steps = [CHROMA_STEP.get(format, (1, 1)) if index else (1, 1) for index in range(len(self._still))]
        self._kept: dict[int, tuple[Pixels, ...]] | None = {}
        if sum(plane.size for plane in self._still) * CYCLE > KEPT_BYTES:
            self._kept = None

    def planes(self, number: int) -> tuple[Pixels, ...]:
        """Fresh planes of picture `number`."""
        phase = number % CYCLE
        if self._kept is None:
            return self._drawn(phase)
        if phase not in self._kept:
            self._kept[phase] = self._drawn(phase)
        return tuple(plane.copy() for plane in self._kept[phase])

    def _drawn(self, phase: int) -> tuple[Pixels, ...]:
        """The still card with ramp and lines where they are at 0..CYCLE - 1."""
        run_px = phase * RAMP_PX // CYCLE
        lines_px = [(index * CYCLE + phase) * self._width_px // (LINES * CYCLE) // 2 * 2 for index in range(LINES)]
        planes = tuple(plane.copy() for plane in self._still)
        for plane, ramp, line, (across, down) in zip(planes, self._ramp, self._line, self._steps):
            top, left = self._top_px // down, run_px // across
            plane[top : top + len(ramp)] = ramp[:, left : left + plane.shape[1]]
            for line_px in lines_px:
                swept = plane[:, line_px // across : (line_px + self._line_px) // across]
                swept[...] = line[:1, : swept.shape[1]]
        return planes


def _painted(labels: Pixels, format: PixelFormat) -> tuple[Pixels, ...]:
    """Planes of a picture given as palette entries (H, W)."""
    rgb, (luma, u, v) = _palette()
    if format is PixelFormat.BGR:
        return (rgb[labels][..., ::-1].copy(),)
    if format is PixelFormat.GRAY:
        return (np.rint(rgb @ LUMA_WEIGHTS).astype(np.uint8)[labels],)
    if format is PixelFormat.YUYV:
        packed = np.empty((*labels.shape, 2), np.uint8)
        packed[..., 0] = luma[labels]
        packed[:, 0::2, 1], packed[:, 1::2, 1] = u[labels[:, 0::2]], v[labels[:, 0::2]]
        return (packed,)
    across, down = CHROMA_STEP[format]
    sampled = labels[::down, ::across]
    if format is PixelFormat.NV12:
        return luma[labels], np.stack([u, v], axis=1)[sampled]
    return luma[labels], u[sampled], v[sampled]


def _palette() -> tuple[Pixels, tuple[Pixels, Pixels, Pixels]]:
    """RGB (N, 3) full range, and Y, U, V (N,) video range. Source: BT.601-7, sections 2.5 and 3."""
    grey = np.rint(np.linspace(0, 255, LEVELS))
    rgb = np.vstack([np.array([*BARS_RGB, LINE_RGB]), np.stack([grey] * 3, axis=1)])
    luma = rgb @ LUMA_WEIGHTS
    blue, red = (rgb[:, 2] - luma) / 1.772, (rgb[:, 0] - luma) / 1.402
    yuv = (16 + luma * 219 / 255, 128 + blue * 224 / 255, 128 + red * 224 / 255)
    y, u, v = (np.rint(values).astype(np.uint8) for values in yuv)
    return rgb.astype(np.uint8), (y, u, v)
