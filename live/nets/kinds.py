"""What a network is for, told from the names and shapes of its inputs and outputs.

The families of the field differ in their interfaces more than in anything else. Where some share one (ghost, SimSwap,
HifiFace at 256 px) the file's name decides, or the user's word. Knows shapes, opens no file. Sources: the interfaces of
the published files, as the programs that use them feed them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from live.errors import UsageError
from live.nets.inspect import OnnxFile
from live.nets.tensors import Tensor

VECTOR = 512
"""Length of the embeddings that swappers take."""
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
PLAIN: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file was taken for."""

    title: str
    """For people."""
    role: str
    family: str
    fields: dict[str, Any] | None = field(default_factory=dict)
    """Of its entry; None: live knows what it is and cannot use it."""


def kind_of(file: OnnxFile, hint: str = "", role: str | None = None) -> Kind:
    """Tell a network's kind.

    Args: hint: the file's name, or the family in the user's words. role: what the user says it is.
    Raises: UsageError saying what it takes and gives, and what would help.
    """
    for tell in (_dfm, _swapper, _restorer, _recogniser, _masker, _landmarker, _detector):
        kind = tell(file, hint.casefold())
        if kind is not None and role in (None, kind.role):
            return kind
    wanted = f"is no {role}: it takes" if role else "is for nothing that live knows: it takes"
    raise UsageError(
        f"this network {wanted} {_listed(file.inputs)} and gives {_listed(file.outputs)}; "
        "live takes swappers, restorers, recognisers and DeepFaceLive's DFM"
    )


def _dfm(file: OnnxFile, hint: str) -> Kind | None:
    names = {tensor.name.removesuffix(":0"): tensor for tensor in file.inputs}
    if "in_face" not in names or not set(names) <= {"in_face", "morph_value"} or len(file.outputs) != 3:
        return None
    side = _side(names["in_face"], "nhwc")
    if side is None:
        raise UsageError("a DFM whose face has no fixed square size; export it again with its resolution")
    pixels = {"order": "bgr", "layout": "nhwc"}
    knobs = [_knob(tensor, 0.75) for name, tensor in names.items() if name == "morph_value"]
    fields = {
        "input": _cut(names["in_face"], side, "dfl_whole_face", pixels),
        "knobs": knobs,
        "output": {"picture": 1, "masks": [0, 2], "normalisation": pixels},
    }
    return Kind(f"a DFM of DeepFaceLive, {side} px, with somebody's face inside", "swapper", "dfm", fields)


def _swapper(file: OnnxFile, hint: str) -> Kind | None:
    faces = [tensor for tensor in file.inputs if _side(tensor) is not None and tensor.name != "source"]
    if len(file.inputs) != 2 or len(faces) != 1 or _side(file.outputs[0]) != _side(faces[0]):
        return None
    target, side = faces[0], _side(faces[0]) or 0
    source = next(tensor for tensor in file.inputs if tensor is not target)
    if _side(source) is not None:
        return _picture_swapper(target, source, side)
    if len(source.shape) != 2 or source.shape[1] != VECTOR:
        return None
    masks = [index for index, tensor in enumerate(file.outputs) if index and _channels(tensor) == 1]
    if masks:
        fields = {
            "input": _cut(target, side, "arcface_128", HALF),
            "identity": _vector(source, first=True),
            "output": {"normalisation": HALF, "masks": masks[:1]},
        }
        return Kind(f"a swapper like hyperswap, {side} px, with a mask", "swapper", "hyperswap", fields)
    if file.last is not None and file.last.shape == (VECTOR, VECTOR):
        emap = {**_vector(source, first=True, last=True), "projection": "emap"}
        fields = {"input": _cut(target, side, "arcface_128", PLAIN), "identity": emap, "output": {}}
        return Kind(f"a swapper like inswapper, {side} px", "swapper", "inswapper", fields)
    return _by_name(hint, target, source, side)


def _by_name(hint: str, target: Tensor, source: Tensor, side: int) -> Kind:
    """Families with one interface: a picture and a vector in, a picture out."""
    family = next((name for name in ("ghost", "simswap", "hififace") if name in hint), None)
    if family is None:
        raise UsageError(
            f"a swapper of {side} px; ghost, SimSwap and HifiFace all take and give the same: "
            "say which with --family ghost, simswap or hififace"
        )
    if family == "simswap" and side == 512:
        identity = _vector(source, first=True, recogniser="simswap_arcface")
        fields = {"input": _cut(target, side, "arcface_128", PLAIN), "identity": identity, "output": {}}
        return Kind("a swapper like SimSwap, 512 px", "swapper", family, fields)
    template = "mtcnn_512" if family == "hififace" else "arcface_112_v1"
    projected = {"projection": "network", "projector": f"crossface_{family}"}
    fields = {
        "input": _cut(target, side, template, IMAGENET if family == "simswap" else HALF),
        "identity": {**_vector(source, last=family != "ghost"), **projected},
        "output": {} if family == "simswap" else {"normalisation": HALF},
    }
    return Kind(f"a swapper like {family}, {side} px", "swapper", family, fields)


def _picture_swapper(target: Tensor, source: Tensor, side: int) -> Kind:
    """The source face goes in as a picture: BlendSwap takes 112 px of it, UniFace as much as of the target."""
    source_side = _side(source) or 0
    blend = source_side == 112
    likeness = _cut(source, source_side, "arcface_112_v2" if blend else "ffhq_512", PLAIN)
    fields = {
        "input": _cut(target, side, "ffhq_512", PLAIN if blend else HALF),
        "identity": {"kind": "picture", "picture": likeness},
        "output": {} if blend else {"normalisation": HALF},
    }
    family = "blendswap" if blend else "uniface"
    return Kind(f"a swapper like {family}, {side} px", "swapper", family, fields)


def _restorer(file: OnnxFile, hint: str) -> Kind | None:
    pictures = [tensor for tensor in file.inputs if _side(tensor) is not None]
    rest = [tensor for tensor in file.inputs if tensor not in pictures]
    if len(pictures) != 1 or len(rest) > 1 or any(tensor.shape not in ((), (1,), (None,)) for tensor in rest):
        return None
    side = _side(pictures[0]) or 0
    if side < 256 or _side(file.outputs[0]) != side:
        return None
    fields = {
        "input": _cut(pictures[0], side, "arcface_128" if side == 256 else "ffhq_512", HALF),
        "knobs": [_knob(tensor, 0.5) for tensor in rest],
        "output": {"normalisation": HALF},
    }
    family = "codeformer" if rest else next((name for name in ("gfpgan", "gpen") if name in hint), "plain")
    return Kind(f"a restorer, {side} px{', with a weight' if rest else ''}", "restorer", family, fields)


def _recogniser(file: OnnxFile, hint: str) -> Kind | None:
    if len(file.inputs) != 1 or len(file.outputs) != 1 or len(file.outputs[0].shape) != 2:
        return None
    taken, numbers = file.inputs[0], file.outputs[0].shape[1] or 0
    if len(taken.shape) == 2 and taken.shape[1] == numbers == VECTOR:
        return Kind("a projector from one recogniser's vector to another's", "projector", "crossface")
    if _side(taken) != 112 or numbers < 64:
        return None
    fields = {"input": _cut(taken, 112, "arcface_112_v2", IMAGENET if "simswap" in hint else HALF)}
    return Kind(f"a recogniser like ArcFace, {numbers} numbers", "recogniser", "arcface", fields)


def _masker(file: OnnxFile, hint: str) -> Kind | None:
    for layout in ("nchw", "nhwc"):
        side, channels = _side(file.inputs[0], layout), _channels(file.outputs[0], layout)
        if len(file.inputs) == 1 and side is not None and side >= 128 and channels in (1, 19):
            family = "bisenet" if channels == 19 else "xseg" if "xseg" in hint or layout == "nhwc" else "occluder"
            return Kind(f"a masker like {family}, {side} px", "masker", family, None)
    return None


_LANDMARKS = {212: "2d106det", 3309: "1k3d68", 1434: "the face mesh", 406: "LivePortrait's"}
"""By how many numbers they give."""


def _landmarker(file: OnnxFile, hint: str) -> Kind | None:
    side = _side(file.inputs[0]) or _side(file.inputs[0], "nhwc")
    shapes = [tensor.shape for tensor in file.outputs]
    name = next((_LANDMARKS[shape[-1]] for shape in shapes if shape and shape[-1] in _LANDMARKS), None)
    if any(shape[-2:] == (64, 64) or shape[1:] == (68, 3) for shape in shapes):
        name = "2dfan4"
    if len(file.inputs) != 1 or side is None or name is None:
        return None
    return Kind(f"a landmarker like {name}, {side} px", "landmarker", "plain", None)


def _detector(file: OnnxFile, hint: str) -> Kind | None:
    shapes = [tensor.shape for tensor in file.outputs]
    family = ""
    if len(shapes) == 12 and {tensor.name.split("_")[0] for tensor in file.outputs} == {"cls", "obj", "bbox", "kps"}:
        family = "yunet"
    elif len(shapes) in (6, 9) and {shape[-1] for shape in shapes if shape} <= {1, 4, 10}:
        family = "scrfd"
    elif len(shapes) == 1 and len(shapes[0]) == 3 and 20 in shapes[0]:
        family = "yoloface"
    if len(file.inputs) != 1 or _channels(file.inputs[0]) != 3 or not family:
        return None
    return Kind(f"a detector like {family}", "detector", family, None)


def _cut(tensor: Tensor, side: int, template: str, normalisation: dict[str, Any]) -> dict[str, Any]:
    """The fields of a picture input."""
    return {"input": tensor.name, "size_px": side, "template": template, "normalisation": normalisation}


def _vector(
    tensor: Tensor, *, first: bool = False, last: bool = False, recogniser: str = "w600k_r50"
) -> dict[str, Any]:
    """The fields of an identity given as a vector."""
    which = {"kind": "embedding", "input": tensor.name, "recogniser": recogniser}
    return {**which, "normalise_first": first, "normalise_last": last}


def _knob(tensor: Tensor, value: float) -> dict[str, Any]:
    return {"input": tensor.name, "low": 0.0, "high": 1.0, "value": value}


def _side(tensor: Tensor, layout: str = "nchw") -> int | None:
    """The side of a square colour picture; None for anything else, or where it is not fixed."""
    if _channels(tensor, layout) != 3:
        return None
    height, width = tensor.shape[2:] if layout == "nchw" else tensor.shape[1:3]
    return height if height is not None and height == width else None


def _channels(tensor: Tensor, layout: str = "nchw") -> int | None:
    return tensor.shape[1 if layout == "nchw" else 3] if len(tensor.shape) == 4 else None


def _listed(tensors: tuple[Tensor, ...]) -> str:
    """Names and shapes on one line, whatever a stranger wrote there."""

    def sizes(tensor: Tensor) -> str:
        return "×".join("?" if size is None else str(size) for size in tensor.shape) or "one number"

    shown = [f"{tensor.name[:40]!a} ({sizes(tensor)})" for tensor in tensors[:4]]
    return ", ".join(shown) + (" …" if len(tensors) > 4 else "")
