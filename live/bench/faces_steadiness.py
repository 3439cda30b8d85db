"""How steady, how late and how fast the embedded perception is, on the bundled people: needs no data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from live.bench.faces_figures import rounded
from live.bench.faces_looking import Perception
from live.faces.landmarker import MESH_POINTS, patch_from_landmarks
from live.faces.smoothing import OneEuro
from live.pixels import host
from live.pixels.people import people_names, read_person
from live.values import Floats, Frame, PixelFormat, Pixels

WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 30
FACE_PX = 240
"""Height of the face's mesh in the frame: a person at arm's length from a webcam."""
NOISE_LEVELS = 4.0
"""Deviation of the sensor's noise, levels of 0..255 in each colour."""
PEOPLE = 3
SETTLING, MEASURED = 15, 45
"""Frames of a still face before and while its points are watched."""
STEP_SHARE, ARRIVED, STEP_FRAMES = 0.1, 0.9, 15
"""A face jumps by STEP_SHARE of its width; its points have arrived when ARRIVED of the way is done."""
CALLS, WARM_UP = 200, 20


def still_person(name: str) -> tuple[Pixels, Floats]:
    """A bundled person in the middle of a 720p picture. Returns: (720, 1280, 3) BGR, landmarks (478, 3) px."""
    person = read_person(name)
    mesh = person.landmarks[:MESH_POINTS, :2]
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    scale = FACE_PX / float(high[1] - low[1])
    offset = np.array([WIDTH_PX, HEIGHT_PX]) / 2 - (low + high) / 2 * scale
    matrix = np.hstack([np.eye(2) * scale, offset[:, None]]).astype(np.float32)
    size = (WIDTH_PX, HEIGHT_PX)
    image = cv2.warpAffine(person.image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    landmarks = person.landmarks * np.float32(scale)
    landmarks[:, :2] += offset
    return np.asarray(image, np.uint8), landmarks


def measure_steadiness(perception: Perception) -> dict[str, Any]:
    """Watch still faces under noise, and let them jump once.

    Returns: `jitter_px`, rms distance of the points from their own mean over time; `step_late_frames`, how many frames
    after that of the jump the points have arrived (0: in the same frame), of the latest person; both `raw` and
    `smoothed` as the preset wants it.
    """
    squares: list[Floats] = []
    late = [0, 0]
    for number, name in enumerate(people_names()[:PEOPLE]):
        image, landmarks = still_person(name)
        random = np.random.default_rng(number)
        step_px = round(STEP_SHARE * float(np.ptp(landmarks[:MESH_POINTS, 0])))
        jumped = np.roll(image, step_px, axis=1)
        pictures = [image] * (SETTLING + MEASURED) + [jumped] * STEP_FRAMES
        tracks = follow(perception, pictures, landmarks, random)
        still = tracks[:, SETTLING : SETTLING + MEASURED]
        squares.append(((still - still.mean(axis=1, keepdims=True)) ** 2).sum(axis=3).mean(axis=(1, 2)))
        way = (tracks[:, SETTLING + MEASURED :, :, 0] - still.mean(axis=1)[:, None, :, 0]).mean(axis=2) / step_px
        late = [max(old, frames_late(new)) for old, new in zip(late, way)]
    raw, smoothed = np.sqrt(np.mean(squares, axis=0))
    return {
        "jitter_px": {"raw": rounded(raw), "smoothed": rounded(smoothed)},
        "step_late_frames": {"raw": late[0], "smoothed": late[1]},
    }


def follow(perception: Perception, pictures: Sequence[Pixels], around: Floats, random: np.random.Generator) -> Floats:
    """Follow one face through pictures with fresh noise, each patch from the raw points before, as the tracker does.

    Returns: (2, frames, 478, 2) px: raw and smoothed points.
    """
    filter = OneEuro(perception.options.steadiness)
    x1, y1 = (around[:MESH_POINTS, :2].min(axis=0) - FACE_PX / 2).astype(int)
    x2, y2 = (around[:MESH_POINTS, :2].max(axis=0) + FACE_PX / 2).astype(int)
    part = np.s_[max(y1, 0) : y2, max(x1, 0) : x2]
    tracks = []
    for number, picture in enumerate(pictures):
        noisy = picture.copy()
        noise = random.standard_normal(noisy[part].shape, np.float32) * NOISE_LEVELS
        noisy[part] = np.clip(np.rint(noisy[part] + noise), 0, 255)
        found, _ = perception.landmarker.look(_camera_frame(noisy), patch_from_landmarks(around)[None])
        around = found[0]
        tracks.append((around[:, :2], filter.smooth(around, number / FPS)[:, :2]))
    return np.array(tracks).transpose(1, 0, 2, 3)


def frames_late(way: Sequence[float] | Floats) -> int:
    """How many frames after the first the share of the way reaches ARRIVED; all of them if it never does."""
    arrived = np.flatnonzero(np.asarray(way) >= ARRIVED)
    return int(arrived[0]) if len(arrived) else len(way)


def measure_speed(perception: Perception) -> dict[str, Any]:
    """Time the networks on one thread: `detector` with its thumbnail of a 720p frame, the others with their patch.

    Called in turn, so that what slows the machine down slows all of them.
    """
    image, landmarks = still_person(people_names()[0])
    frame, matrices = _camera_frame(image), patch_from_landmarks(landmarks)[None]
    detector, landmarker, masker = perception.detector, perception.landmarker, perception.masker
    calls: dict[str, Callable[[], object]] = {
        "detector": lambda: detector.detect(*detector.thumbnail(frame)),
        "landmarker": lambda: landmarker.look(frame, matrices),
    }
    if masker is not None:
        calls["masker"] = lambda: masker.mask(frame, landmarks[None])
    times_ms: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(WARM_UP + CALLS):
        for name, call in calls.items():
            started_s = time.perf_counter()
            call()
            times_ms[name].append(1e3 * (time.perf_counter() - started_s))
    return {
        name: {
            "median": rounded(np.median(values[WARM_UP:])),
            "p99": rounded(np.percentile(values[WARM_UP:], 99)),
            "least": rounded(min(values[WARM_UP:])),
        }
        for name, values in times_ms.items()
    }


def _camera_frame(image: Pixels) -> Frame:
    """A (H, W, 3) BGR picture in the format that webcams deliver."""
    return host.convert(host.bgr_frame(image, time_s=0.0, number=0), PixelFormat.NV12)
