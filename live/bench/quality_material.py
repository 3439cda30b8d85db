"""Material for `live bench quality`: portraits to put on, people to tell apart, clips with one clear face.

Whatever lies in the folder is untrusted: sizes are bounded, what cannot be used is refused in one line. Knows files,
labels and the tracker; nothing about swapping.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from live.bench import faces_data
from live.errors import FaceError, UsageError
from live.faces.gallery import Look
from live.faces.landmarker import EYE_CORNERS
from live.pixels import host
from live.preset import Preset
from live.studio import build_tracker
from live.values import Face, Floats, Frame, PixelFormat, Pixels, SourceFace

log = logging.getLogger(__name__)

CLIPS = (
    "foreman_cif_300f.264",
    "grid_bbaf2n.mpg",
    "grid_brbk7n.mpg",
    "grid_lbax4n.mpg",
    "grid_lrwp9a.mpg",
    "grid_lwbsza.mpg",
    "intel_asl_again.mkv",
    "intel_asl_book.mkv",
    "obama_whitehouse_512.mp4",
    "us_house_AOC_512.mp4",
)
SOURCES = ("00006.webp", "00013.webp", "00024.webp", "00046.webp")
"""What is taken where it is there and nothing else was asked for."""
MOST_CLIPS, MOST_SOURCES, MOST_PEOPLE = 12, 4, 200
"""Where it is not there: so many of what is."""
LEAST_EYES_PX = 24.0
LEAST_INSIDE_PX = 32
"""Of the face's box, in the frame: with less there is nothing to look at."""
LEAST_FRAMES = 5
MOST_CROWD = 0.2
"""Share of frames with more than one face from which on a clip is not of one person."""
MADE_FOR = "measurement"


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture of one person."""

    name: str
    image: Pixels
    """(H, W, 3) BGR."""
    landmarks: Floats
    """(478, 3) px."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip of one person, looked through by the program's own tracker."""

    path: Path
    faces: dict[int, Face]
    """By frame number: the face to swap, its landmarks as the engine gets them."""
    frames: int


def find_portraits(data: Path) -> Path:
    """The folder of portraits. Raises: UsageError when there is none."""
    if not data.is_dir():
        raise UsageError(f"there is no folder {data}; --data takes one with judges/, clips/ and faces/portraits/")
    folder = data / "faces" / "portraits"
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; put pictures of at least four people there, one each")
    return folder


def choose_sources(folder: Path, wanted: Sequence[str]) -> list[str]:
    """The names of the pictures to put on. Raises: UsageError for one that is not there, or none at all."""
    names = _pictures(folder)
    if wanted:
        for name in wanted:
            if name not in names:
                raise UsageError(f"there is no picture {name} in {folder}; {_near(name, names)}")
        return list(dict.fromkeys(wanted))
    chosen = [name for name in SOURCES if name in names] or faces_data.thinned(names, MOST_SOURCES)
    if not chosen:
        raise UsageError(f"{folder} holds no pictures; put pictures of at least four people there, one each")
    return chosen


def choose_clips(data: Path, wanted: Sequence[str]) -> list[Path]:
    """The clips to swap faces in. Raises: UsageError for one that is not there, or none at all."""
    found = {path.name: path for path in sorted((data / "clips").rglob("*")) if path.is_file()}
    if not found:
        raise UsageError(f"{data / 'clips'} holds no clips; put clips of talking people there, one person in each")
    for name in wanted:
        if name not in found:
            raise UsageError(f"there is no clip {name} in {data / 'clips'}; {_near(name, list(found))}")
    names = list(dict.fromkeys(wanted)) or [name for name in CLIPS if name in found]
    return [found[name] for name in names or faces_data.thinned(list(found), MOST_CLIPS)]


def read_source(folder: Path, name: str, look: Look | None = None) -> SourceFace:
    """Read a portrait as a source face.

    Args: look finds the faces of a picture, as the program does with a photo (of several the largest is taken); None
        takes the landmarks of the folder's labels.
    Raises: UsageError.
    """
    portrait = _portrait(folder, name, look, _labels(folder) if look is None else None)
    content = hashlib.sha256(np.ascontiguousarray(portrait.image).tobytes())
    content.update(np.ascontiguousarray(portrait.landmarks, np.float32).tobytes())
    return SourceFace(name, content.hexdigest(), portrait.image, portrait.landmarks, MADE_FOR)


def read_portrait(folder: Path, name: str, look: Look | None = None) -> Portrait:
    """Read a portrait with the landmarks of its label; without a label, with those of the largest face that is found.

    Raises: UsageError.
    """
    return _portrait(folder, name, look, _labels(folder))


def read_people(folder: Path, look: Look) -> list[Portrait]:
    """All portraits of a folder, at most 200; those that show nobody are left out."""
    people, labels = [], _labels(folder)
    for name in faces_data.thinned(_pictures(folder), MOST_PEOPLE):
        try:
            people.append(_portrait(folder, name, look, labels))
        except UsageError as error:
            log.debug("left out of the portraits: %s", error)
    return people


def _labels(folder: Path) -> faces_data.PictureSet | None:
    file = folder / faces_data.LABELS
    return faces_data.read_set(file) if file.is_file() else None


def _portrait(folder: Path, name: str, look: Look | None, labels: faces_data.PictureSet | None) -> Portrait:
    if labels is not None and name in labels.names:
        sample = faces_data.read_sample(labels, labels.names.index(name))
        return Portrait(name, sample.image, sample.landmarks)
    picture = faces_data.read_bounded(folder / name)
    faces = look(picture) if look else []
    if not faces:
        raise FaceError(f"{name}: there is no label of a face in it, and none was found; choose others with --sources")
    return Portrait(name, picture, faces[0].landmarks)


def look_through(path: Path, preset: Preset, labels: dict[int, Floats], limit: int) -> Clip:
    """Follow the person of a clip through its first frames, as the program would.

    Args: labels: by frame number, faces (N, 478, 3) px: whom to follow where several are found.
    Raises: UsageError when the clip does not show one clear face.
    """
    tracker = build_tracker(preset)
    faces: dict[int, Face] = {}
    frames, crowded, number, followed = 0, 0, -1, -1
    for number, (now_s, image) in enumerate(faces_data.clip_frames(path, limit)):
        found, _ = tracker.look(camera_frame(image, now_s, number), now_s)
        crowded += len(found) > 1
        if not found:
            continue
        face = _chosen(found, followed, labels.get(number))
        followed = face.track
        if _inside(face, image.shape[:2]):
            faces[number] = face
    frames = number + 1
    eyes_px = [_eyes_px(face) for face in faces.values()]
    if len(faces) < LEAST_FRAMES:
        raise UsageError(f"{path.name} shows a face in {len(faces)} of {frames} frames; {LEAST_FRAMES} are needed")
    if np.median(eyes_px) < LEAST_EYES_PX:
        raise UsageError(
            f"{path.name}: {np.median(eyes_px):.0f} px between the eyes; at least {LEAST_EYES_PX:.0f} are needed"
        )
    if crowded > MOST_CROWD * len(faces) and not labels:
        raise UsageError(f"{path.name} shows several faces in {crowded} of {frames} frames; one is needed")
    return Clip(path, faces, frames)


def camera_frame(image: Pixels, time_s: float, number: int) -> Frame:
    """A (H, W, 3) BGR picture in the format that webcams deliver."""
    return host.convert(host.bgr_frame(image, time_s=time_s, number=number), PixelFormat.NV12)


def _chosen(found: Sequence[Face], followed: int, labels: Floats | None) -> Face:
    """The labelled face, else the one of the frame before, else the surest."""
    if labels is not None and len(labels):
        middle = labels[0, :, :2].mean(axis=0)
        return min(found, key=lambda face: float(np.linalg.norm(face.landmarks[:, :2].mean(axis=0) - middle)))
    return next((face for face in found if face.track == followed), max(found, key=lambda face: face.score))


def _inside(face: Face, size: tuple[int, ...]) -> bool:
    """Whether enough of a face is in a picture of that (height, width)."""
    x1, y1, x2, y2 = face.box
    return min(x2, size[1]) - max(x1, 0) >= LEAST_INSIDE_PX and min(y2, size[0]) - max(y1, 0) >= LEAST_INSIDE_PX


def _eyes_px(face: Face) -> float:
    return float(np.linalg.norm(face.landmarks[EYE_CORNERS[0], :2] - face.landmarks[EYE_CORNERS[1], :2]))


def _pictures(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in {*faces_data.NAME_ENDS, ".jpeg"})


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names[:8])} ..."
