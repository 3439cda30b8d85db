"""Labelled faces: reading the picture sets and clips, and the geometry every training and measurement shares.

First stage of both trainings. Knows files, landmarks and where a patch lies; knows nothing about networks.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

LANDMARKS = 478
MESH_LANDMARKS = 468  # the mesh; 468..477 are the two irises, which the bounding boxes leave out
EYE_OUTER_LEFT, EYE_OUTER_RIGHT = 33, 263  # left and right as seen in the picture
PATCH_SCALE = 1.5  # patch side / longer side of the rotated bounding box of the mesh
LABEL_FRACTION = 64  # labels.npz stores px * 64
# The teacher counts px from the picture's edge, OpenCV from the first pixel's centre. Measured by labelling 60 pictures
# and their mirror images: 0.35 px apart, rather than the 0.5 of theory.
LABEL_SHIFT_PX = np.array([-0.35, -0.35, 0.0], np.float32)
HELD_OUT_EVERY = 10
HELD_OUT_CLIPS = ("grid_lwbsza.mpg", "intel_asl_learn.mkv", "intel_asl_thanks.mkv")

# In these clips the teacher also finds the skull printed on a jersey: only the uppermost face is true.
ONE_FACE_CLIPS = "intel_asl_"
# A second man enters these, whom the teacher misses: no frame of theirs is fully labelled.
PARTLY_LABELLED_CLIPS = ("intel_asl_bird.mkv",)

FACE_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176)
FACE_OVAL += (149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
EYES = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYES += (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409)
LIPS += (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415)
# Iris order, of both eyes as seen in the picture: centre, right, top, left, bottom (470, 475 are the tops). Mirroring
# the picture swaps the eyes, and with them right and left: 469 becomes 476, 471 becomes 474.
IRIS_MIRROR = {468: 473, 469: 476, 470: 475, 471: 474, 472: 477}


@dataclass(frozen=True)
class Labelled:
    """One picture or clip frame with every face in it."""

    name: str
    """Set and file, and the frame number for clips."""
    image: np.ndarray
    """(H, W, 3) uint8 BGR"""
    faces: np.ndarray
    """(N, 478, 3) float32 px, (0, 0) the centre of the first pixel; z in the same px, negative towards the camera"""
    held_out: bool
    """Kept for validation, never trained on."""


def is_held_out(file_name: str) -> bool:
    """Every tenth name by SHA-1 belongs to validation; clips are held out whole."""
    if file_name in HELD_OUT_CLIPS:
        return True
    if Path(file_name).suffix not in {".webp", ".jpg", ".png"}:
        return False
    return int(hashlib.sha1(file_name.encode()).hexdigest(), 16) % HELD_OUT_EVERY == 0


def read_pictures(data: Path, picture_set: str) -> Iterator[Labelled]:
    """Yield the pictures of data/faces/<picture_set> that labels.npz labels (one face each)."""
    folder = data / "faces" / picture_set
    labels = np.load(folder / "labels.npz", allow_pickle=False)
    for name, landmarks in zip(labels["name"], labels["landmarks"], strict=True):
        image = cv2.imread(str(folder / str(name)), cv2.IMREAD_COLOR)
        face = landmarks.astype(np.float32) / LABEL_FRACTION + LABEL_SHIFT_PX
        yield Labelled(f"{picture_set}/{name}", image, face[None], is_held_out(str(name)))


def read_clip_frames(clips: Path, labels_file: Path, *, pattern: str = "") -> Iterator[Labelled]:
    """Yield the labelled frames of the clips under a folder, as label_clips.py wrote them; no-face frames included.

    Args: pattern: only clips whose name contains it.
    """
    labels = np.load(labels_file, allow_pickle=False)
    ends = np.cumsum(labels["count"])
    files = {path.name: path for path in clips.rglob("*") if path.is_file()}
    for name in dict.fromkeys(str(name) for name in labels["name"]):
        if pattern not in name:
            continue
        rows = {int(labels["frame"][row]): row for row in np.flatnonzero(labels["name"] == name)}
        capture = cv2.VideoCapture(str(files[name]))
        for number in range(max(rows) + 1):
            ok, image = capture.read()
            if not ok:
                break
            if number in rows:
                row = rows[number]
                faces = labels["landmarks"][ends[row] - labels["count"][row] : ends[row]]
                if name.startswith(ONE_FACE_CLIPS):
                    faces = faces[np.argsort(faces[:, :, 1].mean(axis=1))][:1]
                yield Labelled(f"{name}/{number}", image, faces.astype(np.float32) + LABEL_SHIFT_PX, is_held_out(name))


def mirror_permutation(mesh_file: Path) -> np.ndarray:
    """Return the (478,) int64 index of each landmark's mirror twin, from the canonical mesh's own symmetry.

    Args: mesh_file: OBJ whose first 468 vertices are the mesh's, symmetric about x = 0.
    """
    lines = mesh_file.read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], np.float64)[:MESH_LANDMARKS]
    mirrored = vertices * (-1.0, 1.0, 1.0)
    distances = np.linalg.norm(mirrored[:, None] - vertices[None], axis=2)
    permutation = np.arange(LANDMARKS)
    permutation[:MESH_LANDMARKS] = distances.argmin(axis=1)
    for left, right in IRIS_MIRROR.items():
        permutation[left], permutation[right] = right, left
    return permutation


def mesh_triangles(mesh_file: Path) -> np.ndarray:
    """Return the mesh's triangles, (T, 3) int64 landmark numbers, from its OBJ file."""
    lines = [line.split()[1:] for line in mesh_file.read_text().splitlines() if line.startswith("f ")]
    return np.array([[int(corner.split("/")[0]) - 1 for corner in line] for line in lines])


def eye_distance_px(landmarks: np.ndarray) -> np.ndarray:
    """Return the distance 33 - 263 in x,y of landmarks (..., 478, 2 or 3): (...) in their unit."""
    return np.linalg.norm(landmarks[..., EYE_OUTER_LEFT, :2] - landmarks[..., EYE_OUTER_RIGHT, :2], axis=-1)


def patch_square(landmarks: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return (centre (2,) px, side px, angle rad) of the patch of one face: eye line level, 1.5 x its longer side."""
    across = landmarks[EYE_OUTER_RIGHT, :2] - landmarks[EYE_OUTER_LEFT, :2]
    angle_rad = float(np.arctan2(across[1], across[0]))
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cosine, sine], [-sine, cosine]])  # frame -> upright
    upright = landmarks[:MESH_LANDMARKS, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    return turn.T @ ((low + high) / 2), float((high - low).max()) * PATCH_SCALE, angle_rad


def square_matrix(centre: np.ndarray, side_px: float, angle_rad: float, size_px: int) -> np.ndarray:
    """Return the (2, 3) matrix from frame px to a size_px square whose top edge runs along angle_rad.

    Pixel positions are continuous as in OpenCV: the centre of the first pixel is 0.
    """
    scale = size_px / side_px
    cosine, sine = np.cos(angle_rad) * scale, np.sin(angle_rad) * scale
    linear = np.array([[cosine, sine], [-sine, cosine]])
    offset = np.full(2, size_px / 2 - 0.5) - linear @ centre
    return np.column_stack([linear, offset])


def move_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a (2, 3) similarity to points (..., 2 or 3); z, where present, is scaled by its determinant's root."""
    moved = np.empty_like(points)
    moved[..., :2] = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[-1] == 3:
        moved[..., 2] = points[..., 2] * np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return moved


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Return the detector's (..., 5, 2) points: left and right eye centre, nose tip, left and right mouth corner."""
    xy = landmarks[..., :2]
    left, right = (xy[..., 33, :] + xy[..., 133, :]) / 2, (xy[..., 362, :] + xy[..., 263, :]) / 2
    return np.stack([left, right, xy[..., 1, :], xy[..., 61, :], xy[..., 291, :]], axis=-2)


def mesh_box(landmarks: np.ndarray) -> np.ndarray:
    """Return the tight box of the mesh landmarks, (..., 4) x1, y1, x2, y2 px."""
    xy = landmarks[..., :MESH_LANDMARKS, :2]
    return np.concatenate([xy.min(axis=-2), xy.max(axis=-2)], axis=-1)
