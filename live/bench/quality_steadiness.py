"""Flicker and seams of swapped pictures, as ratios to the bare ones'. Pure arithmetic on pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.bench.faces_figures import OUTLINE, rounded
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER
from live.values import Box, Floats, Pixels

FLOW_PX = 192
"""The higher of the region's sides is brought down to this: sensor noise averages out, flicker stays."""
FLOW_BLUR = 0.025
"""Of that side: finer motion is noise of the estimate."""
LEAST_LEVELS = 0.25
"""A bare picture that changes less, in levels of 0..255, counts as changing so much: rounding alone does."""
BAND = 0.03
"""Half the width of the band across an edge, in shares of the face's width; the engine's soft edge is 0.05."""
LEAST_ENERGY = 100.0
"""Squared gradient (Sobel, three channels) of an even surface with the noise of a good camera, 1.2 levels."""
EDGES = ("seam_ratio", "outline_seam_ratio", "inner_seam_ratio")
INNER = (EYE_LEFT, EYE_RIGHT, LIPS_INNER)
"""Where the engine passes to the target's own eyes and mouth, rings of landmarks."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What the bare picture has: its own edges, motion and flicker, in a box around the face."""

    box: Box
    energy: Floats
    """(h, w) squared gradient, of the box's pixels."""
    moved: Floats | None = None
    """(k, l, 2): where each pixel was in the picture before, both shrunk to the box; None: there is none."""
    change: Floats | None = None
    """(k, l) levels: what changed apart from that."""


def ground(picture: Pixels, before: Pixels | None, box: Box) -> Ground:
    """Look at a bare picture (H, W, 3) and the one before it, in a box around the face of at least 16 px a side."""
    energy = _energy(_cut(picture, box))
    if before is None:
        return Ground(box, energy)
    then, now = shrunk(before, box), shrunk(picture, box)
    moved = motion(then, now)
    return Ground(box, energy, moved, _change(then, now, moved))


def motion(before: Pixels, now: Pixels) -> Floats:
    """Estimate where each pixel of a picture was in the one before it.

    Args: before, now (h, w, 3) BGR.  Returns: (h, w, 2) px of `before`.
    Source: dense inverse search, Kroeger et al. 2016, smoothed.
    """
    one, other = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (now, before))
    flow = np.zeros((*one.shape, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(one, other, flow)
    flow = cv2.GaussianBlur(flow, (0, 0), max(1.0, FLOW_BLUR * max(flow.shape[:2])))
    rows, columns = np.indices(flow.shape[:2], np.float32)
    moved: Floats = flow + np.dstack([columns, rows])
    return moved


def shrunk(picture: Pixels, box: Box) -> Pixels:
    """Cut a box out of a picture (H, W) or (H, W, 3) and bring it down to the size that flicker is measured at."""
    cut = _cut(picture, box)
    scale = min(1.0, FLOW_PX / max(cut.shape[:2]))
    size = max(16, round(cut.shape[1] * scale)), max(16, round(cut.shape[0] * scale))
    small: Pixels = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    return small


@dataclass(slots=True)
class Steadiness:
    """Sums over the frames of one clip with one source face."""

    changes: list[tuple[float, float]] = field(default_factory=list)
    """Levels per frame, worn and bare."""
    edges: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {name: [] for name in EDGES})
    """Energies per frame, worn and bare."""

    def compare(self, bare: Ground, before: Pixels, now: Pixels, alpha: Pixels) -> None:
        """Count one step from frame to frame.

        Args: before, now (H, W, 3): swapped pictures; alpha (H, W) of the swap now.
        """
        inside = shrunk(alpha, bare.box) > 127
        if bare.moved is None or bare.change is None or not inside.any():
            return
        worn = _change(shrunk(before, bare.box), shrunk(now, bare.box), bare.moved)
        self.changes.append((float(worn[inside].mean()), float(bare.change[inside].mean())))

    def look_at_edges(self, bare: Ground, worn: Pixels, alpha: Pixels, landmarks: Floats) -> None:
        """Compare gradients across the mask's edges in one frame.

        Args: worn (H, W, 3); alpha (H, W); landmarks (478, 3) px: of the worn face, whose outline is an edge of its own
            where the engine bends what is around it.
        """
        corner = np.array(bare.box[:2], np.float32)
        energy = _energy(_cut(worn, bare.box))
        for name, band in bands(_cut(alpha, bare.box), landmarks[:, :2] - corner).items():
            if band.any():
                least = LEAST_ENERGY * float(band.sum())
                self.edges[name].append((float(energy[band].sum()), max(float(bare.energy[band].sum()), least)))

    def figures(self) -> dict[str, Any]:
        """Ratios and levels; see `live.bench.quality.measure`."""
        worn, bare = np.mean(self.changes, axis=0) if self.changes else (None, None)
        ratio = None if worn is None or bare is None else worn / max(bare, LEAST_LEVELS)
        return {
            "flicker_ratio": rounded(ratio),
            "flicker_levels": rounded(worn),
            "bare_flicker_levels": rounded(bare),
            **{name: _ratio(sums) for name, sums in self.edges.items()},
        }


def bands(alpha: Pixels, landmarks: Floats) -> dict[str, Mask]:
    """Return by the names of EDGES the bands (h, w) across the mask's outer edge, the face's outline, and inner edges.

    Args: alpha (h, w) 0..255; landmarks (478, 2) px of it.
    """
    thick_px = 2 * max(1, round(BAND * float(np.ptp(landmarks[:468, 0])))) + 1
    edge, outline, inner = (np.zeros(alpha.shape, np.uint8) for _ in EDGES)
    contours, tree = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for number, contour in enumerate(contours):
        hole = tree[0][number][3] >= 0
        cv2.drawContours(inner if hole else edge, [contour], -1, 1, thick_px)
    for band, ring in ((outline, OUTLINE), *((inner, ring) for ring in INNER)):
        cv2.polylines(band, [np.rint(landmarks[list(ring)]).astype(np.int32)], True, 1, thick_px)
    return dict(zip(EDGES, (edge > 0, outline > 0, (inner > 0) & (edge == 0) & (outline == 0))))


def _cut(picture: Pixels, box: Box) -> Pixels:
    return picture[box[1] : box[3], box[0] : box[2]]


def _change(before: Pixels, now: Pixels, moved: Floats) -> Floats:
    """Levels (h, w), mean of the channels, by which a picture differs from the one before, moved as told."""
    then = cv2.remap(before, moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    change: Floats = cv2.transform(cv2.absdiff(then, now).astype(np.float32), np.full((1, 3), 1 / 3, np.float32))
    return change


def _energy(picture: Pixels) -> Floats:
    """Squared gradient (h, w), summed over the channels."""
    across, down = (cv2.Sobel(picture, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    energy: Floats = cv2.transform(across * across + down * down, np.ones((1, 3), np.float32))
    return energy


def _ratio(sums: list[tuple[float, float]]) -> float | None:
    if not sums:
        return None
    worn, bare = np.sum(sums, axis=0)
    return rounded(worn / bare)
