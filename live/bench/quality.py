"""How good a swap looks, in numbers: likeness by a recogniser that no engine was made with, and steadiness over time.

Needs the judge's weights and labelled clips, which are not part of the program. Knows engines by their contract only.
`python -m live.bench.quality --data DIR --labels CLIPS.npz` prints the table; DIR holds judges/recogniser.onnx, clips/
and faces/portraits/; CLIPS.npz comes from models/training/label_clips.py.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from live.swap.contract import Engine, Job
from live.values import Floats, Pixels, Settings, SourceFace

log = logging.getLogger(__name__)

_TEMPLATE = np.array(
    ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
    np.float32,
)  # five points of the 112 px picture that recognisers of the ArcFace family expect
_FIVE = (468, 473, 1, 61, 291)  # iris, iris, nose tip, mouth corners, from the picture's left to its right
_MEAN, _STD = np.array(((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), np.float32)
_CLIPS = (
    "grid_bbaf2n.mpg",
    "grid_lrwp9a.mpg",
    "obama_whitehouse_512.mp4",
    "us_house_AOC_512.mp4",
    "intel_asl_again.mkv",
)
_SOURCES = ("00006.webp", "00013.webp", "00024.webp", "00043.webp", "00046.webp")
_UPRIGHT_PX = 128


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A frame of a clip and the landmarks of its first face."""

    image: Pixels
    """(H, W, 3) BGR."""
    landmarks: Floats
    """(478, 3) px."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whom the pictures look like, over some frames."""

    frames: int
    nearer: float
    """Share of frames nearer to the source than to the bare target."""
    to_source: float
    """Mean cosine; the same person in two pictures has about 0.6 to 0.7, strangers 0.0 to 0.2."""
    to_target: float


class Judge:
    """A face recogniser (MobileFaceNet's interface: RGB, ImageNet's mean and deviation, 112 px)."""

    def __init__(self, weights: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def embed(self, image: Pixels, landmarks: Floats) -> Floats:
        """Return the unit vector (128,) of the face with landmarks (478, 2 or 3) px in image (H, W, 3) BGR."""
        matrix, _ = cv2.estimateAffinePartial2D(landmarks[list(_FIVE), :2], _TEMPLATE, method=cv2.LMEDS)
        face = cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_AREA)[..., ::-1]
        values = ((face.astype(np.float32) / 255 - _MEAN) / _STD).transpose(2, 0, 1)[None]
        vector = self._session.run(None, {self._session.get_inputs()[0].name: values})[0].ravel()
        return vector / np.linalg.norm(vector)


def read_clip(clips: Path, labels: Path, name: str, *, limit: int) -> list[Labelled]:
    """Read up to `limit` labelled frames of a clip (the labelled frames' own order, one face each)."""
    with np.load(labels, allow_pickle=False) as file:
        names, numbers, counts, landmarks = (file[key] for key in ("name", "frame", "count", "landmarks"))
    starts = np.cumsum(counts) - counts
    wanted = {int(numbers[row]): landmarks[starts[row]] for row in np.flatnonzero((names == name) & (counts > 0))}
    found: list[Labelled] = []
    path = next(path for path in sorted(clips.rglob(name)))
    for number, image in enumerate(_frames(path)):
        if len(found) >= limit or number > max(wanted, default=-1):
            break
        if number in wanted:
            found.append(Labelled(image, wanted[number].astype(np.float32)))
    return found


def read_source(folder: Path, name: str) -> SourceFace:
    """Read a labelled picture of a folder with labels.npz as a source face."""
    with np.load(folder / "labels.npz", allow_pickle=False) as file:
        row = int(np.flatnonzero(file["name"] == name)[0])
        landmarks = file["landmarks"][row].astype(np.float32) / 64
    image = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{folder / name} is not a picture")
    return SourceFace(name, name, image, landmarks, "measurement")


def wear(
    engine: Engine, frame: Labelled, source: SourceFace, settings: Settings, *, track: int = 0
) -> tuple[Pixels, Pixels]:
    """Swap the face of one frame.  Returns: the picture (H, W, 3) and the opacity (H, W) that was used."""
    height_px, width_px = frame.image.shape[:2]
    x1, y1, x2, y2 = engine.region(frame.landmarks, width_px, height_px)
    inside = frame.landmarks - np.array((x1, y1, 0), np.float32)
    (worn,) = engine.swap([Job(frame.image[y1:y2, x1:x2], inside, track, source)], settings)
    picture, opacity = frame.image.copy(), np.zeros((height_px, width_px), np.uint8)
    part = picture[y1:y2, x1:x2]
    share = worn.alpha[..., None].astype(np.float32) / 255
    part[:] = np.rint(part * (1 - share) + worn.pixels * share)
    opacity[y1:y2, x1:x2] = worn.alpha
    return picture, opacity


def measure_likeness(
    engine: Engine,
    judge: Judge,
    frames: Sequence[Labelled],
    source: SourceFace,
    settings: Settings,
    *,
    every: int = 1,
) -> Likeness:
    """Swap all frames in order and ask the judge about every Nth of them."""
    wanted = judge.embed(source.image, source.landmarks)
    engine.prepare(source)
    engine.forget(0)
    cosines = []
    for number, frame in enumerate(frames):
        picture, _ = wear(engine, frame, source, settings)
        if number % every == 0:
            face = judge.embed(picture, frame.landmarks)
            cosines.append((face @ wanted, face @ judge.embed(frame.image, frame.landmarks)))
    table = np.array(cosines)
    nearer = float((table[:, 0] > table[:, 1]).mean())
    return Likeness(len(table), nearer, float(table[:, 0].mean()), float(table[:, 1].mean()))


def measure_flicker(
    engine: Engine, frames: Sequence[Labelled], source: SourceFace, settings: Settings
) -> tuple[float, float]:
    """Return how much the face changes from frame to frame, swapped and bare, in levels of 0..255.

    Both are compared after taking the face's own motion out (a similarity fitted to the landmarks), inside the opacity.
    """
    engine.prepare(source)
    engine.forget(0)
    changes, before = [], None
    for frame in frames:
        picture, opacity = wear(engine, frame, source, settings)
        now = [_straightened(layer, frame.landmarks) for layer in (picture, frame.image, opacity)]
        if before is not None:
            inside = (now[2] > 128) & (before[2] > 128)
            changes.append([np.abs(now[k].astype(np.float32) - before[k])[inside].mean() for k in (0, 1)])
        before = now
    worn, bare = np.mean(changes, axis=0)
    return float(worn), float(bare)


def measure_speed(engine: Engine, frames: Sequence[Labelled], source: SourceFace, settings: Settings) -> float:
    """Return the median time in ms that `swap` takes per face."""
    engine.prepare(source)
    times = []
    for frame in frames:
        x1, y1, x2, y2 = engine.region(frame.landmarks, frame.image.shape[1], frame.image.shape[0])
        job = Job(frame.image[y1:y2, x1:x2], frame.landmarks - np.array((x1, y1, 0), np.float32), 0, source)
        started_s = time.perf_counter()
        engine.swap([job], settings)
        times.append(time.perf_counter() - started_s)
    return float(np.median(times) * 1e3)


def _straightened(image: Pixels, landmarks: Floats) -> Pixels:
    """Cut the face upright at a fixed size, so that faces of two frames can be compared pixel by pixel."""
    target = (_TEMPLATE - 56) * (_UPRIGHT_PX / 150) + _UPRIGHT_PX / 2
    matrix, _ = cv2.estimateAffinePartial2D(landmarks[list(_FIVE), :2], target, method=cv2.LMEDS)
    upright: Pixels = cv2.warpAffine(image, matrix, (_UPRIGHT_PX, _UPRIGHT_PX), flags=cv2.INTER_LINEAR)
    return upright


def _frames(path: Path) -> Iterator[Pixels]:
    capture = cv2.VideoCapture(str(path))
    while (answer := capture.read())[0]:
        yield answer[1]


def main() -> None:
    """Measure the embedded engine and log a table."""
    from live.swap.mesh import MeshEngine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="npz of models/training/label_clips.py")
    parser.add_argument("--frames", type=int, default=30, help="labelled frames per clip")
    parser.add_argument("--every", type=int, default=5, help="judge every Nth frame")
    parser.add_argument("--shapes", type=float, nargs="+", default=(0.0, 0.5, 1.0))
    parser.add_argument("--clips", nargs="+", default=_CLIPS)
    parser.add_argument("--sources", nargs="+", default=_SOURCES)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    judge, engine = Judge(arguments.data / "judges" / "recogniser.onnx"), MeshEngine()
    sources = [read_source(arguments.data / "faces" / "portraits", name) for name in arguments.sources]
    totals: dict[float, list[Likeness]] = {shape: [] for shape in arguments.shapes}
    for clip in arguments.clips:
        frames = read_clip(arguments.data / "clips", arguments.labels, clip, limit=arguments.frames)
        for shape in arguments.shapes:
            settings = Settings(shape=shape)
            found = [
                measure_likeness(engine, judge, frames, source, settings, every=arguments.every) for source in sources
            ]
            totals[shape] += found
            worn, bare = measure_flicker(engine, frames, sources[0], settings)
            speed_ms = measure_speed(engine, frames, sources[0], settings)
            log.info(
                "%-28s shape %.1f  %s  flicker %.2f (bare %.2f)  %.1f ms",
                clip,
                shape,
                _line(found),
                worn,
                bare,
                speed_ms,
            )
    for shape, found in totals.items():
        log.info("%-28s shape %.1f  %s", "all", shape, _line(found))


def _line(found: Sequence[Likeness]) -> str:
    frames = sum(one.frames for one in found)
    nearer, to_source, to_target = (
        sum(getattr(one, key) * one.frames for one in found) / frames for key in ("nearer", "to_source", "to_target")
    )
    return f"{frames:4d} frames  nearer {nearer:4.0%}  source {to_source:5.2f}  target {to_target:5.2f}"


if __name__ == "__main__":
    main()
