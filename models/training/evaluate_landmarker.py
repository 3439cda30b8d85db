"""Measure a landmarker file: `python -m models.training.evaluate_landmarker --model FILE --data DIR --clip-labels NPZ`.

Accuracy on held-out and foreign pictures, stillness on a still face, and tracking on held-out clips, run as a program
runs it: the patch of a frame comes from the landmarks of the frame before.
"""

import argparse
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from models.training import faces
from models.training.patches import PATCH_PX, warp_patch

log = logging.getLogger(__name__)

TRAINED_SETS = ("generated", "congress", "portraits")
FOREIGN_SETS = ("eval_youtube", "eval_web")
STILL_PICTURES, STILL_TRIES = 40, 12
SQUARES = 40  # per picture without a face
PICTURES = {".jpg", ".jpeg", ".png"}
FAILED_PERCENT = 8.0
YAWS_DEG = (0, 20, 40, 90)
SHEET_COLUMNS, SHEET_PX = 8, 320
REGIONS = {"eyes": faces.EYES, "lips": faces.LIPS, "outline": faces.FACE_OVAL, "irises": tuple(range(468, 478))}
COLOURS = (
    ((0, 200, 0), tuple(range(468))),
    ((0, 220, 255), faces.EYES + faces.LIPS + faces.FACE_OVAL),
    ((255, 80, 80), REGIONS["irises"]),
)
"""BGR, and the landmarks drawn in it"""


class Landmarker:
    """A landmarker file, run on patches of a frame."""

    def __init__(self, file: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def find(self, frame: np.ndarray, around: np.ndarray) -> tuple[np.ndarray, float]:
        """Return landmarks (478, 3) px and score of the face in a BGR frame, near landmarks `around` (478, 3)."""
        return self.find_in_square(frame, *faces.patch_square(around))

    def find_in_square(
        self, frame: np.ndarray, centre: np.ndarray, side_px: float, angle_rad: float
    ) -> tuple[np.ndarray, float]:
        """Return landmarks (478, 3) px and score of the patch with this centre (2,) px, side and angle."""
        matrix = faces.square_matrix(centre, side_px, angle_rad, PATCH_PX)
        landmarks, score = self.session.run(None, {"patch": warp_patch(frame, matrix)[None]})
        back = cv2.invertAffineTransform(matrix)
        return faces.move_points(landmarks[0] * PATCH_PX, back), float(score[0])


def error_percent(found: np.ndarray, true: np.ndarray, which: tuple[int, ...] | None = None) -> float:
    """Return the mean x,y distance in percent of the eye distance, over all landmarks or some."""
    distances = np.linalg.norm(found[:, :2] - true[:, :2], axis=1)
    return float(100 * distances[list(which) if which else slice(None)].mean() / faces.eye_distance_px(true))


def yaw_deg(landmarks: np.ndarray) -> float:
    """Return how far a face is turned sideways, 0..90, from the depth of its two sides (landmarks 234 and 454)."""
    across = landmarks[454] - landmarks[234]
    return float(np.degrees(np.arctan2(abs(across[2]), np.hypot(across[0], across[1]))))


def disturbed(true: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return landmarks moved as a whole by a few percent, as those of the frame before would be."""
    side_px = faces.patch_square(true)[1]
    centre = true.mean(axis=0)
    angle_rad, scale = random.normal(0, 0.05), np.exp(random.normal(0, 0.04))
    turn = np.array([[np.cos(angle_rad), np.sin(angle_rad)], [-np.sin(angle_rad), np.cos(angle_rad)]]) * scale
    moved = true.copy()
    moved[:, :2] = (true - centre)[:, :2] @ turn + centre[:2] + random.normal(0, 0.015, 2) * side_px
    return moved


def measured_pictures(data: Path) -> Iterator[tuple[str, faces.Labelled]]:
    """Yield the held-out pictures of the trained sets, and all of the foreign ones."""
    for picture_set in (*TRAINED_SETS, *FOREIGN_SETS):
        for labelled in faces.read_pictures(data, picture_set):
            if labelled.held_out or picture_set in FOREIGN_SETS:
                yield picture_set, labelled


def measure_pictures(landmarker: Landmarker, data: Path, sheet: list[np.ndarray]) -> None:
    """Log error per picture set and region; adds drawings of the worst and of ordinary pictures to the sheet."""
    random = np.random.default_rng(0)
    rows: dict[str, list[tuple[float, ...]]] = {}
    turned: list[tuple[float, float]] = []
    drawings: list[tuple[float, np.ndarray]] = []
    for picture_set, labelled in measured_pictures(data):
        true = labelled.faces[0]
        found, score = landmarker.find(labelled.image, disturbed(true, random))
        errors = [error_percent(found, true), *(error_percent(found, true, which) for which in REGIONS.values())]
        rows.setdefault(picture_set, []).append((*errors, score))
        turned.append((yaw_deg(true), errors[0]))
        drawings.append((errors[0], drawn(labelled.image, found)))
    for picture_set, values in rows.items():
        means, tail = np.mean(values, axis=0), np.percentile([row[0] for row in values], 95)
        regions = ", ".join(f"{name} {mean:.2f}" for name, mean in zip(REGIONS, means[1:-1], strict=True))
        unsure = np.mean([row[-1] < 0.5 for row in values])
        failed = np.mean([row[0] > FAILED_PERCENT for row in values])
        log.info(
            "%s: %d pictures, error %.2f %% (95th percentile %.2f; over %.0f: %.1f %%; %s), score below 0.5: %.1f %%",
            picture_set, len(values), means[0], tail, FAILED_PERCENT, 100 * failed, regions, 100 * unsure,
        )  # fmt: skip
    yaws, all_errors = np.array(turned).T
    for low, high in pairwise(YAWS_DEG):
        chosen = (yaws >= low) & (yaws < high)
        if chosen.any():
            failed = 100 * (all_errors[chosen] > FAILED_PERCENT).mean()
            log.info(
                "yaw %d..%d: %d pictures, error %.2f %%, over %.0f: %.1f %%",
                low, high, chosen.sum(), all_errors[chosen].mean(), FAILED_PERCENT, failed,
            )  # fmt: skip
    sheet += [picture for _, picture in drawings[:: len(drawings) // 24]][:24]
    sheet += [picture for _, picture in sorted(drawings, key=lambda row: -row[0])[:16]]


def measure_stillness(landmarker: Landmarker, data: Path) -> None:
    """Log how far landmarks wander on a still face under noise of 2 levels and patches off by up to one patch pixel."""
    random = np.random.default_rng(1)
    wander = []
    for number, (_, labelled) in enumerate(measured_pictures(data)):
        if number == STILL_PICTURES:
            break
        true, side_px = labelled.faces[0], faces.patch_square(labelled.faces[0])[1]
        tries = []
        for _ in range(STILL_TRIES):
            noisy = np.clip(labelled.image + random.normal(0, 2, labelled.image.shape), 0, 255).astype(np.uint8)
            around = true + np.array([*random.uniform(-1, 1, 2) * side_px / PATCH_PX, 0])
            tries.append(landmarker.find(noisy, around)[0][:, :2])
        spread = np.sqrt(np.var(tries, axis=0).sum(axis=1)).mean()
        wander.append(100 * spread / faces.eye_distance_px(true))
    log.info("still face: landmarks wander by %.2f %% of the eye distance (root mean square)", np.mean(wander))


def measure_false_faces(landmarker: Landmarker, folder: Path) -> None:
    """Log how often a square at random in a picture without a face passes for one."""
    random = np.random.default_rng(2)
    scores = []
    for file in sorted(folder.iterdir()):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.suffix in PICTURES else None
        if picture is None:
            continue
        size = np.array(picture.shape[1::-1])
        for _ in range(SQUARES):
            centre, side_px = random.uniform(0.2, 0.8, 2) * size, random.uniform(0.2, 0.9) * size.min()
            scores.append(landmarker.find_in_square(picture, centre, side_px, random.normal(0, 0.2))[1])
    shares = [100 * np.mean(np.array(scores) > threshold) for threshold in (0.5, 0.8)]
    log.info("%d squares without a face: score above 0.5: %.1f %%, above 0.8: %.1f %%", len(scores), *shares)


def measure_clips(landmarker: Landmarker, data: Path, clip_labels: Path, sheet: list[np.ndarray]) -> None:
    """Track the held-out clips from their first label on; log error at labelled frames and the landmarks' shaking."""
    for name in faces.HELD_OUT_CLIPS:
        labelled = faces.read_clip_frames(data / "clips", clip_labels, pattern=name)
        labels = {int(row.name.split("/")[1]): row for row in labelled}
        first = min(number for number, row in labels.items() if len(row.faces))
        capture = cv2.VideoCapture(str(data / "clips" / name))
        track, errors, scores, around = [], [], [], labels[first].faces[0]
        for number in range(max(labels) + 1):
            ok, frame = capture.read()
            if not ok:
                break
            if number < first:
                continue
            around, score = landmarker.find(frame, around)
            track.append(around[:, :2])
            scores.append(score)
            if number in labels and len(labels[number].faces):
                errors.append(error_percent(around, labels[number].faces[0]))
            if number % 12 == 0:
                sheet.append(drawn(frame, around))
        path = np.array(track)
        shake = np.linalg.norm(path[:-2] - 2 * path[1:-1] + path[2:], axis=2).mean() / faces.eye_distance_px(around)
        log.info(
            "%s: %d frames, error %.2f %%, second difference %.2f %% of the eye distance, score at least %.2f",
            name, len(path), np.mean(errors), 100 * shake, min(scores),
        )  # fmt: skip


def drawn(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a (320, 320, 3) drawing of one face: its region of the frame with the landmarks on it."""
    centre, side_px, _ = faces.patch_square(landmarks)
    matrix = faces.square_matrix(centre, side_px, 0.0, SHEET_PX)
    picture = cv2.warpAffine(frame, matrix, (SHEET_PX, SHEET_PX))
    points = faces.move_points(landmarks, matrix)
    for colour, which in COLOURS:
        for x, y, _ in points[list(which)]:
            cv2.circle(picture, (round(float(x) * 8), round(float(y) * 8)), 9, colour, -1, cv2.LINE_AA, shift=3)
    return picture


def write_sheet(pictures: list[np.ndarray], file: Path) -> None:
    """Write pictures of one size as a contact sheet."""
    blank = np.zeros_like(pictures[0])
    pictures = pictures + [blank] * (-len(pictures) % SHEET_COLUMNS)
    rows = [np.hstack(pictures[start : start + SHEET_COLUMNS]) for start in range(0, len(pictures), SHEET_COLUMNS)]
    cv2.imwrite(str(file), np.vstack(rows))


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clip-labels", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="contact sheet PNG to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    landmarker = Landmarker(arguments.model)
    sheet: list[np.ndarray] = []
    measure_pictures(landmarker, arguments.data, sheet)
    measure_stillness(landmarker, arguments.data)
    measure_false_faces(landmarker, arguments.data / "noface")
    measure_clips(landmarker, arguments.data, arguments.clip_labels, sheet)
    if arguments.sheet:
        write_sheet(sheet, arguments.sheet)


if __name__ == "__main__":
    main()
