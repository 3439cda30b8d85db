"""Which backend would run a network of the catalogue here, why, and what would bring a better one. Only judges."""

from __future__ import annotations

from collections.abc import Sequence

from live.doctor.finding import Finding
from live.nets.backends import BACKENDS, Present, bring, lack, rank


def judge(present: Present, variants: Sequence[str]) -> list[Finding]:
    """Findings about the card and the backends. Args: variants: installed packages that fill onnxruntime's folder."""
    found = [_card(present), _backend(present)]
    return [*found, _mixture(variants)] if len(variants) > 1 else found


def _card(present: Present) -> Finding:
    name = "graphics card"
    if present.gpu is None:
        return Finding(name, True, "no NVIDIA card or driver; the embedded engine runs on the CPU")
    major, minor = present.gpu.capability
    text = f"{present.gpu.name}, compute capability {major}.{minor}, driver {present.gpu.driver}"
    return Finding(name, True, text)


def _backend(present: Present) -> Finding:
    """The backend of `nets.backend: auto`, and what each other one lacks."""
    order = rank("auto", present)
    if not order:
        return Finding("networks", False, lack("cpu", present), ("pip install onnxruntime",), needed=True)
    best = order[0]
    text = f"{best.backend} would be taken: {best.reason}"
    others = [f"{backend} too" for backend in BACKENDS if backend != best.backend and not lack(backend, present)]
    if others:
        text += f"; there {'is' if len(others) == 1 else 'are'} {', '.join(others)} (--set nets.backend=NAME)"
    better = _better(best.backend, present)
    wasted = present.gpu is not None and best.backend not in ("torch", "cuda")
    if wasted:
        text = f"the card is not used; {text}"
    return Finding("networks", not wasted, text, better)


def _better(best: str, present: Present) -> tuple[str, ...]:
    """What would bring a faster backend on this computer, in order."""
    if present.gpu is not None:
        return _for_the_card(best, present)
    if present.system == "win32" and best == "cpu":
        return (
            "# any card with DirectX 12, in place of the plain onnxruntime (they share a folder):",
            *bring("directml"),
        )
    if present.system == "linux" and best == "cpu":
        return (
            "# Intel processors and graphics, in place of the plain onnxruntime (they share a folder):",
            *bring("openvino"),
        )
    return ()


def _for_the_card(best: str, present: Present) -> tuple[str, ...]:
    if best == "torch":
        return ()
    first: tuple[str, ...]
    if not present.torch:
        first = ("pip install torch   # it runs the whole step on the card",)
    else:
        first = (
            f"# torch {present.torch} does not see the card: it was built without CUDA, or for a newer driver than "
            f"{present.gpu.driver if present.gpu else 'this'}.",
            "# update the driver, or take the command for this system from the install page of PyTorch",
        )
    if best == "cuda":
        return first
    return (*first, "# or ONNX Runtime for CUDA, in place of the plain one (they share a folder):", *bring("cuda"))


def _mixture(variants: Sequence[str]) -> Finding:
    """Several of onnxruntime's packages fill one folder, and the last one wins file by file."""
    kept = next((name for name in variants if name != "onnxruntime"), variants[0])
    text = f"{' and '.join(variants)} are both installed: they share a folder and leave a mixture"
    return Finding(
        "onnxruntime", False, text, (f"pip uninstall -y {' '.join(variants)}", f"pip install {kept}"), needed=True
    )
