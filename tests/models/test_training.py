"""The trainings learn from tiny invented data, and what they export agrees with torch."""

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.training import augment, faces, patches, scenes, turning
from models.training.detections import count_hits, suppress
from models.training.export import export_detector, export_landmarker
from models.training.landmarker import LossConfig, landmark_loss, landmark_weights
from models.training.loop import Loop, LoopConfig
from models.training.matching import detector_losses
from models.training.negatives import Negatives
from models.training.networks import DetectorNetwork, LandmarkNetwork
from models.training.stock import SceneStock, scene_of

LOOP = LoopConfig(
    samples=96, minutes=5, batch=8, learning_rate=1e-2, weight_decay=0.0, seed=1, threads=1, workers=0,
    checkpoint_minutes=5, warmup_steps=2,
)  # fmt: skip


def invented_face(random: np.random.Generator) -> np.ndarray:
    """Return (478, 3) px landmarks spread over a face-sized ellipse, eyes level and apart."""
    angles, radii = random.uniform(0, 2 * np.pi, 478), np.sqrt(random.uniform(0, 1, 478))
    points = np.column_stack([np.cos(angles) * radii * 40 + 120, np.sin(angles) * radii * 50 + 120, radii * 10])
    points[faces.EYE_OUTER_LEFT, :2], points[faces.EYE_OUTER_RIGHT, :2] = (95, 105), (145, 105)
    return points.astype(np.float32)


def invented_cache() -> patches.PatchCache:
    """Return four crops of noise with invented landmarks."""
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (4, patches.CROP_PX, patches.CROP_PX, 3), dtype=np.uint8)
    landmarks = np.stack([invented_face(random) for _ in range(4)])
    corners = np.tile(np.array([[0, 0], [240, 0], [240, 240], [0, 240]], np.float32), (4, 1, 1))
    infos = tuple(patches.CropInfo(f"{i}", "generated", held_out=False) for i in range(4))
    return patches.PatchCache(crops, landmarks, corners, infos)


class TinyLandmarkTask:
    """A landmark task over the invented cache."""

    def __init__(self):
        torch.manual_seed(0)
        cache = invented_cache()
        weights = patches.sampling_weights(cache, {"generated": 1.0})
        self.dataset = patches.PatchDataset(cache, weights, np.arange(478), seed=1, negative_share=0.1)
        self.network = LandmarkNetwork([8, 8, 8, 8], [0, 0, 0, 0], features=16, modes=8)
        self.weights = landmark_weights(LossConfig(0.01, 0.25, 2.0, 1.5, 0.05, 1.0))

    def loss(self, network, batch):
        """See loop.Task."""
        landmarks, _ = network(batch[0])
        return {"landmarks": landmark_loss(landmarks, batch[1], batch[2], self.weights, 0.01)}

    def validate(self, network):
        """See loop.Task."""
        return {"still": 1.0}


def batch_loss(task, network, name: str) -> float:
    """Return one of the task's losses of a network on the first samples."""
    parts = zip(*(task.dataset[number] for number in range(24)), strict=True)
    batch = [torch.from_numpy(np.stack(part)) for part in parts]
    with torch.no_grad():
        return float(task.loss(network.train(), batch)[name])


def test_landmarker_learns_and_continues_from_its_checkpoint(tmp_path: Path):
    task = TinyLandmarkTask()
    before = batch_loss(task, task.network, "landmarks")
    Loop(task, LOOP, tmp_path).run()
    assert batch_loss(task, task.network, "landmarks") < 0.85 * before
    again = Loop(TinyLandmarkTask(), LOOP, tmp_path)
    assert again.progress.samples == LOOP.samples
    assert again.progress.history[-1]["still"] == 1.0


def test_a_run_starts_from_another_runs_averaged_network(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    trained = Loop(TinyLandmarkTask(), LOOP, first).run()
    started = Loop(TinyLandmarkTask(), LOOP, second, start=first / "checkpoint.pt")
    assert started.progress.samples == 0
    for ours, theirs in zip(started.network.state_dict().values(), trained.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


class SpoiltTask(TinyLandmarkTask):
    """A landmark task whose losses are not finite from the third step on."""

    steps = 0

    def loss(self, network, batch):
        """See loop.Task."""
        self.steps += 1
        if self.steps > 2:
            network.stem[0][1].running_mean.fill_(float("nan"))
        return {
            name: value * (float("nan") if self.steps > 2 else 1)
            for name, value in super().loss(network, batch).items()
        }


def test_steps_that_are_not_finite_leave_the_network_alone_and_too_many_end_the_run(tmp_path: Path):
    config = dataclasses.replace(LOOP, samples=8 * 200)
    loop = Loop(SpoiltTask(), config, tmp_path)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        loop.run()
    for network in (loop.network, loop.average):
        assert all(torch.isfinite(value.float()).all() for value in network.state_dict().values())


def test_samples_are_the_same_for_the_same_number():
    dataset = TinyLandmarkTask().dataset
    for first, second in zip(dataset[7], dataset[7], strict=True):
        np.testing.assert_array_equal(first, second)


def test_exported_landmarker_agrees_with_torch(tmp_path: Path):
    network = LandmarkNetwork([8, 8, 8, 8], [0, 0, 0, 0], features=16, modes=8)
    export_landmarker(network, tmp_path / "landmarker.onnx")  # raises if it does not agree
    session = onnxruntime.InferenceSession(str(tmp_path / "landmarker.onnx"), providers=["CPUExecutionProvider"])
    landmarks, score = session.run(None, {"patch": np.zeros((2, 128, 128, 3), np.uint8)})
    assert landmarks.shape == (2, 478, 3)
    assert score.shape == (2,)
    assert ((score >= 0) & (score <= 1)).all()


def invented_stock() -> SceneStock:
    """Return a stock of a few flat pictures with invented faces."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(4):
        image = augment.texture(random, 240, 240)
        landmarks = invented_face(random)
        image[70:170, 80:160] = random.integers(0, 256, (100, 80, 3))
        made.append(scene_of(faces.Labelled("generated/0", image, landmarks[None], held_out=False)))
    things = tuple(np.dstack([augment.texture(random, 64, 64), np.full((64, 64), 255, np.uint8)]) for _ in range(2))
    return SceneStock(tuple(made), tuple(made), Negatives((augment.texture(random, 240, 240),), things))


class TinyDetectorTask:
    """A detector task over the invented stock."""

    def __init__(self):
        torch.manual_seed(0)
        self.dataset = scenes.SceneDataset(invented_stock(), seed=1)
        self.network = DetectorNetwork([8, 8, 8, 8], [0, 0, 0, 0], neck=8)

    def loss(self, network, batch):
        """See loop.Task."""
        image, boxes, points = batch
        return detector_losses(network(image), boxes, points, image.shape[1], image.shape[2])

    def validate(self, network):
        """See loop.Task."""
        return {"still": 1.0}


def test_detector_learns(tmp_path: Path):
    task = TinyDetectorTask()
    before = batch_loss(task, task.network, "box")
    Loop(task, dataclasses.replace(LOOP, samples=320), tmp_path).run()
    assert batch_loss(task, task.network, "box") < 0.9 * before


def test_exported_detector_takes_any_size_and_agrees_with_torch(tmp_path: Path):
    torch.manual_seed(0)
    network = DetectorNetwork([8, 8, 8, 8], [0, 0, 0, 0], neck=8)
    export_detector(network, tmp_path / "detector.onnx")  # raises if it does not agree
    session = onnxruntime.InferenceSession(str(tmp_path / "detector.onnx"), providers=["CPUExecutionProvider"])
    boxes, scores, points = session.run(None, {"image": np.zeros((1, 64, 96, 3), np.uint8)})
    cells = 8 * 12 + 4 * 6 + 2 * 3
    assert boxes.shape == (1, cells, 4)
    assert scores.shape == (1, cells)
    assert points.shape == (1, cells, 5, 2)


def test_a_face_turned_by_nothing_stays():
    random = np.random.default_rng(0)
    image = augment.texture(random, 240, 240)
    landmarks = invented_face(random)
    triangles = random.integers(0, 468, (50, 3))
    picture, turned = turning.turn_face(image, landmarks, triangles, 0.0, 0.0)
    np.testing.assert_allclose(turned, landmarks, atol=1e-3)
    assert np.abs(picture.astype(int) - image).mean() < 1.0


def test_patch_square_follows_a_turned_face():
    landmarks = invented_face(np.random.default_rng(0))
    matrix = faces.square_matrix(np.array([50.0, 60.0]), 200.0, 0.3, 100)
    centre, side_px, angle_rad = faces.patch_square(landmarks)
    moved_centre, moved_side_px, moved_angle_rad = faces.patch_square(faces.move_points(landmarks, matrix))
    np.testing.assert_allclose(moved_centre, faces.move_points(centre, matrix), atol=1e-3)
    assert moved_side_px == pytest.approx(side_px / 2, rel=1e-4)
    assert moved_angle_rad == pytest.approx(angle_rad - 0.3, abs=1e-4)


def test_suppression_keeps_the_best_of_a_group():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)
    kept = suppress(boxes, np.array([0.6, 0.9, 0.7]), least_score=0.5)
    assert kept.tolist() == [1, 2]
    assert count_hits(boxes[kept], boxes[:1], np.zeros((0, 4))) == (1, 1)
