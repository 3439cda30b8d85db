from __future__ import annotations

import numpy as np
import pytest

from live.errors import ModelError
from live.faces.landmarker import MARGIN, SIDE_PX, Landmarker, patch_from_detection, patch_from_landmarks
from live.nets.onnx import Network
from live.pixels import host
from live.resources import models_dir
from live.values import Detection


def turned(landmarks: np.ndarray, degrees: float, at: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return (landmarks @ rotation + [*at, 0]).astype(np.float32)


@pytest.fixture
def landmarks() -> np.ndarray:
    points = np.random.default_rng(0).uniform((-40, -50, 0), (40, 50, 1), (478, 3))
    points[33, :2], points[263, :2] = (-30, -10), (30, -10)
    return points.astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 30, -45, 170])
def test_the_patch_is_upright_centred_and_leaves_the_margin(landmarks: np.ndarray, degrees: float) -> None:
    moved = turned(landmarks, degrees, (300, 200))
    matrix = patch_from_landmarks(moved)
    inside = moved[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = inside[263] - inside[33]
    assert eyes[0] > 0
    assert abs(eyes[1]) < 1e-3
    low, high = inside[:468].min(axis=0), inside[:468].max(axis=0)
    assert (low + high) / 2 == pytest.approx((SIDE_PX / 2, SIDE_PX / 2), abs=0.01)
    assert (high - low).max() == pytest.approx(SIDE_PX / MARGIN, rel=1e-4)


def test_the_patch_of_a_detection_is_near_the_patch_of_its_landmarks(landmarks: np.ndarray) -> None:
    moved = turned(landmarks, 20, (300, 200))
    (x1, y1), (x2, y2) = moved[:468, :2].min(axis=0), moved[:468, :2].max(axis=0)
    eyes = np.array([moved[33, :2], moved[263, :2], (0, 0), (0, 0), (0, 0)], np.float32)
    rough, exact = patch_from_detection(Detection((x1, y1, x2, y2), 1.0, eyes)), patch_from_landmarks(moved)
    scale = np.sqrt(np.linalg.det(rough[:, :2]) / np.linalg.det(exact[:, :2]))
    assert 0.85 < scale < 1.2
    centre = np.linalg.solve(rough[:, :2], SIDE_PX / 2 - rough[:, 2])
    assert np.hypot(*(centre - np.linalg.solve(exact[:, :2], SIDE_PX / 2 - exact[:, 2]))) < 10


def test_the_embedded_network_takes_several_faces_and_nothing_absurd_scores() -> None:
    frame = host.bgr_frame(np.full((200, 200, 3), 128, np.uint8), time_s=0, number=0)
    matrix = np.array([[0.64, 0, 0], [0, 0.64, 0]], np.float32)
    points, scores = Landmarker(models_dir() / "landmarker.onnx").look(frame, np.stack([matrix] * 3))
    assert points.shape == (3, 478, 3)
    assert np.isfinite(points).all()
    assert (scores < 0.5).all()  # a grey wall is no face


def test_a_broken_or_foreign_model_gives_one_clear_line(tmp_path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"broken\.onnx is no whole ONNX file"):
        Network(broken, inputs=("a",), outputs=("b",))
    with pytest.raises(ModelError, match="no model file"):
        Network(tmp_path / "none.onnx", inputs=("a",), outputs=("b",))
    with pytest.raises(ModelError, match="another network"):
        Network(models_dir() / "landmarker.onnx", inputs=("picture",), outputs=("landmarks",))
