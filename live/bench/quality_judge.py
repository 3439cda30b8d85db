"""Whom a swapped face looks like, by a face recogniser that no engine was made with. Knows pictures and landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from live.bench.faces_figures import percent, rounded
from live.errors import ModelError, UsageError
from live.values import Floats, Pixels

JUDGE = "judges/recogniser.onnx"
SIDE_PX = 112
TEMPLATE = np.array(
    ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
    np.float32,
)
"""Five points of the 112 px picture that recognisers of the ArcFace family expect."""
FIVE = (468, 473, 1, 61, 291)
"""Iris, iris, nose tip, mouth corners, from the picture's left to its right."""
MEAN, DEVIATION = np.array(((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), np.float32)
LEAST_PEOPLE = 20
"""With fewer to choose from, being named first says little: it is not reported."""


class Judge:
    """A face recogniser (MobileFaceNet's interface: RGB, ImageNet's mean and deviation, 112 px)."""

    def __init__(self, weights: Path) -> None:
        """Raises: UsageError when the file is missing, ModelError when it is no such network."""
        import onnxruntime

        if not weights.is_file():
            raise UsageError(
                f"there is no judge {weights}; put a face recogniser there that nothing here was trained with (ONNX, "
                f"one input (1, 3, {SIDE_PX}, {SIDE_PX}) RGB in ImageNet's scale, one output)"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
            self._run(np.zeros((1, 3, SIDE_PX, SIDE_PX), np.float32))
        except Exception as error:  # ONNX Runtime raises its own unrelated types
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{weights} cannot serve as a judge: {reason}; take another recogniser") from None

    def embed(self, image: Pixels, landmarks: Floats) -> Floats:
        """Return the unit vector (D,) of the face with landmarks (478, 2 or 3) px in image (H, W, 3) BGR."""
        matrix = cv2.estimateAffinePartial2D(landmarks[list(FIVE), :2], TEMPLATE, method=cv2.LMEDS)[0]
        if matrix is None:
            raise ValueError("the five points of the face lie in one place")
        face = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA)[..., ::-1]
        values = ((face.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
        vector = self._run(values)
        return vector / max(float(np.linalg.norm(vector)), 1e-6)

    def _run(self, values: Floats) -> Floats:
        vector: Floats = self._session.run(None, {self._input: values})[0].ravel()
        return vector


@dataclass(slots=True)
class Likeness:
    """Whom the faces of one clip with one source face look like."""

    to_source: list[float] = field(default_factory=list)
    to_target: list[float] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    """Whether nobody of the gallery, nor the target himself in this very frame, is nearer than the source."""

    def judge(self, worn: Floats, source: Floats, target: Floats, others: Sequence[Floats]) -> float:
        """Compare unit vectors: of the swapped face, the source face, the bare face of this frame, and other people.

        Returns: how much nearer to the source than to the target, -2..2.
        """
        to_source, to_target = float(worn @ source), float(worn @ target)
        nearest = max((float(worn @ other) for other in others), default=-1.0)
        self.to_source.append(to_source)
        self.to_target.append(to_target)
        self.named.append(to_source > max(to_target, nearest))
        return to_source - to_target

    def figures(self, people: int) -> dict[str, Any]:
        """Shares and mean cosines; see `live.bench.quality.measure`."""
        nearer = sum(source > target for source, target in zip(self.to_source, self.to_target))
        count = len(self.to_source)
        return {
            "judged": count,
            "nearer_percent": percent(nearer, count),
            "identified_percent": percent(sum(self.named), count) if people >= LEAST_PEOPLE else None,
            "to_source": rounded(np.mean(self.to_source) if count else None),
            "to_target": rounded(np.mean(self.to_target) if count else None),
        }
