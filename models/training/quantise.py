"""The INT8 experiment: a shipped network with 8-bit convolutions, its agreement with the original, and both speeds.

`python -m models.training.quantise landmarker --model FILE --data DIR --clip-labels NPZ --made MADE --out FILE`: static
quantisation by ONNX Runtime (QDQ, one scale per channel), calibrated on training samples. Measure its accuracy with the
evaluate_* commands. The cards say what came of it; nothing that ships is quantised unless they say so.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import yaml
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from models.training import faces, patches, scenes
from models.training.faceless import open_faceless
from models.training.stock import build_stock

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
CALIBRATION_SAMPLES = 200
TIMED_RUNS = 300
METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}


class Samples(CalibrationDataReader):
    """Hands one training sample after the other to the calibration."""

    def __init__(self, name: str, samples: list[np.ndarray]):
        self.rest = [{name: sample[None]} for sample in samples]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input, or None."""
        return self.rest.pop() if self.rest else None


def with_single_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its half-precision weights, which lie behind a Cast each, as float32 initializers."""
    halves = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            values = numpy_helper.to_array(halves[node.input[0]]).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            model.graph.initializer.remove(halves[node.input[0]])
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def training_samples(kind: str, data: Path, clip_labels: Path, made: Path) -> list[np.ndarray]:
    """Return inputs (H, W, 3) uint8 as the training of this network sees them."""
    if kind == "detector":
        dataset = scenes.SceneDataset(build_stock(data, clip_labels, made, held_out=False, seed=0), seed=77)
        return [dataset[number][0] for number in range(CALIBRATION_SAMPLES)]
    config = yaml.safe_load((HERE / "landmarker.yaml").read_text())
    cache = patches.load_cache(made / "patches")
    weights = patches.sampling_weights(cache, config["group_shares"])
    mirror = faces.mirror_permutation(data / "mesh" / "canonical_face_model.obj")
    draw = open_faceless(made).draw
    samples = patches.PatchDataset(cache, weights, mirror, 77, config["negative_share"], draw)
    return [samples[number][0] for number in range(CALIBRATION_SAMPLES)]


def open_session(file: Path) -> onnxruntime.InferenceSession:
    """Open a network on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run_times_ms(sessions: list[onnxruntime.InferenceSession], name: str, sample: np.ndarray) -> np.ndarray:
    """Return (runs, sessions) times of one run each, in turn, so that both see the same machine."""
    times_ms = np.empty((TIMED_RUNS, len(sessions)))
    for run in range(TIMED_RUNS):
        for column, session in enumerate(sessions):
            started_s = time.perf_counter()
            session.run(None, {name: sample[None]})
            times_ms[run, column] = 1e3 * (time.perf_counter() - started_s)
    return times_ms


def quantise(model: Path, out: Path, samples: list[np.ndarray], method: str) -> str:
    """Write the quantised network; returns the name of its input."""
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "single.onnx"
        loaded = with_single_weights(onnx.load(model))
        name = loaded.graph.input[0].name
        onnx.save(loaded, single)
        quantize_static(
            single, out, Samples(name, samples), quant_format=QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=["Conv", "Add", "Relu", "Gemm", "MatMul"], activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, calibrate_method=METHODS[method],
        )  # fmt: skip
    return name


def main() -> None:
    """Quantise from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["detector", "landmarker"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clip-labels", type=Path, required=True)
    parser.add_argument("--made", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", choices=list(METHODS), default="percentile")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    samples = training_samples(arguments.kind, arguments.data, arguments.clip_labels, arguments.made)
    name = quantise(arguments.model, arguments.out, samples, arguments.method)
    sessions = [open_session(arguments.model), open_session(arguments.out)]
    outputs = [output.name for output in sessions[0].get_outputs()]
    for number, output in enumerate(outputs):
        apart = [
            np.abs(np.subtract(*(session.run([output], {name: sample[None]})[0] for session in sessions)))
            for sample in samples[:50]
        ]
        log.info("%s: mean difference %.4g", outputs[number], np.mean([values.mean() for values in apart]))
    times_ms = run_times_ms(sessions, name, samples[0])
    for label, column in zip(("float32", "int8"), times_ms.T, strict=True):
        log.info("%s: median %.2f ms, fastest %.2f ms", label, np.median(column), column.min())
    sizes_kb = [file.stat().st_size / 1e3 for file in (arguments.model, arguments.out)]
    log.info("files: %.0f kB, %.0f kB", *sizes_kb)


if __name__ == "__main__":
    main()
