"""The measurements measure what they say, on things whose answer is known."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from models.training import evaluate_false, evaluate_stillness, faceless, faces
from models.training.export import export_landmarker
from models.training.networks import LandmarkNetwork
from models.training.quantise import quantise, with_single_weights


def face() -> np.ndarray:
    """Return (478, 3) px of an upright oval face with level eyes."""
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, (478, 3)) * (80, 100, 10) + (300, 200, 0)
    points[faces.EYE_OUTER_LEFT, :2], points[faces.EYE_OUTER_RIGHT, :2] = (250, 180), (350, 180)
    return points.astype(np.float32)


def test_a_find_is_confirmed_only_if_both_networks_agree():
    scores, looks = np.array([0.9, 0.9, 0.5, 0.45, 0.9]), np.array([0.9, 0.3, 0.95, 0.6, 0.5])
    assert evaluate_false.is_confirmed(scores, looks).tolist() == [True, False, True, False, True]


def test_the_patch_of_a_turned_detection_is_as_large_as_of_an_upright_one():
    box, points = np.array([0.0, 0, 100, 120]), np.array([[30.0, 40], [70, 40], [50, 60], [35, 90], [65, 90]])
    centre, side_px, angle_rad = faceless.detection_square(box, points)
    assert centre.tolist() == [50, 60]
    assert (side_px, angle_rad) == (180, 0)
    tilted = points.copy()
    tilted[1] = (70, 80)
    _, side_px, angle_rad = faceless.detection_square(box, tilted)
    assert np.isclose(angle_rad, np.pi / 4)
    assert np.isclose(side_px, 180 / (np.sqrt(0.5) * 1.6))


def test_points_that_jitter_by_a_pixel_wander_by_a_pixel():
    path = np.zeros((400, 478, 2))
    path[::2, :, 0], path[1::2, :, 0] = 1.0, -1.0
    assert np.isclose(evaluate_stillness.wander_px(path), 1.0)


def test_a_jump_of_the_head_is_followed_within_two_frames():
    assert evaluate_stillness.late_frames(face()) <= 2


def test_a_face_is_laid_into_a_720p_frame_at_300_px():
    image = np.zeros((400, 600, 3), np.uint8)
    frame, landmarks = evaluate_stillness.in_frame(faces.Labelled("x", image, face()[None], held_out=True))
    box = faces.mesh_box(landmarks)
    assert frame.shape == (720, 1280, 3)
    assert np.isclose(box[3] - box[1], 300, atol=0.1)
    assert np.isclose((box[0] + box[2]) / 2, 640, atol=0.1)


def exported(tmp_path: Path) -> Path:
    """Write a tiny landmarker, whose larger weights are stored in half precision."""
    torch.manual_seed(0)
    export_landmarker(LandmarkNetwork([8, 8, 8, 8], [0, 0, 0, 0], features=16, modes=8), tmp_path / "whole.onnx")
    return tmp_path / "whole.onnx"


def test_quantised_network_says_nearly_the_same(tmp_path: Path):
    random = np.random.default_rng(0)
    samples = [random.integers(0, 256, (128, 128, 3), dtype=np.uint8) for _ in range(6)]
    whole, small = exported(tmp_path), tmp_path / "small.onnx"
    assert quantise(whole, small, samples, "minmax") == "patch"
    kinds = {node.op_type for node in onnx.load(small).graph.node}
    assert "QuantizeLinear" in kinds
    first, second = (
        onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(
            ["landmarks"], {"patch": np.stack(samples)}
        )[0]
        for file in (whole, small)
    )
    assert 0 < np.abs(first - second).mean() < 0.1 * np.abs(first).mean() + 0.02


def test_half_precision_weights_become_single_again(tmp_path: Path):
    model = with_single_weights(onnx.load(exported(tmp_path)))
    assert not any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
    assert not any(node.op_type == "Cast" and node.input[0].endswith("_half") for node in model.graph.node)
    onnx.checker.check_model(model)
