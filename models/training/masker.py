"""Train the masker: `python -m models.training.masker --data DIR --clip-labels NPZ --work DIR`.

Builds the labelled cache on first use, trains on it, and writes the averaged network as ONNX into the work folder.
`--export` only writes the ONNX file of the checkpoint as it is, also while a training runs.
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

from models.training import augment, faces, masks
from models.training.export import require_agreement, write_onnx
from models.training.loop import Loop, LoopConfig
from models.training.masker_network import MaskNetwork
from models.training.patches import sampling_weights

HERE = Path(__file__).parent
EDGE_PX = 2  # as far from the edge the label's pixels weigh more
VALIDATION_BATCH = 50
TOLERANCE = 0.02  # of the mask, between torch and half-precision weights in ONNX Runtime


@dataclass(frozen=True)
class LossConfig:
    """What counts how much: see masker.yaml."""

    edge_weight: float
    overlap_weight: float


class MaskExport(nn.Module):
    """The masker as it ships: a mask in 0..1."""

    def __init__(self, network: MaskNetwork):
        super().__init__()
        self.network = network

    def forward(self, patch: Tensor) -> tuple[Tensor]:
        """(N, 128, 128, 3) uint8 BGR -> mask (N, 128, 128)."""
        return (torch.sigmoid(self.network(patch)),)


def edges(label: Tensor) -> Tensor:
    """Return (N, H, W) 0..1: how much the label (N, H, W) changes within EDGE_PX of each pixel."""
    size = 2 * EDGE_PX + 1
    highest = functional.max_pool2d(label[:, None], size, 1, EDGE_PX)
    lowest = -functional.max_pool2d(-label[:, None], size, 1, EDGE_PX)
    return (highest - lowest)[:, 0]


def mask_losses(logits: Tensor, label: Tensor, trust: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Cross-entropy per pixel, and 1 - soft Dice (Milletari et al. 2016) per patch.

    Args: logits, label, trust (N, H, W); trust 0..1: where it is 0 the label is unknown.
    """
    logits = logits.float()
    weight = trust * (1 + config.edge_weight * edges(label))
    entropy = functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
    found = logits.sigmoid() * trust
    common = (found * label).sum(dim=(1, 2))
    both = found.sum(dim=(1, 2)) + (label * trust).sum(dim=(1, 2))
    overlap = 1 - (2 * common + 1) / (both + 1)
    return {
        "pixels": (entropy * weight).sum() / weight.sum().clamp(min=1),
        "overlap": config.overlap_weight * overlap.mean(),
    }


def missing_overlap(found: np.ndarray, label: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Return (N,) 1 - intersection over union of masks (N, H, W) bool, where they are trusted (N, H, W) bool."""
    common = (found & label & trust).sum(axis=(1, 2))
    either = ((found | label) & trust).sum(axis=(1, 2))
    return 1 - common / np.maximum(either, 1)


def validation_patches(cache: masks.MaskCache, mirror: np.ndarray, count: int, *, covered: bool) -> list[np.ndarray]:
    """Return patches, labels and weights of held-out crops, as they are or each with covers and other light."""
    held_out = [i for i, info in enumerate(cache.infos) if info.held_out]
    dataset = masks.MaskDataset(cache, np.ones(1), mirror, seed=0)
    rows = []
    for number in held_out[:: max(1, len(held_out) // count)]:
        random = np.random.default_rng((int(covered), number))
        patch = dataset.cut(random, number, masks.jitter_matrix(random, cache.landmarks[number]))
        if covered:
            patch = masks.with_covers(random, patch, cache)
        image = augment.photometric(random, patch.image) if covered else patch.image
        rows.append((image, *masks.as_bytes(patch)))
    return [np.stack(part) for part in zip(*rows, strict=True)]


class MaskTask:
    """The masker's network, samples, loss and validation, for the shared loop."""

    def __init__(self, cache: masks.MaskCache, config: dict, mirror: np.ndarray):
        """Args: config: the parsed masker.yaml."""
        seed = config["loop"]["seed"]
        torch.manual_seed(seed)
        weights = sampling_weights(cache, config["group_shares"])  # type: ignore[arg-type]  # it reads the infos only
        self.dataset = masks.MaskDataset(cache, weights, mirror, seed)
        self.network = MaskNetwork(**config["network"])
        self.config = LossConfig(**config["loss"])
        count = config["validation_patches"]
        self.validation = {
            name: validation_patches(cache, mirror, count, covered=name == "covered") for name in ("clean", "covered")
        }

    def loss(self, network: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """See loop.Task."""
        patch, label, trust = batch
        return mask_losses(network(patch), label.float() / 255, trust.float() / 255, self.config)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the mean of 1 - intersection over union on held-out patches, against the labels trained on."""
        device = next(network.parameters()).device
        measured = {}
        for name, (pictures, label, trust) in self.validation.items():
            found = []
            for start in range(0, len(pictures), VALIDATION_BATCH):
                part = torch.from_numpy(pictures[start : start + VALIDATION_BATCH]).to(device)
                found.append((network(part) > 0).cpu().numpy())
            missing = missing_overlap(np.concatenate(found), label > 127, trust > 127)
            measured[f"{name}_missing"] = float(missing.mean())
        return measured


def export_masker(network: MaskNetwork, file: Path) -> None:
    """Write masker.onnx and verify it at batch sizes 1 and 3."""
    network.fold_scale()
    shipped = MaskExport(network)
    generator = torch.Generator().manual_seed(0)
    shape = (3, masks.SIDE_PX, masks.SIDE_PX, 3)
    example = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    names = ["patch", "mask"]
    write_onnx(shipped, example[:1], file, names, {name: {0: "N"} for name in names})
    for part in (example[:1], example):
        require_agreement(shipped, file, part, TOLERANCE)


def export_checkpoint(work: Path, config: dict) -> None:
    """Write the averaged network of a training that may still run."""
    network = MaskNetwork(**config["network"])
    state = torch.load(work / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    export_masker(network, work / "masker.onnx")


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/, clips/, mesh/ and teachers/")
    parser.add_argument("--clip-labels", type=Path, required=True, help="what label_clips.py wrote")
    parser.add_argument("--work", type=Path, required=True, help="folder for cache, checkpoint, curves and ONNX file")
    parser.add_argument("--config", type=Path, default=HERE / "masker.yaml")
    parser.add_argument("--export", action="store_true", help="write the checkpoint's ONNX file and end")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # the loader's workers are forked, and hang if OpenCV had a thread pool before
    config = yaml.safe_load(arguments.config.read_text())
    if arguments.export:
        export_checkpoint(arguments.work, config)
        return
    loop_config = LoopConfig(**config["loop"])
    folder = arguments.work / "masks"
    if not (folder / "infos.json").exists():
        masks.build_cache(arguments.data, arguments.clip_labels, config, folder, loop_config.seed, loop_config.threads)
    mirror = faces.mirror_permutation(arguments.data / "mesh" / "canonical_face_model.obj")
    task = MaskTask(masks.load_cache(folder), config, mirror)
    network = Loop(task, loop_config, arguments.work).run()
    export_masker(network.cpu(), arguments.work / "masker.onnx")


if __name__ == "__main__":
    main()
