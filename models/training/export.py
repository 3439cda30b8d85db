"""Writing networks as ONNX, small (weights stored in half precision) and verified against torch.

Last stage of both trainings: `python -m models.training.export landmarker --checkpoint FILE --out FILE`.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.training.networks import PATCH_PX, DetectorNetwork, LandmarkNetwork

OPSET = 17
HALVED_ABOVE = 256  # elements: smaller weights stay float32
HERE = Path(__file__).parent


class LandmarkExport(nn.Module):
    """The landmarker as it ships: score in 0..1."""

    def __init__(self, network: LandmarkNetwork):
        super().__init__()
        self.network = network

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 128, 128, 3) uint8 BGR -> landmarks (N, 478, 3) in patch sides, score (N,)."""
        landmarks, logit = self.network(patch)
        return landmarks, torch.sigmoid(logit)


class DetectorExport(nn.Module):
    """The detector as it ships: scores in 0..1."""

    def __init__(self, network: DetectorNetwork):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 BGR -> boxes (N, K, 4) px, scores (N, K), points (N, K, 5, 2) px."""
        boxes, logits, points = self.network(image)
        return boxes, torch.sigmoid(logits), points


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 weights as float16 behind a Cast, which runtimes fold at load: half the file, same speed."""
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= HALVED_ABOVE:
            kept.append(tensor)
            continue
        name = f"{tensor.name}_half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model


def write_onnx(
    network: nn.Module, example: Tensor, file: Path, names: list[str], axes: dict[str, dict[int, str]]
) -> None:
    """Export, halve and check a network.

    Args: example: an input; names: of the input, then of the outputs; axes: the dynamic ones of each.
    """
    network = network.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        network, (example,), str(file), input_names=names[:1], output_names=names[1:], dynamic_axes=axes,
        opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    model = halve_weights(onnx.load(file))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def largest_difference(network: nn.Module, file: Path, example: Tensor) -> float:
    """Return the largest absolute difference between torch and ONNX Runtime over all outputs."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    with torch.no_grad():
        expected = network.eval()(example)
    return max(float(np.abs(f - e.numpy()).max()) for f, e in zip(found, expected, strict=True))


def require_agreement(network: nn.Module, file: Path, example: Tensor, tolerance: float) -> None:
    """Raise ValueError if the file's outputs leave torch's by more than the tolerance (half-precision weights)."""
    difference = largest_difference(network, file, example)
    if difference > tolerance:
        raise ValueError(f"{file} is {difference:.2g} off torch, allowed {tolerance:.2g}; raise HALVED_ABOVE")


def export_landmarker(network: LandmarkNetwork, file: Path) -> None:
    """Write landmarker.onnx and verify it at batch sizes 1 and 3."""
    network.fold_scale()
    shipped = LandmarkExport(network)
    generator = torch.Generator().manual_seed(0)
    example = torch.randint(0, 256, (3, PATCH_PX, PATCH_PX, 3), dtype=torch.uint8, generator=generator)
    names = ["patch", "landmarks", "score"]
    write_onnx(shipped, example[:1], file, names, {name: {0: "N"} for name in names})
    for part in (example[:1], example):
        require_agreement(shipped, file, part, tolerance=5e-3)


def export_detector(network: DetectorNetwork, file: Path) -> None:
    """Write detector.onnx and verify it at the usual size and at another one."""
    network.fold_scale()
    shipped = DetectorExport(network)
    generator = torch.Generator().manual_seed(0)
    usual, other = (
        torch.randint(0, 256, (count, height_px, width_px, 3), dtype=torch.uint8, generator=generator)
        for count, height_px, width_px in ((1, 192, 320), (2, 256, 224))
    )
    names = ["image", "boxes", "scores", "points"]
    axes = {"image": {0: "N", 1: "H", 2: "W"}, **{name: {0: "N", 1: "K"} for name in names[1:]}}
    write_onnx(shipped, usual, file, names, axes)
    for part in (usual, other):
        require_agreement(shipped, file, part, tolerance=1.0)


EXPORTS = {"landmarker": (LandmarkNetwork, export_landmarker), "detector": (DetectorNetwork, export_detector)}


def main() -> None:
    """Export a checkpoint's averaged network from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=list(EXPORTS))
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--config", type=Path, help="the YAML it was trained with (default: the model's own)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config = yaml.safe_load((arguments.config or HERE / f"{arguments.model}.yaml").read_text())
    build, export = EXPORTS[arguments.model]
    network = build(**config["network"])
    state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    export(network, arguments.out)


if __name__ == "__main__":
    main()
