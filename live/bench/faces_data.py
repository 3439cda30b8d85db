"""Material for `live bench faces`: labelled picture sets, pictures with their parts painted, what shows no face.

Whatever lies in the folder is untrusted: sizes are bounded, what cannot be used is refused in one line. One picture is
in memory at a time. Knows files and labels; nothing about networks.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.errors import UsageError
from live.faces.landmarker import EYE_CORNERS, MESH_POINTS
from live.pixels.pictures import BROKEN, PictureError, bgr_of, opened
from live.values import Floats, Pixels

LANDMARKS = 478
LABELS = "labels.npz"
LABEL_FRACTION = 64
"""labels.npz stores px x 64."""
LABEL_SHIFT_PX = np.array([-0.35, -0.35, 0.0], np.float32)
"""From px counted from the picture's edge, as the labels are, to px counted from the first pixel's centre; as in
models/training/faces.py, which says how it was measured."""
TRAINED_SETS = frozenset({"generated", "congress", "portraits"})
"""Trained on, but for every tenth name."""
HELD_OUT_EVERY = 10
NAME_ENDS = frozenset({".webp", ".jpg", ".png"})
ONE_FACE_CLIPS = "intel_asl_"
"""In clips of this name the labels also hold a skull printed on a jersey: only the uppermost face is one."""
MOST_BYTES = 512 * 2**20
"""Of a labels file, unpacked: about 180 000 faces."""
MOST_SIDE_PX = 4096
MOST_FRAMES = 20_000
"""Of one clip."""
LEAST_EYES_PX = 4.0
PARTS = 19
"""Classes of a painted picture, numbered as in CelebAMask-HQ."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureSet:
    """A folder of pictures with one labelled face each."""

    name: str
    folder: Path
    names: tuple[str, ...]
    landmarks: NDArray[np.signedinteger[Any]]
    """(N, 478, 3) px x 64, counted from the picture's edge; z in the same unit, towards the camera negative."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled picture."""

    name: str
    image: Pixels
    """(H, W, 3) BGR."""
    landmarks: Floats
    """(478, 3) px of `image`, 0 the centre of its first pixel."""


def is_held_out(name: str) -> bool:
    """Every tenth picture of a trained set, by the SHA-1 of its name, was never trained on."""
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return Path(name).suffix in NAME_ENDS and int(digest, 16) % HELD_OUT_EVERY == 0


def find_sets(data: Path) -> list[PictureSet]:
    """The labelled sets of a folder: itself, its folders, and those of its folder `faces`.

    Raises: UsageError when there is no such folder or labels do not fit.
    """
    if not data.is_dir():
        raise UsageError(f"there is no folder {data}; --data takes a folder of labelled pictures, as for the trainings")
    files = [data / LABELS, *sorted(data.glob(f"*/{LABELS}")), *sorted(data.glob(f"faces/*/{LABELS}"))]
    return [read_set(file) for file in files if file.is_file()]


def read_set(file: Path) -> PictureSet:
    """Read labels.npz of a folder. Raises: UsageError saying what does not fit."""
    stored = load_arrays(file, ("name", "landmarks"))
    names, landmarks = stored["name"], stored["landmarks"]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise UsageError(f"{file}: `name` is {names.dtype}{names.shape}; it has to be a list of file names")
    if landmarks.dtype.kind != "i" or landmarks.shape != (len(names), LANDMARKS, 3):
        raise UsageError(
            f"{file}: `landmarks` is {landmarks.dtype}{landmarks.shape}; it has to be whole numbers, px x "
            f"{LABEL_FRACTION}, of shape ({len(names)}, {LANDMARKS}, 3)"
        )
    folder = file.resolve().parent
    return PictureSet(folder.name, folder, tuple(str(name) for name in names), landmarks)


def chosen_rows(picture_set: PictureSet, *, every: bool, limit: int | None) -> Sequence[int]:
    """The rows to measure: the held-out ones of a trained set, all of another, of those `limit` evenly spread.

    Args: every: all pictures, trained on or not.
    """
    names = picture_set.names
    whole = every or picture_set.name not in TRAINED_SETS
    return thinned([row for row in range(len(names)) if whole or is_held_out(names[row])], limit)


def thinned(items: Sequence[Any], limit: int | None) -> list[Any]:
    """At most `limit` items, evenly spread."""
    if limit is None or len(items) <= limit:
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def read_sample(picture_set: PictureSet, row: int) -> Sample:
    """Read one picture. Raises: UsageError when it cannot be read or its labels do not lie in it."""
    name = picture_set.names[row]
    if name in {"", ".", ".."} or set(name) & set('/\\:"\0'):
        raise UsageError(f"{name[:60]!r} is no file name; names have to be those of files beside {LABELS}")
    image = read_bounded(picture_set.folder / name)
    landmarks = picture_set.landmarks[row].astype(np.float32) / LABEL_FRACTION + LABEL_SHIFT_PX
    eyes_px = float(np.hypot(*(landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]])[:2]))
    size = np.array(image.shape[1::-1])
    inside = ((landmarks[:MESH_POINTS, :2] >= 0) & (landmarks[:MESH_POINTS, :2] < size)).all(axis=1).mean()
    if eyes_px < LEAST_EYES_PX or inside < 0.5:
        raise UsageError(f"{name}: its labels show no face in its {image.shape[1]}x{image.shape[0]} px")
    return Sample(name, image, landmarks)


def read_bounded(path: Path) -> Pixels:
    """Read a picture as it is, (H, W, 3) BGR, up to 4096 px a side. Raises: PictureError."""
    with opened(path) as image:
        _check_side(path, image.size)
        return bgr_of(image, MOST_SIDE_PX)


def find_painted(data: Path) -> list[tuple[Path, Path]]:
    """Pairs of (picture, NAME_mask.png) in the folders of `parsing`."""
    pairs = []
    for mask in sorted(data.glob("parsing/*/*_mask.png")):
        stem = mask.name.removesuffix("_mask.png")
        pictures = (mask.with_name(stem + end) for end in sorted(NAME_ENDS))
        picture = next((path for path in pictures if path.is_file()), None)
        if picture is not None:
            pairs.append((picture, mask))
    return pairs


def read_painted(picture: Path, mask: Path) -> tuple[Pixels, Pixels]:
    """Read a picture (H, W, 3) BGR and the class of each of its pixels, (H, W) 0..18. Raises: UsageError."""
    image = read_bounded(picture)
    with opened(mask) as stored:
        _check_side(mask, stored.size)
        classes = np.asarray(stored)
    if classes.shape != image.shape[:2] or classes.dtype != np.uint8 or int(classes.max()) >= PARTS:
        raise UsageError(f"{mask.name} does not fit its picture: one class of 0..{PARTS - 1} per pixel is needed")
    return image, classes


def find_faceless(data: Path) -> list[Path]:
    """Pictures and clips without faces: the files of `noface`, and those of `clips` whose name begins so."""
    return [path for place in ("noface/*", "clips/noface*") for path in sorted(data.glob(place)) if path.is_file()]


def read_clip_labels(file: Path) -> dict[str, dict[int, Floats]]:
    """Read what models/training/label_clips.py writes: by clip and frame number the faces (N, 478, 3) px.

    Raises: UsageError when the file cannot be read or does not fit.
    """
    stored = load_arrays(file, ("name", "frame", "count", "landmarks"))
    names, numbers, counts, landmarks = (stored[key] for key in ("name", "frame", "count", "landmarks"))
    whole = all(part.dtype.kind in "iu" and part.shape == names.shape for part in (numbers, counts))
    if names.ndim != 1 or names.dtype.kind != "U" or not whole or (counts < 0).any():
        raise UsageError(f"{file}: `name`, `frame` and `count` have to be lists of one length, a frame each")
    if landmarks.dtype.kind != "f" or landmarks.shape != (int(counts.sum()), LANDMARKS, 3):
        raise UsageError(f"{file}: `landmarks` has to be px of shape ({int(counts.sum())}, {LANDMARKS}, 3)")
    if not np.isfinite(landmarks).all():
        raise UsageError(f"{file}: `landmarks` holds numbers that are not finite; label the clips again")
    clips: dict[str, dict[int, Floats]] = {}
    ends = np.cumsum(counts)
    for name, number, count, end in zip(names, numbers, counts, ends):
        faces = landmarks[end - count : end].astype(np.float32) + LABEL_SHIFT_PX
        if str(name).startswith(ONE_FACE_CLIPS):
            faces = faces[np.argsort(faces[:, :, 1].mean(axis=1))][:1]
        clips.setdefault(str(name), {})[int(number)] = faces
    return clips


def open_clip(path: Path) -> cv2.VideoCapture:
    """Open a clip. Raises: UsageError when it is none or too large."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if not capture.isOpened() or min(size) <= 0 or max(size) > MOST_SIDE_PX:
        capture.release()
        raise UsageError(f"{path.name} is neither a picture nor a clip of up to {MOST_SIDE_PX} px a side")
    return capture


def clip_frames(path: Path, limit: int | None) -> Iterator[tuple[float, Pixels]]:
    """Yield (time s, (H, W, 3) BGR) of a clip's first frames, in order. Raises: UsageError, as `open_clip`."""
    capture = open_clip(path)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        fps = rate if 1 <= rate <= 240 else 25.0
        for number in range(MOST_FRAMES if limit is None else min(limit, MOST_FRAMES)):
            more, image = capture.read()
            if not more:
                return
            yield number / fps, image
    finally:
        capture.release()


def load_arrays(file: Path, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Load arrays of an .npz file, none of them pickled. Raises: UsageError."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MOST_BYTES:
            raise UsageError(f"{file} unpacks to {size >> 20} MiB; up to {MOST_BYTES >> 20} MiB are read: split it")
        with np.load(file, allow_pickle=False) as stored:
            return {key: stored[key] for key in keys}
    except (*BROKEN, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UsageError(
            f"{file} cannot be read ({reason}); it has to be an .npz file with {', '.join(keys)}"
        ) from None


def _check_side(path: Path, size: tuple[int, int]) -> None:
    if max(size) > MOST_SIDE_PX:
        raise PictureError(f"{path.name} has {size[0]}x{size[1]} px; up to {MOST_SIDE_PX} px a side are measured")
