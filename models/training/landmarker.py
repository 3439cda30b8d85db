"""Train the landmarker: `python -m models.training.landmarker --data DIR --made MADE --work DIR`.

Trains on the crops that `made` cut and turned, `label_made` labelled and `faceless` mined, and writes the averaged
network as ONNX into the work folder. With --start CHECKPOINT it continues another run's network, by the recipe's
`tuning`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from models.training import faces, lids, patches
from models.training.export import export_landmarker
from models.training.faceless import FacelessPatches, open_faceless
from models.training.loop import Loop, LoopConfig
from models.training.networks import LandmarkNetwork

HERE = Path(__file__).parent
IRISES = tuple(range(faces.MESH_LANDMARKS, faces.LANDMARKS))
UPPER_LIDS = [number for _, upper, _, _ in lids.EYES for number in upper]
LOWER_LIDS = [number for _, _, lower, _ in lids.EYES for number in lower]
SHAPE_SAMPLES = 6000
VALIDATION_BATCH = 64


@dataclass(frozen=True)
class LossConfig:
    """What counts how much: see landmarker.yaml."""

    quadratic_below: float
    depth_weight: float
    region_weight: float
    outline_weight: float
    score_weight: float
    opening_weight: float


def landmark_weights(config: LossConfig) -> Tensor:
    """Return the (478, 3) weights of each coordinate, mean 1 over x and y."""
    weights = torch.ones(faces.LANDMARKS)
    weights[list(faces.FACE_OVAL)] = config.outline_weight
    weights[list(faces.EYES + faces.LIPS + IRISES)] = config.region_weight
    weights = weights / weights.mean()
    return weights[:, None] * torch.tensor([1.0, 1.0, config.depth_weight])


def landmark_loss(found: Tensor, true: Tensor, is_face: Tensor, weights: Tensor, quadratic_below: float) -> Tensor:
    """Mean weighted error of the faces in percent of their eye distance, quadratic in the centre (Girshick 2015).

    Args: found, true (N, 478, 3); is_face (N,) 0/1; weights (478, 3).
    """
    eye_distance = (true[:, faces.EYE_OUTER_LEFT, :2] - true[:, faces.EYE_OUTER_RIGHT, :2]).norm(dim=1)
    error = (found.float() - true) / eye_distance.clamp(min=0.1)[:, None, None]
    error = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=quadratic_below, reduction="none")
    return 100 * ((error * weights).mean(dim=(1, 2)) * is_face).sum() / is_face.sum().clamp(min=1)


def opening_loss(found: Tensor, true: Tensor, is_face: Tensor) -> Tensor:
    """Mean error of the way from the lower to the upper lid, of the faces, in percent of their eye distance.

    A blink moves 14 of 478 points by a few percent: without a loss of its own it is not worth learning.
    Args: found, true (N, 478, 3); is_face (N,) 0/1.
    """
    eye_distance = (true[:, faces.EYE_OUTER_LEFT, :2] - true[:, faces.EYE_OUTER_RIGHT, :2]).norm(dim=1)
    ways = [points[:, UPPER_LIDS, :2] - points[:, LOWER_LIDS, :2] for points in (found.float(), true)]
    error = (ways[0] - ways[1]).abs().mean(dim=(1, 2)) / eye_distance.clamp(min=0.1)
    return 100 * (error * is_face).sum() / is_face.sum().clamp(min=1)


def shape_model(
    cache: patches.PatchCache, weights: np.ndarray, mirror: np.ndarray, modes: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return mean (1434,) and principal modes (modes, 1434), scaled to one standard deviation, of jittered shapes."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(weights), SHAPE_SAMPLES, p=weights)
    shapes = np.empty((SHAPE_SAMPLES, faces.LANDMARKS, 3), np.float32)
    for row, number in enumerate(chosen):
        points = cache.landmarks[number]
        shapes[row] = patches.unit_landmarks(points, patches.jitter_matrix(random, points))
        if row % 2:
            shapes[row] = patches.mirrored(shapes[row], mirror)
    flat = shapes.reshape(SHAPE_SAMPLES, -1)
    mean = flat.mean(axis=0)
    _, strengths, directions = np.linalg.svd(flat - mean, full_matrices=False)
    deviations = strengths[:modes] / np.sqrt(SHAPE_SAMPLES)
    return torch.from_numpy(mean), torch.from_numpy(directions[:modes] * deviations[:, None])


def validation_patches(cache: patches.PatchCache, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 128, 128, 3) patches and (N, 478, 3) landmarks of held-out crops, unaugmented, with slight jitter."""
    held_out = [i for i, info in enumerate(cache.infos) if info.held_out][:: max(1, len(cache.infos) // 10 // count)]
    pictures, points = [], []
    for number in held_out:
        random = np.random.default_rng(number)
        matrix = patches.jitter_matrix(random, cache.landmarks[number])
        crop = np.asarray(cache.crops[number])
        pictures.append(patches.warp_patch(crop, matrix))
        points.append(patches.unit_landmarks(cache.landmarks[number], matrix))
    return np.stack(pictures), np.stack(points).astype(np.float32)


class LandmarkTask:
    """The landmarker's network, samples, loss and validation, for the shared loop."""

    def __init__(self, cache: patches.PatchCache, faceless: FacelessPatches, config: dict, mirror: np.ndarray):
        """Args: config: the parsed landmarker.yaml."""
        seed = config["loop"]["seed"]
        torch.manual_seed(seed)
        weights = patches.sampling_weights(cache, config["group_shares"])
        self.dataset = patches.PatchDataset(
            cache, weights, mirror, seed, config["negative_share"], faceless.draw, config["closed_share"]
        )
        self.network = LandmarkNetwork(**config["network"])
        self.network.set_shape_model(*shape_model(cache, weights, mirror, config["network"]["modes"], seed))
        self.config = LossConfig(**config["loss"])
        self.weights = landmark_weights(self.config)
        self.validation = validation_patches(cache, 400)

    def loss(self, network: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """See loop.Task."""
        patch, true, is_face = batch
        landmarks, logit = network(patch)
        weights = self.weights.to(patch.device)
        error = landmark_loss(landmarks, true, is_face, weights, self.config.quadratic_below)
        score = functional.binary_cross_entropy_with_logits(logit.float(), is_face)
        opening = opening_loss(landmarks, true, is_face)
        return {
            "landmarks": error,
            "score": self.config.score_weight * score,
            "opening": self.config.opening_weight * opening,
        }

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the normalised mean error in percent of the eye distance on held-out patches."""
        device = next(network.parameters()).device
        errors = []
        for start in range(0, len(self.validation[0]), VALIDATION_BATCH):
            pictures, true = (part[start : start + VALIDATION_BATCH] for part in self.validation)
            found = network(torch.from_numpy(pictures).to(device))[0].cpu().numpy()
            distances = np.linalg.norm(found[..., :2] - true[..., :2], axis=-1).mean(axis=1)
            errors.append(distances / faces.eye_distance_px(true))
        return {"nme_percent": float(100 * np.concatenate(errors).mean())}


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mesh/")
    parser.add_argument("--made", type=Path, required=True, help="what made.py, label_made.py and faceless.py wrote")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoint, curves and ONNX file")
    parser.add_argument("--start", type=Path, help="checkpoint whose averaged network is tuned further")
    parser.add_argument("--config", type=Path, default=HERE / "landmarker.yaml")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # the loader's workers are forked, and hang if OpenCV had a thread pool before
    config = yaml.safe_load(arguments.config.read_text())
    loop = config["loop"] | (config["tuning"] if arguments.start else {})
    arguments.work.mkdir(parents=True, exist_ok=True)
    mirror = faces.mirror_permutation(arguments.data / "mesh" / "canonical_face_model.obj")
    cache = patches.load_cache(arguments.made / "patches")
    task = LandmarkTask(cache, open_faceless(arguments.made), config | {"loop": loop}, mirror)
    network = Loop(task, LoopConfig(**loop), arguments.work, start=arguments.start).run()
    export_landmarker(network.cpu(), arguments.work / "landmarker.onnx")


if __name__ == "__main__":
    main()
