"""Whether a photo can serve as a source face, and the upright crop that is kept.

Knows pictures and landmarks; nothing about files, names or consent. Bounds are measured in the photo as given.
"""

from __future__ import annotations

import cv2
import numpy as np

from live.values import Face, Floats, Pixels

MESH = 468
"""Landmarks of the mesh; the irises follow."""
LEFT_EYE, RIGHT_EYE, LEFT_SIDE, RIGHT_SIDE = (33, 133), (362, 263), 234, 454
LEAST_FACE_PX = 96
"""Between the outline's sides, 234 and 454."""
LEAST_EYES_PX = 48
"""Between the outer eye corners, 33 and 263."""
MOST_YAW_DEG = 35
MOST_YAW_FURTHER_DEG = 60
"""Of a photo beside one from the front: it shows the side that the other does not."""
BYSTANDER = 0.4
"""Of the largest face's height: smaller faces stand behind it, or are none, and nobody can be in doubt who is meant."""
MOST_OUTSIDE = 0.03
"""Of the face's size: how far its mesh may leave the photo."""
ALIGNED_PX = 128
LEAST_LUMA, MOST_LUMA = 18, 245
"""Median of the inner face; outside it too few grey levels are left to make a face of."""
LEAST_SHARPNESS = 0.65
"""Portraits reach 0.7 to 11 (median 3.8), blurred by 3 % of the eye distance 0.2 to 1.4, by 6 % up to 0.4; web pictures
restored from heavy loss 0.1 to 0.9, motion blur 0.14."""
CROP_SIZE_PX = 1024
CROP_MARGIN = 2.1
"""The crop's side, in sides of the face's box: hair, ears and neck stay in it."""
DIRECTIONS = [np.zeros((3, 3), np.float32) for _ in range(4)]
for _kernel, _ends in zip(DIRECTIONS, (((1, 0), (1, 2)), ((0, 1), (2, 1)), ((0, 0), (2, 2)), ((0, 2), (2, 0)))):
    _kernel[1, 1] = -2
    _kernel[_ends[0]] = _kernel[_ends[1]] = 1


def findings(picture: Pixels, faces: list[Face], *, most_yaw_deg: float = MOST_YAW_DEG) -> list[str]:
    """What speaks against a photo as a source face, one line each with what to do; empty when nothing does.

    Args: picture (H, W, 3) BGR; faces: all that were found in it, the largest first; most_yaw_deg: how far the face may
        be turned.
    """
    if not faces:
        return ["there is no face in it; give a photo of one face, from the front, in even light"]
    rivals = [face for face in faces[1:] if _height(face) > BYSTANDER * _height(faces[0])]
    if rivals:
        return [f"there are {1 + len(rivals)} faces in it; crop it so that only the one to put on is left"]
    landmarks = faces[0].landmarks
    found = [_too_small(landmarks), _cut_off(picture, landmarks), _turned(landmarks, most_yaw_deg)]
    if not any(found):
        light = float(np.median(_face_luma(picture, landmarks)))
        if light < LEAST_LUMA:
            found.append("the face is almost black; give a photo in more light")
        elif light > MOST_LUMA:
            found.append("the face is almost white; give a photo with less light or flash")
        elif sharpness(picture, landmarks) < LEAST_SHARPNESS:
            found.append("the face is blurred; give a sharper photo (in focus, held still, not enlarged)")
    return [line for line in found if line]


def _height(face: Face) -> float:
    return face.box[3] - face.box[1]


def _too_small(landmarks: Floats) -> str:
    face_px = np.linalg.norm(landmarks[LEFT_SIDE, :2] - landmarks[RIGHT_SIDE, :2])
    eyes_px = np.linalg.norm(landmarks[LEFT_EYE[0], :2] - landmarks[RIGHT_EYE[1], :2])
    if face_px >= LEAST_FACE_PX and eyes_px >= LEAST_EYES_PX:
        return ""
    size = f"{face_px:.0f} px wide ({eyes_px:.0f} px between the eyes)"
    return f"the face is {size}; at least {LEAST_FACE_PX} ({LEAST_EYES_PX}) are needed: give a larger photo"


def _cut_off(picture: Pixels, landmarks: Floats) -> str:
    height, width = picture.shape[:2]
    low, high = landmarks[:MESH, :2].min(axis=0), landmarks[:MESH, :2].max(axis=0)
    allowed = MOST_OUTSIDE * float((high - low).max())
    beyond = {"left": -low[0], "top": -low[1], "right": high[0] - width, "bottom": high[1] - height}
    sides = [side for side, outside_px in beyond.items() if outside_px > allowed]
    return f"the face is cut off at the {' and '.join(sides)}; give a photo with the whole face in it" if sides else ""


def _turned(landmarks: Floats, most_deg: float) -> str:
    yaw = abs(yaw_deg(landmarks))
    if yaw <= most_deg:
        return ""
    return f"the face is turned by {yaw:.0f} degrees; up to {most_deg:.0f} work: give a photo from the front"


def yaw_deg(landmarks: Floats) -> float:
    """How far a face (478, 3) is turned to a side, degrees; 0 looks into the camera."""
    across = landmarks[RIGHT_SIDE] - landmarks[LEFT_SIDE]
    return float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))


def sharpness(picture: Pixels, landmarks: Floats) -> float:
    """How much fine detail the face has in its poorest direction, whatever its size, contrast and light.

    Returns: 100 x variance of the second derivative (least of four directions, so motion blur counts as blur) over the
    variance of the face's luma, in a 128 px crop with the eyes level.
    """
    luma = _face_luma(picture, landmarks)
    detail = min(float(cv2.filter2D(luma, cv2.CV_32F, kernel).var()) for kernel in DIRECTIONS)
    return 100 * detail / max(25.0, float(luma.var()))


def _face_luma(picture: Pixels, landmarks: Floats) -> Floats:
    """The inner face, eyes level and 46 px apart: (88, 96) luma 0..255."""
    eyes = np.stack([landmarks[list(eye), :2].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE)])
    scale = 0.36 * ALIGNED_PX / max(1e-3, float(np.linalg.norm(eyes[1] - eyes[0])))
    place = (0.5 * ALIGNED_PX, 0.4 * ALIGNED_PX)
    patch = _cut(picture, eyes.mean(axis=0), _angle(landmarks), scale, place, ALIGNED_PX)[0]
    return cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY).astype(np.float32)[24:112, 16:112]


def crop(picture: Pixels, landmarks: Floats) -> tuple[Pixels, Floats]:
    """Cut the face out with its surroundings, eyes level, at most 1024 px a side, never enlarged.

    Returns: (S, S, 3) BGR; landmarks (478, 3) px of it.
    """
    low, high = landmarks[:MESH, :2].min(axis=0), landmarks[:MESH, :2].max(axis=0)
    side = CROP_MARGIN * float((high - low).max())
    size = int(min(CROP_SIZE_PX, np.ceil(side)))
    scale = min(1.0, size / side)
    image, matrix = _cut(picture, (low + high) / 2, _angle(landmarks), scale, (size / 2, size * 0.55), size)
    moved = landmarks.copy()
    moved[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2] *= scale
    return image, moved.astype(np.float32)


def _angle(landmarks: Floats) -> float:
    across = landmarks[RIGHT_EYE[1], :2] - landmarks[LEFT_EYE[0], :2]
    return float(np.arctan2(across[1], across[0]))


def _cut(
    picture: Pixels, centre: Floats, angle_rad: float, scale: float, place: tuple[float, float], size_px: int
) -> tuple[Pixels, Floats]:
    """A levelled square with `centre` at `place`, and its (2, 3) matrix; shrinks without aliasing."""
    cosine, sine = scale * np.cos(angle_rad), scale * np.sin(angle_rad)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    matrix = np.column_stack([linear, np.array(place) - linear @ centre]).astype(np.float32)
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.45 * float(np.sqrt(scale**-2 - 1))))
    image = cv2.warpAffine(picture, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(image, np.uint8), matrix
