"""Train the detector: `python -m models.training.detector --data DIR --clip-labels NPZ --made MADE --work DIR`.

Composes scenes from the labelled pictures and what `made` made, and writes the averaged network as ONNX into the work
folder. With --start CHECKPOINT it continues another run's network by the recipe's `tuning`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor, nn

from models.training import scenes
from models.training.detections import count_hits, suppress
from models.training.export import export_detector
from models.training.loop import Loop, LoopConfig
from models.training.matching import detector_losses
from models.training.networks import DetectorNetwork
from models.training.stock import SceneStock, build_stock

HERE = Path(__file__).parent
LEAST_SCORE = 0.5


class DetectorTask:
    """The detector's network, samples, loss and validation, for the shared loop."""

    def __init__(self, stock: SceneStock, held_out: SceneStock, config: dict):
        """Args: stock, held_out: what training and validation scenes are made from; config: parsed detector.yaml."""
        seed = config["loop"]["seed"]
        torch.manual_seed(seed)
        self.network = DetectorNetwork(**config["network"])
        self.dataset = scenes.SceneDataset(stock, seed)
        self.silence = config["loss"]["silence"]
        self.weights = {name: config["loss"][f"{name}_weight"] for name in ("score", "box", "points")}
        judged = scenes.SceneDataset(held_out, seed + 1)
        self.validation = [judged[number] for number in range(config["validation_scenes"])]

    def loss(self, network: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """See loop.Task."""
        image, boxes, points = batch
        losses = detector_losses(network(image), boxes, points, *image.shape[1:3], silence=self.silence)
        return {name: value * self.weights[name] for name, value in losses.items()}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the share of demanded faces that are missed, and false faces per scene, at a score of 0.5."""
        device = next(network.parameters()).device
        true_count = hit_count = false_count = 0
        for image, boxes, points in self.validation:
            found, logits, _ = network(torch.from_numpy(image[None]).to(device))
            scores = logits[0].float().sigmoid().cpu().numpy()
            found = found[0].cpu().numpy()
            kept = found[suppress(found, scores, LEAST_SCORE)]
            demanded, present = ~np.isnan(points[:, 0, 0]), ~np.isnan(boxes[:, 0])
            hits, false = count_hits(kept, boxes[demanded], boxes[present & ~demanded])
            true_count, hit_count, false_count = true_count + demanded.sum(), hit_count + hits, false_count + false
        missed = 1 - hit_count / max(true_count, 1)
        return {"missed": float(missed) + 1e-4, "false_per_scene": false_count / len(self.validation) + 1e-4}


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/, clips/ and mesh/")
    parser.add_argument("--clip-labels", type=Path, required=True, help="what label_clips.py wrote")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoint, curves and ONNX file")
    parser.add_argument("--made", type=Path, required=True, help="what made.py made")
    parser.add_argument("--start", type=Path, help="checkpoint whose averaged network is tuned further")
    parser.add_argument("--config", type=Path, default=HERE / "detector.yaml")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # the loader's workers are forked, and hang if OpenCV had a thread pool before
    config = yaml.safe_load(arguments.config.read_text())
    arguments.work.mkdir(parents=True, exist_ok=True)
    loop = config["loop"] | (config["tuning"] if arguments.start else {})
    where = (arguments.data, arguments.clip_labels, arguments.made)
    stocks = [build_stock(*where, held_out=held_out, seed=loop["seed"]) for held_out in (False, True)]
    task = DetectorTask(*stocks, config | {"loop": loop})
    network = Loop(task, LoopConfig(**loop), arguments.work, start=arguments.start).run()
    export_detector(network.cpu(), arguments.work / "detector.onnx")


if __name__ == "__main__":
    main()
