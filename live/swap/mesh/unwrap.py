"""One photo, unwrapped onto the canvas: its pixels where every face has them, and how well each place was seen.

What is turned away, hidden behind the nose, beyond the photo's border or covered (as the masker says) was not seen.
Knows photos and landmarks; repairs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from live.faces.masker import Masker
from live.faces.photo import sharpness
from live.pixels.host import bgr_frame
from live.swap.contract import Visible
from live.swap.mesh import light, raster
from live.swap.mesh.canvas import Canvas, ramp, step
from live.swap.mesh.maps import SIZE_PX
from live.swap.mesh.mask import eye_rings
from live.swap.mesh.pose import facing_of, pose_of
from live.swap.mesh.shape import mouth_opening, neutrality, proportions
from live.swap.mesh.topology import VERTICES
from live.values import Floats, Photo, Pixels

_SEEN = (0.2, 0.5)  # cosine to the camera: below, a place is better taken from elsewhere
_TURNED_AWAY = -0.12  # cosine: noise turns triangles at the silhouette by this much
_BEHIND = (0.03, 0.07)  # of the face's width: how far a place lies behind what the photo shows there
_DEPTH_PX = 160  # side of the maps on which depths are compared
_CRISP = (0.3, 2.0)  # sharpness of a photo: hardly usable, and as good as any
_CLOSED = 0.85  # of a photo's worth that closed eyes take
_TALKING, _OPEN = 0.5, (0.06, 0.25)  # the same of an open mouth, and its height by width: not yet, and fully open
_SIDEWAYS_DEG = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one photo tells, on the canvas."""

    pixels: Floats
    """(SIZE, SIZE, 3) BGR 0..255."""
    facing: Floats
    """(SIZE, SIZE) 0..1: turned to the camera, so seen without being stretched."""
    open: Floats | None
    """(SIZE, SIZE) 0..1: not covered, as the masker says; None without one."""
    hidden: Floats
    """(SIZE, SIZE) 0..1: behind another part of the face, or outside the photo."""
    skin: Floats
    """(K, 3) its smooth colour, coefficients of the canvas's basis."""
    depth: float
    """Of pupils and nostrils below the skin, log units."""
    worth: float
    """> 0: sharp, large, from the front, eyes open and mouth closed."""
    proportions: Floats
    """(468, 3) canonical units."""
    neutral: float
    """> 0: how much it tells about the face's proportions."""
    opening: float
    """Of the mouth, height by width."""


def ask(masker: Masker, photo: Photo) -> Visible:
    """Ask the masker about a photo; the region is the whole of it."""
    masks, matrices = masker.mask(bgr_frame(photo.image, time_s=0.0, number=0), photo.landmarks[None])
    return Visible(masks[0], matrices[0])


def unwrap(photo: Photo, canvas: Canvas, visible: Visible | None) -> View:
    """Unwrap a photo."""
    # 1) the photo at about the texture's resolution, and where each place of the canvas lies in it
    landmarks = photo.landmarks[:VERTICES].astype(np.float32)
    width_px = max(1.0, float(np.ptp(landmarks[:, 0])))
    scale = min(1.0, SIZE_PX * 0.8 / width_px)
    picture = photo.image
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points = np.column_stack([(landmarks[:, :2] + 0.5) * scale - 0.5, landmarks[:, 2] * scale]).astype(np.float32)
    at = _places(points[:, :2], SIZE_PX, canvas)
    pixels = cv2.remap(picture, at[0], at[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    # 2) what of it was seen
    facing = facing_of(landmarks, canvas.topology)
    uncovered = None if visible is None else _uncovered(visible, at, scale)
    hidden = np.maximum(_behind(points, facing, canvas), _outside(at, picture))
    # 3) its smooth colour, from what was seen
    colours = light.observe(picture, points[:, :2], canvas)
    sure = (1 - hidden) if uncovered is None else (1 - hidden) * ramp(uncovered, 0.4, 0.9)
    trust = light.trust_in(facing, canvas, _in_cells(sure, canvas))
    skin = light.fit(colours, trust, canvas)
    pose = pose_of(landmarks, canvas.topology)
    opening = mouth_opening(landmarks)
    worth = float(np.exp(-((pose.yaw_deg / _SIDEWAYS_DEG) ** 2) - (pose.pitch_deg / _SIDEWAYS_DEG) ** 2)) + 0.02
    worth *= (1 - _CLOSED * eye_rings(landmarks)[1]) * (1 - _TALKING * step(opening, *_OPEN))
    worth *= (0.1 + step(sharpness(photo.image, photo.landmarks), *_CRISP)) * min(1.0, width_px / (0.6 * SIZE_PX))
    return View(
        pixels=pixels,
        facing=_facing(facing, canvas),
        open=uncovered,
        hidden=hidden,
        skin=skin,
        depth=light.depth(colours, skin, canvas),
        worth=worth,
        proportions=proportions(landmarks, pose, canvas.topology),
        neutral=0.02 + neutrality(landmarks, pose),
        opening=opening,
    )


def _places(values: Floats, size: int, canvas: Canvas) -> Floats:
    """Interpolate values (468, K) of the vertices over a canvas, ring included: (K, size, size)."""
    topology = canvas.topology
    place = (topology.canvas * size - 0.5).astype(np.float32)
    order = np.arange(len(topology.triangles), dtype=np.int32)
    seen = raster.draw(place, topology.triangles, order, (size, size))
    return raster.fill(seen, raster.planes(place, topology.with_ring(values), topology.triangles))


def _facing(cosine: Floats, canvas: Canvas) -> Floats:
    """Return (SIZE, SIZE) 0..1 how well places are turned to the camera, of cosines (T,)."""
    smooth = cv2.GaussianBlur(canvas.spread(cosine[canvas.triangle][:, None]), (0, 0), 1.5)
    facing: Floats = cv2.resize(ramp(smooth, *_SEEN), (SIZE_PX, SIZE_PX))
    return facing


def _uncovered(visible: Visible, at: Floats, scale: float) -> Floats:
    """Return (SIZE, SIZE) what the masker sees at places `at` (2, SIZE, SIZE) px of the photo scaled by `scale`."""
    inverse = np.float32(1 / scale)
    x, y = (at[0] + 0.5) * inverse - 0.5, (at[1] + 0.5) * inverse - 0.5
    (a, b, c), (d, e, f) = visible.matrix.astype(np.float32)
    found: Floats = cv2.remap(visible.mask, a * x + b * y + c, d * x + e * y + f, cv2.INTER_LINEAR)
    return found


def _behind(points: Floats, facing: Floats, canvas: Canvas) -> Floats:
    """Return (SIZE, SIZE) 0..1: places of the face that the photo shows something nearer instead of.

    Args: points (468, 3) px; facing (T,) cosine per triangle.
    """
    low, width = points[:, :2].min(axis=0), max(float(np.ptp(points[:, :2], axis=0).max()), 1.0)
    cells = np.column_stack([(points[:, :2] - low) * ((_DEPTH_PX - 1) / width), points[:, 2]]).astype(np.float32)
    faces = canvas.topology.triangles[: canvas.topology.face_triangles]
    shown = np.flatnonzero(facing > _TURNED_AWAY).astype(np.int32)
    order = shown[np.argsort(-points[:, 2].take(faces.take(shown, axis=0)).sum(axis=1))]
    seen = raster.draw(cells[:, :2].copy(), faces, order, (_DEPTH_PX, _DEPTH_PX))
    (front,) = raster.fill(seen, raster.planes(cells[:, :2], cells[:, 2:], faces))
    own = _places(cells, _DEPTH_PX, canvas)
    # beyond the silhouette nothing is in front
    there = np.where(seen == raster.EMPTY, np.float32(1e6), front)
    nearer = own[2] - cv2.remap(there, own[0], own[1], cv2.INTER_NEAREST, borderValue=1e6)
    hidden = cv2.GaussianBlur(ramp(nearer / np.float32(width), *_BEHIND), (0, 0), 1.5)
    full: Floats = cv2.resize(hidden, (SIZE_PX, SIZE_PX))
    return full


def _outside(at: Floats, picture: Pixels) -> Floats:
    """Return (SIZE, SIZE) 1 where places (2, SIZE, SIZE) px lie outside the picture."""
    height, width = picture.shape[:2]
    inside = (at[0] > -0.5) & (at[1] > -0.5) & (at[0] < width - 0.5) & (at[1] < height - 0.5)
    return (~inside).astype(np.float32)


def _in_cells(map_: Floats, canvas: Canvas) -> Floats:
    """Return a map (SIZE, SIZE) at the face's cells, (M,)."""
    side = canvas.depth.shape[0]
    small: Floats = cv2.resize(map_, (side, side), interpolation=cv2.INTER_AREA).ravel()[canvas.cells]
    return small
