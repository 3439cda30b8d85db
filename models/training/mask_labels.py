"""Labels of the visible face: a teacher network's opinion of a crop, cleaned with the outline of its landmarks.

The teacher (../masker.md) was made for saturated studio pictures: grey webcams and grey portraits make it fail, so it
looks at crops whose skin was first brought to a usual skin colour. Knows crops and landmarks, nothing about covers.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from models.training import faces

TEACHER_PX = 256
TEACHER_SIDES, TEACHER_RISE = 1.556, 0.15  # its window in mesh sides: that of the pictures it was trained on
SKIN_COLOURS = ((120, 150, 200), (150, 175, 225), (85, 115, 165))  # BGR; one look each, the second one mirrored
SHARPNESS = 3.0
FOREHEAD = 0.24  # of the mesh's longer side: hairlines lie up to so far over its topmost point
SLACK = 0.025  # of the same side: the mesh lies a little inside the jaw and the cheeks
LARGEST_HOLE, SMALLEST_ISLAND = 0.03, 0.01  # of the side squared
GLASSES_FROM = 2.0  # see glasses_strength; chosen by looking at the picture sets sorted by it
LOWEST_FILLED = 0.5
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
FEATURES = (faces.EYES[:16], faces.EYES[16:], OUTER_LIPS, RIGHT_BROW, LEFT_BROW)
INNER_EYES, LOWER_LIDS = (133, 362), (145, 374)


class Teacher:
    """The face-skin network, run on aligned windows."""

    def __init__(self, file: Path, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def look(self, window: np.ndarray) -> np.ndarray:
        """Return (256, 256) float32, 0..1: visible face, of a (256, 256, 3) uint8 BGR window."""
        found = self.session.run(None, {self.input: (window[None, ..., ::-1] / 255.0).astype(np.float32)})
        return found[0][0, ..., 0]

    def label(self, image: np.ndarray, landmarks: np.ndarray, looks: int = len(SKIN_COLOURS)) -> np.ndarray:
        """Return (H, W) float32, 0..1: the mean of its looks at one face of an (H, W, 3) uint8 BGR picture.

        Args: looks: how many of SKIN_COLOURS to try; clean, coloured pictures need one.
        """
        centre, side_px, angle_rad = faces.patch_square(landmarks)
        side_px /= faces.PATCH_SCALE
        centre = centre + np.array([np.sin(angle_rad), -np.cos(angle_rad)]) * TEACHER_RISE * side_px
        matrix = faces.square_matrix(centre, side_px * TEACHER_SIDES, angle_rad, TEACHER_PX)
        window = cv2.warpAffine(image, matrix, (TEACHER_PX, TEACHER_PX), borderMode=cv2.BORDER_REPLICATE)
        outline = faces.move_points(landmarks, matrix)[list(faces.FACE_OVAL), :2]
        inside = filled([outline], TEACHER_PX)
        skin = np.maximum(np.median(window[inside > 0], axis=0), 8)
        total = np.zeros((TEACHER_PX, TEACHER_PX), np.float32)
        for number, colour in enumerate(SKIN_COLOURS[:looks]):
            seen = np.clip(window * (np.array(colour) / skin), 0, 255).astype(np.uint8)
            total += self.look(seen[:, ::-1])[:, ::-1] if number == 1 else self.look(seen)
        size = (image.shape[1], image.shape[0])
        return cv2.warpAffine(total / looks, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def filled(polygons: list[np.ndarray], size_px: int) -> np.ndarray:
    """Return a (size, size) uint8 mask 0/1 of polygons (P, 2) px."""
    mask = np.zeros((size_px, size_px), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32) for polygon in polygons], 1, shift=4)
    return mask


def disc(radius_px: float) -> np.ndarray:
    """Return a round structuring element."""
    side_px = 2 * max(round(radius_px), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side_px, side_px))


def possible_face(landmarks: np.ndarray, size_px: int) -> np.ndarray:
    """Return a (size, size) uint8 mask 0/1 of where an upright face can be: its mesh, widened, with a high forehead."""
    side_px = faces.patch_square(landmarks)[1] / faces.PATCH_SCALE
    points = landmarks[: faces.MESH_LANDMARKS, :2]
    oval = landmarks[list(faces.FACE_OVAL), :2]
    brow_y, top_y = landmarks[[105, 334], 1].mean(), oval[:, 1].min()
    height = np.clip((brow_y - oval[:, 1]) / max(brow_y - top_y, 1.0), 0, 1)
    raised = oval - np.array([0.0, 1.0]) * (FOREHEAD * side_px * height)[:, None]
    hull = cv2.convexHull(np.concatenate([points, raised]).astype(np.float32))[:, 0]
    return cv2.dilate(filled([hull], size_px), disc(SLACK * side_px))


def without_specks(mask: np.ndarray, side_px: float) -> np.ndarray:
    """Fill small holes of a mask (H, W) uint8 0/1, and drop small islands."""
    for value, limit in ((0, LARGEST_HOLE), (1, SMALLEST_ISLAND)):
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8), connectivity=4)
        small = stats[:count, cv2.CC_STAT_AREA] < limit * side_px**2
        small[0] = False  # everything else
        mask = np.where(small[numbers], 1 - value, mask).astype(np.uint8)
    return mask


def glasses_strength(crop: np.ndarray, landmarks: np.ndarray) -> float:
    """Return how much an upright face looks as if it wore glasses: level edges on the bridge and under both eyes.

    In units of a tenth of the face's own contrast. Finds most frames; brows that meet pass for glasses too.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), 1)
    eyes_px = faces.eye_distance_px(landmarks)
    oval = grey[filled([landmarks[list(faces.FACE_OVAL), :2]], len(grey)) > 0]
    unit = (oval.std() + 5) / 10

    def slopes(x: float, top: float, bottom: float, half: float) -> np.ndarray:
        part = grey[max(round(top), 0) : max(round(bottom), 0), max(round(x - half), 0) : round(x + half) + 1]
        return np.diff(part.mean(axis=1)) if part.shape[0] > 2 and part.shape[1] else np.zeros(1)

    x, y = landmarks[list(INNER_EYES), :2].mean(axis=0)
    bridge = np.abs(slopes(x, y - 0.22 * eyes_px, y + 0.22 * eyes_px, 0.1 * eyes_px)).max()
    rims = []
    for lid in LOWER_LIDS:
        x, y = landmarks[lid, :2]
        change = slopes(x, y + 0.06 * eyes_px, y + 0.36 * eyes_px, 0.08 * eyes_px)
        rims.append(max(change.max(), 0) + max(-change.min(), 0))
    return float(min(bridge, 1.2 * min(rims)) / unit)


def glasses_zone(landmarks: np.ndarray, size_px: int) -> np.ndarray:
    """Return a (size, size) uint8 mask 0/1 of where glasses can sit on an upright face."""
    eyes_px = faces.eye_distance_px(landmarks)
    left, right = landmarks[faces.EYE_OUTER_LEFT, :2], landmarks[faces.EYE_OUTER_RIGHT, :2]
    x1, x2 = left[0] - 0.35 * eyes_px, right[0] + 0.35 * eyes_px
    y1, y2 = min(left[1], right[1]) - 0.3 * eyes_px, max(left[1], right[1]) + 0.42 * eyes_px
    return filled([np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])], size_px)


def clean(opinion: np.ndarray, crop: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return label and weight, (S, S) uint8 0..255 each, of an upright crop (S, S, 3) with one face.

    Outside the possible face nothing is face; small holes are filled, eyes, brows and mouth wherever the skin around
    them shows; where glasses may sit the label weighs nothing, because the teacher takes them for skin.
    Args: opinion (S, S) 0..1 of the teacher; landmarks (478, 3) px.
    """
    size_px, side_px = len(crop), faces.patch_square(landmarks)[1] / faces.PATCH_SCALE
    possible = possible_face(landmarks, size_px)
    label = np.clip((opinion - 0.5) * SHARPNESS + 0.5, 0, 1) * possible
    for feature in FEATURES:
        part = filled([landmarks[list(feature), :2]], size_px)
        around = cv2.dilate(part, disc(0.04 * side_px)) - part
        if label[around > 0].mean() > LOWEST_FILLED:
            label = np.maximum(label, part)
    solid = without_specks((label > 0.5).astype(np.uint8), side_px)
    label = np.where(solid == (label > 0.5), label, solid)
    weight = np.full((size_px, size_px), 255, np.uint8)
    if glasses_strength(crop, landmarks) > GLASSES_FROM:
        weight[glasses_zone(landmarks, size_px) > 0] = 0
    return np.round(label * 255).astype(np.uint8), weight
