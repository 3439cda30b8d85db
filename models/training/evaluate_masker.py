"""Measure a masker file: `python -m models.training.evaluate_masker --model FILE --data DIR`.

Agreement with hand-made masks, beside its teacher's; hands before faces; stillness; time. Runs as the program does: the
shipped detector and landmarker find the face, the mask is put back into the picture, and a pixel is face above 0.5.
"""

import argparse
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from live.faces.detector import Detector
from live.faces.landmarker import Landmarker, patch_from_landmarks
from live.faces.masker import Masker, Steady
from live.faces.still import find_faces
from live.pixels import host
from live.values import Frame
from models.training import faces
from models.training.evaluate_landmarker import write_sheet
from models.training.mask_labels import TEACHER_PX, Teacher

log = logging.getLogger(__name__)

MODELS = Path(__file__).parents[1]
FACE_CLASSES = (1, 2, 4, 5, 6, 7, 10, 11, 12)
GLASSES = 3
CLASS_NAMES = {1: "skin", 2: "nose", 3: "glasses", 6: "brow", 7: "brow", 8: "ear", 9: "ear", 13: "hair", 14: "hat"}
CLASS_NAMES |= {17: "neck", 18: "cloth", 0: "background"}
DETECTOR_SCORE = 0.4
SHEET_PX = 256
STILL_PICTURES, STILL_FRAMES, NOISE_LEVELS = 20, 12, 2.0
TALKING_CLIP = "grid_lwbsza.mpg"
RUNS = 200


@dataclass
class Finder:
    """What finds faces and masks in a picture."""

    masker: Masker
    landmarker: Landmarker = field(default_factory=lambda: Landmarker(MODELS / "landmarker.onnx"))
    detector: Detector = field(default_factory=lambda: Detector(MODELS / "detector.onnx", score=DETECTOR_SCORE))

    def landmarks(self, picture: np.ndarray) -> np.ndarray | None:
        """Return the largest face's landmarks (478, 3) px, or None."""
        found = find_faces(picture, [self.detector], self.landmarker)
        return found[0].landmarks if found else None

    def mask(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return the mask of one face put back into the picture: (H, W) float32 0..1, 0 outside the patch."""
        masks, matrices = self.masker.mask(frame_of(picture), landmarks[None])
        return in_picture(masks[0], matrices[0], picture)


def frame_of(picture: np.ndarray) -> Frame:
    """Wrap a BGR picture."""
    return host.bgr_frame(picture, time_s=0.0, number=0)


def in_picture(mask: np.ndarray, matrix: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Warp a patch's mask back: (H, W)."""
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def iou(found: np.ndarray, true: np.ndarray, counted: np.ndarray | None = None) -> float:
    """Intersection over union of masks (H, W) bool, over all pixels or the counted ones."""
    counted = np.ones_like(true) if counted is None else counted
    return float((found & true & counted).sum() / max(((found | true) & counted).sum(), 1))


def drawn(picture: np.ndarray, found: np.ndarray, true: np.ndarray | None = None) -> np.ndarray:
    """Return a (256, 256, 3) drawing: what is no face darkened, the found mask's outline red, the true one's green."""
    shown = np.where(found[..., None], picture, picture // 3)
    for mask, colour in ((true, (0, 255, 0)), (found, (0, 0, 255))):
        if mask is not None:
            lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, lines, -1, colour, 1)
    return cv2.resize(shown, (SHEET_PX, SHEET_PX), interpolation=cv2.INTER_AREA)


def log_agreement(name: str, rows: list[tuple[float, float]], missed: int) -> None:
    """Log one network's agreement."""
    plain, without_glasses = np.array(rows).T
    log.info(
        "%s: %d pictures (%d without a found face), IoU mean %.4f, p10 %.4f; glasses not counted: %.4f, %.4f",
        name, len(rows), missed, plain.mean(), np.percentile(plain, 10),
        without_glasses.mean(), np.percentile(without_glasses, 10),
    )  # fmt: skip


def measure_parsing(finder: Finder, teacher: Teacher, folder: Path, sheet: list[np.ndarray]) -> None:
    """Log agreement with the hand-made masks, the teacher's beside it, and which classes pass for face."""
    ours, theirs, drawings, missed = [], [], [], 0
    called, counts = np.zeros(19), np.zeros(19)
    for file in sorted(folder.glob("*.webp")):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        classes = cv2.imread(str(file.with_name(f"{file.stem}_mask.png")), cv2.IMREAD_GRAYSCALE)
        landmarks = finder.landmarks(picture)
        if landmarks is None:
            missed += 1
            continue
        true, no_glasses = np.isin(classes, FACE_CLASSES), classes != GLASSES
        found = finder.mask(picture, landmarks) > 0.5
        taught = cv2.resize(teacher.look(cv2.resize(picture, (TEACHER_PX, TEACHER_PX))), true.shape[::-1]) > 0.5
        ours.append((iou(found, true), iou(found, true, no_glasses)))
        theirs.append((iou(taught, true), iou(taught, true, no_glasses)))
        called += np.bincount(classes[found], minlength=19)
        counts += np.bincount(classes.ravel(), minlength=19)
        drawings.append((ours[-1][0], drawn(picture, found, true)))
    log_agreement("masker", ours, missed)
    log_agreement("teacher on the same pictures", theirs, missed)
    shares = {CLASS_NAMES[i]: 100 * called[i] / max(counts[i], 1) for i in CLASS_NAMES}
    log.info("taken for face, %% of the class: %s", ", ".join(f"{name} {share:.1f}" for name, share in shares.items()))
    sheet += [picture for _, picture in drawings[:: len(drawings) // 24]][:24]
    sheet += [picture for _, picture in sorted(drawings, key=lambda row: row[0])[:24]]


def measure_hands(finder: Finder, folder: Path, sheet: list[np.ndarray]) -> None:
    """Log how much of the hands before faces is masked out, and of the rest of those faces is not."""
    hidden, kept, missed, without = [], [], 0, 0
    for file in sorted((folder / "rgb").iterdir()):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        hands = cv2.imread(str(folder / "mask" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE) > 0
        landmarks = finder.landmarks(picture)
        if landmarks is None:
            missed += 1
            continue
        region = np.zeros(hands.shape, np.uint8)
        hull = cv2.convexHull(landmarks[: faces.MESH_LANDMARKS, :2].astype(np.float32))
        cv2.fillConvexPoly(region, np.round(hull).astype(np.int32), 1)
        before = (region > 0) & hands
        if before.sum() < 0.01 * region.sum():
            without += 1
            continue
        mask = finder.mask(picture, landmarks)
        hidden.append(1 - (mask[before] > 0.5).mean())
        kept.append((mask[(region > 0) & ~hands] > 0.5).mean())
        centre, side_px, angle_rad = faces.patch_square(landmarks)
        matrix = faces.square_matrix(centre, side_px * 1.3, angle_rad, SHEET_PX)
        cut = [cv2.warpAffine(part, matrix, (SHEET_PX, SHEET_PX)) for part in (picture, mask, hands.astype(np.float32))]
        sheet.append(drawn(cut[0], cut[1] > 0.5, cut[2] > 0.5))
    log.info(
        "hands: %d faces behind hands (%d pictures without a found face, %d with no hand before it): "
        "%.1f %% of the hand masked out (mean; worst %.1f), %.1f %% of the rest of the face's hull kept",
        len(hidden), missed, without, 100 * np.mean(hidden), 100 * np.min(hidden), 100 * np.mean(kept),
    )  # fmt: skip


def change(masks: np.ndarray) -> float:
    """Return the mean |difference| of consecutive aligned masks (T, H, W), in percent of the mean mask."""
    return float(100 * np.abs(np.diff(masks, axis=0)).mean() / max(masks.mean(), 1e-6))


def measure_stillness(finder: Finder, data: Path) -> None:
    """Log how much masks change from frame to frame: a still face under noise, and a talking one; raw and smoothed."""
    random = np.random.default_rng(0)
    raw, smoothed = [], []
    for number, labelled in enumerate(faces.read_pictures(data, "generated")):
        if number == STILL_PICTURES:
            break
        steady, series = Steady(), []
        around = labelled.faces[0]
        for _ in range(STILL_FRAMES):
            noise = random.normal(0, NOISE_LEVELS, labelled.image.shape)
            frame = frame_of(np.clip(labelled.image + noise, 0, 255).astype(np.uint8))
            around = finder.landmarker.look(frame, patch_from_landmarks(around)[None])[0][0]
            series.append(finder.masker.mask(frame, around[None])[0])
        raw.append(change(np.concatenate(series)))
        smoothed.append(change(np.concatenate([steady.smooth([0], mask) for mask in series])))
    log.info(
        "still face, noise of %g levels: mask changes by %.2f %% of the face a frame, smoothed %.2f %%",
        NOISE_LEVELS, np.mean(raw), np.mean(smoothed),
    )  # fmt: skip


def measure_talking(finder: Finder, clip: Path, sheet: list[np.ndarray]) -> None:
    """Log how much masks change while somebody talks, raw and smoothed."""
    capture, steady, masks, around = cv2.VideoCapture(str(clip)), Steady(), [], None
    while True:
        ok, picture = capture.read()
        if not ok:
            break
        frame = frame_of(picture)
        if around is None:
            around = finder.landmarks(picture)
        else:
            around = finder.landmarker.look(frame, patch_from_landmarks(around)[None])[0][0]
        if around is None:
            continue
        mask, matrices = finder.masker.mask(frame, around[None])
        masks.append(mask)
        if len(masks) % 10 == 1:
            sheet.append(
                drawn(host.cut_patch(frame, matrices[0] * 2, SHEET_PX), cv2.resize(mask[0], None, fx=2, fy=2) > 0.5)
            )
    steadied = np.concatenate([steady.smooth([0], mask) for mask in masks])
    log.info(
        "%s: %d frames, mask changes by %.2f %% of the face a frame, smoothed %.2f %%",
        clip.name, len(masks), change(np.concatenate(masks)), change(steadied),
    )  # fmt: skip


def measure_time(finder: Finder) -> None:
    """Log the time of one face and of three on a 720p frame, patch cutting included, on one thread."""
    random = np.random.default_rng(0)
    frame = frame_of(random.integers(0, 256, (720, 1280, 3), dtype=np.uint8))
    landmarks = random.uniform((510, 240, 0), (690, 460, 1), (478, 3)).astype(np.float32)
    landmarks[[33, 263], :2] = (550, 320), (650, 322)
    for count in (1, 3):
        taken = []
        for _ in range(RUNS):
            started_s = time.perf_counter()
            finder.masker.mask(frame, np.stack([landmarks] * count))
            taken.append(1000 * (time.perf_counter() - started_s))
        log.info("time: %d faces %.2f ms in the median, %.2f ms at best", count, np.median(taken), np.min(taken))


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with parsing/, faces/, clips/ and teachers/")
    parser.add_argument("--sheet", type=Path, help="contact sheet PNG to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    finder = Finder(Masker(arguments.model))
    measure_time(finder)
    sheet: list[np.ndarray] = []
    teacher = Teacher(arguments.data / "teachers" / "face_skin_unet256.onnx", 1)
    measure_parsing(finder, teacher, arguments.data / "parsing" / "celebamask", sheet)
    measure_hands(finder, arguments.data / "parsing" / "hands_over_face_30", sheet)
    measure_stillness(finder, arguments.data)
    measure_talking(finder, arguments.data / "clips" / TALKING_CLIP, sheet)
    if arguments.sheet:
        write_sheet(sheet, arguments.sheet)


if __name__ == "__main__":
    main()
