"""Which backend runs a network on this computer, in what order they are tried, and why. Pure: what is there comes in.

Knows backends by name and what each needs; `devices` looks what is there; nothing here loads a network.
"""

from __future__ import annotations

from dataclasses import dataclass

from live.errors import ModelError

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""ONNX Runtime's name of each backend that is its."""
PACKAGES = {
    "tensorrt": ("onnxruntime-gpu", "tensorrt"),
    "cuda": ("onnxruntime-gpu",),
    "directml": ("onnxruntime-directml",),
    "openvino": ("onnxruntime-openvino",),
}
"""What brings a backend that the plain `onnxruntime` does not have. All its variants unpack into one folder: two of
them installed together leave a mixture of both."""
SYSTEMS = {"coreml": "darwin", "directml": "win32"}
"""Backends that exist on one system only."""
BACKENDS = ("torch", *PROVIDERS)
PRECISIONS = {
    "torch": ("fp32", "tf32", "fp16", "bf16"),
    "tensorrt": ("fp32", "tf32", "fp16"),
    "cuda": ("fp32", "tf32"),
}
"""What a backend can compute in; the others: fp32. A file whose weights are half size stays so on any of them."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first NVIDIA card."""

    name: str
    capability: tuple[int, int]
    """CUDA compute capability, like (8, 6)."""
    driver: str


@dataclass(frozen=True, slots=True)
class Present:
    """What this computer has for running networks."""

    system: str
    """As `sys.platform`."""
    providers: frozenset[str] = frozenset()
    """ONNX Runtime's names of those that it was built with."""
    runtime: str = ""
    """ONNX Runtime's version."""
    gpu: Gpu | None = None
    torch: str = ""
    """torch's version; empty: not installed."""
    torch_cuda: bool = False
    """torch can use the card."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend to try, and why it stands where it stands."""

    backend: str
    reason: str


def rank(wanted: str, present: Present) -> tuple[Choice, ...]:
    """The backends to try, the best first.

    Args: wanted: `auto` or a backend's name; one that is named is the only one.
    Raises: ModelError saying what is missing for a backend that was named, or that there is none of that name.
    """
    if wanted == "auto":
        return tuple(Choice(backend, reason) for backend, reason in _automatic(present) if not lack(backend, present))
    if wanted not in BACKENDS:
        raise ModelError(f"nets.backend: {wanted!r} is not allowed; allowed: auto, {', '.join(BACKENDS)}")
    missing = lack(wanted, present)
    if missing:
        raise ModelError(f"nets.backend={wanted}: {missing}")
    return (Choice(wanted, "asked for"),)


def _automatic(present: Present) -> list[tuple[str, str]]:
    """All backends that are taken unasked. TensorRT is not: it builds for minutes before the first picture."""
    card = present.gpu.name if present.gpu else "the card"
    found = (
        [("torch", f"{card}: the whole step runs on it, with one way there and one back")] if present.torch_cuda else []
    )
    return [
        *found,
        ("cuda", f"{card}, through ONNX Runtime"),
        ("coreml", "Apple's GPU and neural engine"),
        ("directml", "the graphics card, of any make"),
        ("openvino", "Intel's own code for Intel processors and graphics"),
        ("cpu", "the processor: runs everywhere, slow for large networks"),
    ]


def lack(backend: str, present: Present) -> str:
    """What is missing for a backend, in words with the way out; empty when nothing is."""
    if backend == "cpu":
        return "" if present.providers else "onnxruntime is not installed; pip install onnxruntime"
    if backend == "torch":
        return "" if present.torch else "torch is not installed; pip install torch"
    system = SYSTEMS.get(backend)
    if system is not None and present.system != system:
        return f"there is none on this system; `auto` or cpu run here ({backend} is for {_words(system)})"
    if PROVIDERS[backend] in present.providers:
        if backend in ("cuda", "tensorrt") and present.gpu is None:
            return "no NVIDIA card or driver was found; `auto` or cpu run here"
        return ""
    packages = PACKAGES.get(backend)
    if packages is None:
        return "this onnxruntime was built without it; pip install --force-reinstall onnxruntime"
    return f"this onnxruntime was built without it; {' && '.join(bring(backend))}"


def bring(backend: str) -> tuple[str, ...]:
    """The commands that install what a backend needs, in order."""
    packages = PACKAGES.get(backend, ())
    return (
        (f"pip uninstall -y onnxruntime {_others(packages)}", f"pip install {' '.join(packages)}") if packages else ()
    )


def _others(packages: tuple[str, ...]) -> str:
    variants = {package for group in PACKAGES.values() for package in group if package.startswith("onnxruntime")}
    return " ".join(sorted(variants - set(packages)))


def precision_for(backend: str, wanted: str) -> str:
    """The precision that a backend of ONNX Runtime computes in.

    Args: wanted: `auto`: TF32 on CUDA, FP16 on TensorRT, FP32 elsewhere; or a precision's name.
    Raises: ModelError for one that the backend does not have.
    """
    if wanted == "auto":
        return {"cuda": "tf32", "tensorrt": "fp16"}.get(backend, "fp32")
    allowed = PRECISIONS.get(backend, ("fp32",))
    if wanted not in allowed:
        raise ModelError(
            f"nets.precision={wanted}: {backend} has {', '.join(allowed)}; choose auto or one of them, or another "
            "nets.backend"
        )
    return wanted


def _words(system: str) -> str:
    return {"darwin": "macOS", "win32": "Windows"}.get(system, system)
