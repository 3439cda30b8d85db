"""What each ONNX operator is in torch: one build function per operator, entered in OPERATORS by importing its file."""

from live.nets.operators import convolutions, cutting, lines, norms, numbers, pictures, resize, shapes
from live.nets.operators.call import OPERATORS

__all__ = ["OPERATORS", "convolutions", "cutting", "lines", "norms", "numbers", "pictures", "resize", "shapes"]
