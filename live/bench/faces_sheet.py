"""The contact sheet of `live bench faces`: the worst and some ordinary pictures of every kind, as small tiles."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from live.bench.faces_figures import OUTLINE, PATCH_SIDES, REGIONS
from live.errors import OutputError
from live.faces.landmarker import MESH_POINTS
from live.values import Floats, Pixels

TILE_PX = 240
COLUMNS = 8
KEPT = 16
"""Worst ones and ordinary ones of a kind, each."""
HEADER_PX = 26
GREEN, YELLOW, BLUE, RED, WHITE = (0, 200, 0), (0, 220, 255), (255, 80, 80), (60, 60, 255), (255, 255, 255)
FEATURES = (*REGIONS["eyes"], *REGIONS["lips"], *OUTLINE)

Tile = Callable[[], Pixels]
"""Draws a picture of TILE_PX a side when it is wanted."""


@dataclass(slots=True)
class Kind:
    """The pictures kept of one kind."""

    worst: list[tuple[float, int, Pixels]] = field(default_factory=list)
    """A heap, the least bad first: (badness, number, tile)."""
    ordinary: list[Pixels] = field(default_factory=list)
    seen: int = 0


class Sheet:
    """Collects small pictures; at most 32 of a kind are in memory, and none when no sheet is wanted."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._kinds: dict[str, Kind] = {}
        self._random = random.Random(0)

    def add(self, kind: str, badness: float, caption: str, draw: Tile) -> None:
        """Keep a picture if it is among the worst so far, or by chance as an ordinary one."""
        if not self._wanted:
            return
        kept = self._kinds.setdefault(kind, Kind())
        kept.seen += 1
        place = len(kept.ordinary) if len(kept.ordinary) < KEPT else self._random.randrange(kept.seen)
        bad = len(kept.worst) < KEPT or badness > kept.worst[0][0]
        if not bad and place >= KEPT:
            return
        tile = _captioned(draw(), f"{caption} {badness:.2f}")
        if place < KEPT:
            kept.ordinary[place : place + 1] = [tile]
        if bad:
            push = heapq.heappush if len(kept.worst) < KEPT else heapq.heappushpop
            push(kept.worst, (badness, kept.seen, tile))

    def write(self, path: Path) -> None:
        """Write all as one PNG. Raises: OutputError when the file cannot be written."""
        rows: list[Pixels] = []
        for name, kind in self._kinds.items():
            worst = [tile for _, _, tile in sorted(kind.worst, key=lambda item: -item[0])]
            rows += _section(f"{name}: the worst of {kind.seen}", worst)
            if kind.seen > KEPT:
                rows += _section(f"{name}: by chance", kind.ordinary)
        if not rows:
            rows = [_header("nothing was measured that could be drawn")]
        try:
            path.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error.strerror}; choose another place with --sheet"
            ) from None


def drawn_landmarks(image: Pixels, true: Floats, found: Floats) -> Pixels:
    """A tile of the labelled face: what was found in green, yellow and blue over the label in red."""
    low, high = true[:MESH_POINTS, :2].min(axis=0), true[:MESH_POINTS, :2].max(axis=0)
    scale = TILE_PX / (PATCH_SIDES * max(float((high - low).max()), 1.0))
    matrix = np.hstack([np.eye(2) * scale, (TILE_PX / 2 - (low + high) / 2 * scale)[:, None]]).astype(np.float32)
    tile = cv2.warpAffine(image, matrix, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR)
    layers = (
        (RED, true[list(FEATURES)]),
        (GREEN, found[:MESH_POINTS]),
        (YELLOW, found[list(FEATURES)]),
        (BLUE, found[list(REGIONS["irises"])]),
    )
    for colour, points in layers:
        places = np.clip(points[:, :2] @ matrix[:, :2].T + matrix[:, 2], -TILE_PX, 2 * TILE_PX)
        for x, y in np.rint(places * 8).astype(int).tolist():
            cv2.circle(tile, (x, y), 8, colour, -1, cv2.LINE_AA, shift=3)
    return np.asarray(tile, np.uint8)


def drawn_mask(image: Pixels, found: Floats, true: NDArray[np.bool_]) -> Pixels:
    """A tile of the whole picture: the mask in green, the edge of what is painted as face in red."""
    tint = image.astype(np.float32) * (1 - 0.5 * found[..., None]) + np.array(GREEN) * (0.5 * found[..., None])
    tile = fitted(np.rint(tint).astype(np.uint8))
    edges, _ = cv2.findContours(fitted(true.astype(np.uint8) * 255), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, edges, -1, RED, 1)
    return tile


def drawn_picture(image: Pixels, boxes: Sequence[Sequence[float]], found: Sequence[Sequence[float]] = ()) -> Pixels:
    """A tile of the whole picture: labelled boxes in red, found ones in green."""
    tile = fitted(image)
    scale = TILE_PX / max(image.shape[:2])
    for colour, several in ((RED, boxes), (GREEN, found)):
        for box in several:
            x1, y1, x2, y2 = np.rint(np.clip(np.asarray(box) * scale, -TILE_PX, 2 * TILE_PX)).astype(int).tolist()
            cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 1)
    return tile


def fitted(image: Pixels) -> Pixels:
    """A picture (H, W) or (H, W, 3) scaled into the top left of a black tile."""
    scale = TILE_PX / max(image.shape[:2])
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    tile = np.zeros((TILE_PX, TILE_PX, *image.shape[2:]), np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return tile


def _captioned(tile: Pixels, text: str) -> Pixels:
    place = (4, TILE_PX - 6)
    for colour, thickness in (((0, 0, 0), 3), (WHITE, 1)):
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, colour, thickness, cv2.LINE_AA)
    return tile


def _header(text: str) -> Pixels:
    bar = np.full((HEADER_PX, COLUMNS * TILE_PX, 3), 40, np.uint8)
    cv2.putText(bar, text, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, WHITE, 1, cv2.LINE_AA)
    return bar


def _section(text: str, tiles: Sequence[Pixels]) -> list[Pixels]:
    blank = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    full = [*tiles, *[blank] * (-len(tiles) % COLUMNS)]
    return [_header(text)] + [np.hstack(full[start : start + COLUMNS]) for start in range(0, len(full), COLUMNS)]
