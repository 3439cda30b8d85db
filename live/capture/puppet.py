"""The demo person, animated: frame by frame the planes of a picture, and where its landmarks are.

A still picture (room.py) gets the stage of blink and speech (expression.py) that a gesture asks for, and its head is
turned in depth by a coarse displacement grid. The wall behind is out of focus, so it may stretch along with the head.
Knows nothing about clocks.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.pixels.people import Person
from live.values import Box, Floats, Pixels

from .expression import BLINKS, JAWS, WIDTHS, blink_stages, skin_of, speech_stages
from .gestures import Gesture
from .room import CHEEK_LEFT, CHEEK_RIGHT, CHIN, Still, still
from .skin import MESH

CELLS_PER_HEAD = 23
"""Fineness of the displacement grid: 16 px at 720p. Finer costs time, and depth has no finer detail."""
BROWS = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300))
BROW_LIFT = 0.035
"""Of the distance between cheek landmarks 234 and 454, at brow 1."""
CAMERA = 6.0
"""Distance of the camera in head heights: a nearer nose grows when the head leans in."""
NOISES, NOISE_LEVELS = 8, 1.1
"""Sensor noise: so many patterns in turn, of this standard deviation in grey levels."""
ROUNDS = 2
"""Of the fixed point that inverts the displacement: under 0.2 px left at the strongest gesture."""

Planes = tuple[Pixels, Pixels, Pixels]


class Puppet:
    """A person at one frame size. `planes` and `landmarks` depend on the gesture and the number only."""

    def __init__(self, person: Person, width_px: int, height_px: int) -> None:
        posed = still(person, width_px, height_px)
        skin = skin_of(posed.picture, posed.landmarks)
        self._rest = posed.landmarks
        self._still = _i420(posed.picture)
        self._blinks, self._speech = blink_stages(skin), speech_stages(skin)
        self._blink_planes = [_i420(picture) for picture in self._blinks.pictures]
        self._speech_planes = [_i420(picture) for picture in self._speech.pictures]
        self._face_px = float(posed.landmarks[CHEEK_RIGHT, 0] - posed.landmarks[CHEEK_LEFT, 0])
        self._head_px = posed.head_px
        chin = posed.landmarks[CHIN]
        back = 0.42 * self._face_px  # half a head is behind the cheeks
        self._pivot = np.array((chin[0], chin[1] + 0.12 * posed.head_px, back), np.float32)
        self._cell_px = max(4, 2 * round(posed.head_px / CELLS_PER_HEAD / 2))
        self._fields, self._box = _fields(posed, self._face_px, back, self._cell_px)
        self._noise = _noise(self._box)
        down, across = self._fields.shape[:2]
        nodes = np.stack(np.meshgrid(np.arange(across), np.arange(down)), -1).astype(np.float32)
        self._grid = (nodes - 0.5) * self._cell_px - 0.5

    def planes(self, gesture: Gesture, number: int) -> Planes:
        """One frame: Y (H, W), U and V (H/2, W/2), BT.601, limited range; fresh arrays."""
        x1, y1, x2, y2 = self._box
        box = (slice(y1, y2), slice(x1, x2))
        half = (slice(y1 // 2, y2 // 2), slice(x1 // 2, x2 // 2))
        sources = [plane[part].copy() for plane, part in zip(self._still, (box, half, half))]
        for stages, drawn, stage in (
            (self._blinks, self._blink_planes, self._blink_stage(gesture)),
            (self._speech, self._speech_planes, self._speech_stage(gesture)),
        ):
            _put(sources, drawn[stage], stages.box, self._box)
        luma, chroma = self._maps(gesture)
        result = (self._still[0].copy(), self._still[1].copy(), self._still[2].copy())
        brighter, darker = self._noise[number % NOISES]
        head = cv2.remap(sources[0], luma, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.add(head, brighter, dst=head)
        result[0][box] = cv2.subtract(head, darker, dst=head)
        for plane, source in zip(result[1:], sources[1:]):
            plane[half] = cv2.remap(source, chroma, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return result

    def landmarks(self, gesture: Gesture) -> Floats:
        """Where the landmarks of that frame are: (478, 3) px."""
        blink, speech = (
            self._blinks.landmarks[self._blink_stage(gesture)],
            self._speech.landmarks[self._speech_stage(gesture)],
        )
        flat = blink + speech - self._rest[:, :2]
        corner = np.array(self._box[:2], np.float32)
        moved = flat + self._displacement(flat - corner, gesture)[:, 0]
        turn = _rotation(gesture)
        centred = np.column_stack([flat, self._rest[:, 2]]) - self._pivot
        depth = (centred @ turn.T)[:, 2] * gesture.zoom + self._pivot[2]
        return np.column_stack([moved, depth]).astype(np.float32)

    def _blink_stage(self, gesture: Gesture) -> int:
        return round(gesture.blink * (BLINKS - 1))

    def _speech_stage(self, gesture: Gesture) -> int:
        return round(gesture.jaw * (JAWS - 1)) * WIDTHS + round(gesture.wide * (WIDTHS - 1))

    def _maps(self, gesture: Gesture) -> tuple[Floats, Floats]:
        """Where each pixel of the head's box comes from, px of the box: luma (h, w, 2), chroma (h/2, w/2, 2)."""
        source = self._grid
        for _ in range(ROUNDS):
            source = self._grid - self._displacement(source, gesture)
        # Nodes are cell centres, as resize wants them, with one cell more all around, cut off afterwards.
        cell, (down, across) = self._cell_px, self._fields.shape[:2]
        luma = cv2.resize(source, (across * cell, down * cell), interpolation=cv2.INTER_LINEAR)
        half = cell // 2
        chroma = cv2.resize(source / 2 - 0.25, (across * half, down * half), interpolation=cv2.INTER_LINEAR)
        return luma[cell:-cell, cell:-cell], chroma[half:-half, half:-half]

    def _displacement(self, points: Floats, gesture: Gesture) -> Floats:
        """How far the points (..., 2) px of the head's box move, in px: (..., 2)."""
        flat = points if points.ndim == 3 else points[:, None]
        at = (flat + 0.5) / self._cell_px + 0.5  # node 0 is the cell outside the box
        fields = cv2.remap(self._fields, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        depth, weight, brow = fields[..., 0], fields[..., 1], fields[..., 2]
        turn, pivot = _rotation(gesture), self._pivot
        x = flat[..., 0] - np.float32(pivot[0] - self._box[0])
        y = flat[..., 1] - np.float32(pivot[1] - self._box[1])
        z = depth - np.float32(pivot[2])
        distance = CAMERA * self._head_px
        deeper = turn[2, 0] * x + turn[2, 1] * y + (turn[2, 2] - 1) * z
        scale = np.float32(gesture.zoom) * (distance + z) / (distance + z + deeper)
        right = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z) * scale - x
        down = (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z) * scale - y
        right += np.float32(gesture.right * self._head_px)
        down += np.float32(gesture.down * self._head_px)
        down -= brow * np.float32(gesture.brow * BROW_LIFT * self._face_px)
        return np.stack([right * weight, down * weight], axis=-1)


def _rotation(gesture: Gesture) -> Floats:
    """(3, 3): roll after pitch after yaw, z away from the camera."""
    yaw, pitch, roll = np.radians((-gesture.yaw_deg, gesture.pitch_deg, gesture.roll_deg))
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return (about_z @ about_x @ about_y).astype(np.float32)


def _fields(posed: Still, face_px: float, back_px: float, cell_px: int) -> tuple[Floats, Box]:
    """What the displacement needs at the grid's nodes, and the box they span.

    Returns: (h, w, 3): depth px, how much a place goes with the head 0..1, brow 0..1; the box is (h - 2, w - 2) cells.
    """
    height, width = posed.head.shape
    across, down = width // cell_px, height // cell_px
    chin_y = float(posed.landmarks[CHIN, 1])
    small = cv2.resize(posed.head[: down * cell_px, : across * cell_px], (across, down), interpolation=cv2.INTER_AREA)
    small = (small > 0.2).astype(np.float32)
    small[int((chin_y + 0.10 * posed.head_px) / cell_px) :] = 0
    wider = max(1, round(0.05 * posed.head_px / cell_px))
    small = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * wider + 1, 2 * wider + 1)))
    weight = cv2.GaussianBlur(small, (0, 0), 0.05 * posed.head_px / cell_px)
    weight = np.maximum(0, (weight - 0.02) / 0.98)
    rows, columns = (np.flatnonzero((weight > 0).any(axis=axis)) for axis in (1, 0))
    x1, y1, x2, y2 = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    box = (x1 * cell_px, y1 * cell_px, x2 * cell_px, y2 * cell_px)
    weight = cv2.copyMakeBorder(weight, 1, 1, 1, 1, cv2.BORDER_REPLICATE)[y1 : y2 + 2, x1 : x2 + 2]
    x, y = np.meshgrid(np.arange(x1 - 1, x2 + 1), np.arange(y1 - 1, y2 + 1))
    nodes = ((np.stack([x, y], -1) + 0.5) * cell_px - 0.5).astype(np.float32)
    weight = weight * np.clip(1.25 - np.maximum(0, nodes[..., 1] - chin_y) / (0.42 * posed.head_px), 0, 1)
    brow = np.zeros(weight.shape, np.float32)
    for line in BROWS:
        middle = posed.landmarks[list(line), :2].mean(axis=0)
        brow += np.exp(-((((nodes - middle) / (0.17 * face_px, 0.085 * face_px)) ** 2).sum(axis=-1)))
    fields = np.stack([_depth(posed.landmarks, nodes, back_px, cell_px), weight, np.minimum(brow, 1)], axis=-1)
    return fields.astype(np.float32), box


def _depth(landmarks: Floats, nodes: Floats, back_px: float, cell_px: int) -> Floats:
    """Depth at the nodes (h, w, 2): the landmarks' own on the face, half a head's depth on the head's outline."""
    mesh = landmarks[:MESH]
    centre = mesh[:, :2].mean(axis=0)
    outline = cv2.convexHull(np.ascontiguousarray(mesh[:, :2]))[:, 0]
    ring = np.concatenate([centre + (outline - centre) * grow for grow in (1.35, 1.8, 2.5)])
    places = np.concatenate([mesh[:, :2], ring])
    depths = np.concatenate([mesh[:, 2], np.full(len(ring), back_px, np.float32)])
    away = ((nodes[:, :, None] - places) ** 2).sum(axis=-1)
    nearness = 1 / (away + (0.4 * cell_px) ** 2) ** 2
    depth = (nearness * depths).sum(axis=-1) / nearness.sum(axis=-1)
    return np.asarray(cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 0.7), np.float32)


def _noise(box: Box) -> list[tuple[Pixels, Pixels]]:
    random = np.random.default_rng(5)
    shape = (box[3] - box[1], box[2] - box[0])
    patterns = [np.rint(random.standard_normal(shape, np.float32) * NOISE_LEVELS) for _ in range(NOISES)]
    return [(np.maximum(p, 0).astype(np.uint8), np.maximum(-p, 0).astype(np.uint8)) for p in patterns]


def _i420(picture: Pixels) -> Planes:
    height, width = picture.shape[:2]
    flat = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, chroma = flat[: height * width], flat[height * width :].reshape(2, height // 2, width // 2)
    return luma.reshape(height, width), chroma[0], chroma[1]


def _put(sources: list[Pixels], planes: Planes, place: Box, corner: Box) -> None:
    """Write a stage's planes into copies of the head's box, in place; what lies outside the box is left out."""
    for source, plane, shrunk in zip(sources, planes, (1, 2, 2)):
        x, y = (place[0] - corner[0]) // shrunk, (place[1] - corner[1]) // shrunk
        left, top = max(0, -x), max(0, -y)
        part = plane[top : source.shape[0] - y, left : source.shape[1] - x]
        source[y + top : y + top + part.shape[0], x + left : x + left + part.shape[1]] = part
