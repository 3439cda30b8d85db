"""The contact sheet of `live bench quality`: per clip and source face what was captured, put on, and came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from live.errors import OutputError
from live.faces.landmarker import MESH_POINTS
from live.values import Floats, Pixels

TILE_PX = 224
HEADER_PX = 24
REACH = 0.85
"""Half the tile's side in heights of the face."""
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(slots=True)
class Row:
    """One clip with one source face: an ordinary frame and the one that is least like the source."""

    clip: str
    source: str
    worn: Pixels
    """Tile of the source face."""
    ordinary: list[Pixels] = field(default_factory=list)
    """The bare face, and one tile for each shape."""
    worst: list[Pixels] = field(default_factory=list)
    margin: float = np.inf


class Sheet:
    """Collects rows of tiles."""

    def __init__(self, shapes: Sequence[float]) -> None:
        self._shapes = shapes
        self._rows: list[Row] = []

    def begin(self, clip: str, source: str, image: Pixels, landmarks: Floats) -> Row:
        """Begin the row of a clip with a source face."""
        self._rows.append(Row(clip, source, tile(image, landmarks)))
        return self._rows[-1]

    def write(self, path: Path) -> None:
        """Write all as one PNG. Raises: OutputError when the file cannot be written."""
        titles = ["source", *2 * ["bare", *(f"shape {shape:g}" for shape in self._shapes)]]
        lines = [_captions(titles)]
        blank = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        for row in self._rows:
            several = [_filled(tiles, 1 + len(self._shapes), blank) for tiles in (row.ordinary, row.worst)]
            worst = f"; the right half is the least like the source, {row.margin:+.2f}" if row.worst else ""
            lines.append(_header(f"{row.clip}, {row.source}{worst}", len(titles)))
            lines.append(np.hstack([row.worn, *several[0], *several[1]]))
        try:
            path.write_bytes(cv2.imencode(".png", np.vstack(lines))[1].tobytes())
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error.strerror}; choose another place with --sheet"
            ) from None


def tile(image: Pixels, landmarks: Floats) -> Pixels:
    """Cut the face with its surroundings, upright as in the picture (H, W, 3): (224, 224, 3)."""
    low, high = landmarks[:MESH_POINTS, :2].min(axis=0), landmarks[:MESH_POINTS, :2].max(axis=0)
    scale = TILE_PX / (2 * REACH * max(float((high - low).max()), 1.0))
    offset = TILE_PX / 2 - (low + high) / 2 * scale
    matrix = np.column_stack([np.eye(2) * scale, offset]).astype(np.float32)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    soft = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 1 else image
    return np.asarray(cv2.warpAffine(soft, matrix, (TILE_PX, TILE_PX), flags=flags), np.uint8)


def _filled(tiles: list[Pixels], count: int, blank: Pixels) -> list[Pixels]:
    return [*tiles, *[blank] * (count - len(tiles))]


def _header(text: str, columns: int) -> Pixels:
    bar = np.full((HEADER_PX, columns * TILE_PX, 3), 40, np.uint8)
    cv2.putText(bar, text, (8, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, WHITE, 1, cv2.LINE_AA)
    return bar


def _captions(texts: Sequence[str]) -> Pixels:
    bar = np.full((HEADER_PX, len(texts) * TILE_PX, 3), 90, np.uint8)
    for number, text in enumerate(texts):
        place = (number * TILE_PX + 8, 17)
        cv2.putText(bar, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, BLACK, 1, cv2.LINE_AA)
    return bar
