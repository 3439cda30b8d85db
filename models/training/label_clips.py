"""Label clips with MediaPipe's face landmarker: 478 points of up to four faces on every Nth frame.

Where the whole frame shows it no face (small faces), it looks again at enlarged windows of the frame's upper part.

Stands before training: the trainings read what this writes (`--clip-labels`), and know nothing about MediaPipe.
Runs in its own virtual environment (`pip install mediapipe==1.2.2`, apt: libgles2 libegl1), because mediapipe brings
opencv-contrib-python, which must not share an environment with opencv-python.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

FACES_PER_FRAME = 4


def frames_of(clip: Path, every: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, frame) of every Nth frame of a clip; a frame is (H, W, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(clip))
    number = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            return
        if number % every == 0:
            yield number, frame
        number += 1


def label_frame(landmarker: vision.FaceLandmarker, frame: np.ndarray) -> np.ndarray:
    """Return the landmarks of all faces of one BGR frame: (N, 478, 3) float32 px, z in px of the same scale."""
    height_px, width_px = frame.shape[:2]
    rgb = np.ascontiguousarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    found = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb))
    faces = [[(p.x * width_px, p.y * height_px, p.z * width_px) for p in face] for face in found.face_landmarks]
    return np.array(faces, np.float32).reshape(-1, 478, 3)


def label_windows(landmarker: vision.FaceLandmarker, frame: np.ndarray) -> np.ndarray:
    """Return the landmarks found in the first of three overlapping upper windows, enlarged twice, that shows any."""
    height_px, width_px = frame.shape[:2]
    for left_px in (width_px // 4, 0, width_px // 2):
        window = frame[: height_px * 5 // 8, left_px : left_px + width_px // 2]
        faces = label_frame(landmarker, cv2.resize(window, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)) / 2
        if len(faces):
            return faces + np.array([left_px, 0, 0], np.float32)
    return np.zeros((0, 478, 3), np.float32)


def main() -> None:
    """Label the clips named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, required=True, help="face_landmarker.task")
    parser.add_argument("--out", type=Path, required=True, help="npz to write: name, frame, count, landmarks")
    parser.add_argument("--every", type=int, default=3, help="label every Nth frame")
    parser.add_argument("clips", nargs="+", type=Path)
    arguments = parser.parse_args()
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(arguments.task)), num_faces=FACES_PER_FRAME
    )
    names, numbers, counts, landmarks = [], [], [], []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for clip in arguments.clips:
            for number, frame in frames_of(clip, arguments.every):
                faces = label_frame(landmarker, frame)
                if not len(faces):
                    faces = label_windows(landmarker, frame)
                names.append(clip.name)
                numbers.append(number)
                counts.append(len(faces))
                landmarks.append(faces)
    np.savez_compressed(
        arguments.out,
        name=np.array(names),
        frame=np.array(numbers, np.int32),
        count=np.array(counts, np.int32),
        landmarks=np.concatenate(landmarks),
    )
    parser.exit(0, f"{sum(counts)} faces on {len(names)} frames of {len(arguments.clips)} clips -> {arguments.out}\n")


if __name__ == "__main__":
    main()
