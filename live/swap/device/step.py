"""One step of the device, in a straight line: convert, look, cover, wear, lay over, convert back.

What a row takes and gives has a fixed size, so one CUDA graph serves every face of a slot size. Knows tensors; the
host's side is in pipeline.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from live.faces.device_look import POINTS, Cover, Look, Where
from live.faces.landmarker import SIDE_PX as LOOK_PX
from live.faces.masker import SIDE_PX as MASK_PX
from live.nets.packing import Field, Rows
from live.nets.place import Fork, Made, Place
from live.pixels.device import Converter, Layout, Pyramid, Sampler
from live.swap.device.contract import Beside, Target, Wear

log = logging.getLogger(__name__)

ABOUT = (
    Field("extent", (2,)),
    Field("corner", (2,)),
    Field("track", (), "int64"),
    Field("before", (), "int64"),
    Field("keep", (), "int64"),
    Field("fresh"),
    Field("landmarks", (POINTS, 3)),
    Field("elapsed_s"),
    Field("strength"),
)
"""What the host says about each row; see device_look.Where."""

PATCHES_PX = (LOOK_PX, MASK_PX)


class SwapStep:
    """Region in, finished region out. Several steps of one engine share what it remembers."""

    def __init__(
        self,
        layout: Layout,
        look: Look,
        cover: Cover | None,
        wear: Wear,
        variant: str,
        device: torch.device | str,
        fork: Fork | None = None,
        *,
        chained: bool = True,
    ) -> None:
        """Args: fork: masks are made beside the swap; None: before it; chained: rows of a batch may be of one track."""
        side = layout.side_px
        self._variant, self._chained = variant, chained
        self._convert, self._look, self._cover, self._wear = Converter(layout, device), look, cover, wear
        self._sampler = Sampler(side, (*PATCHES_PX, *wear.patches_px), device)
        self._pixel = torch.arange(side, device=device)
        self._fork = fork
        self.takes = (*layout.planes, *ABOUT, *wear.takes)
        self.gives = (
            *layout.planes,
            Field("raw", (POINTS, 3)),
            Field("smooth", (POINTS, 3)),
            Field("score"),
            Field("opacity"),
            Field("finite"),
        )

    def blank(self, given: Rows) -> None:
        """Rows of nobody: an empty region, remembered in row 0."""
        for name, rows in given.items():
            rows[...] = 0 if name != "before" else -1
        given["fresh"][...] = 1

    def __call__(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Swap N rows; where a face could not be made, the region comes back as it came, with opacity 0."""
        where = Where(**{name: given[name] for name in Where._fields})
        where = where if self._chained else where._replace(before=None)
        inside = self._inside(given["extent"])
        picture = self._convert.bgr_of(given) * inside
        pyramid = self._sampler.pyramid(picture)
        looked = self._look(pyramid, where)
        beside, join = (self._fork.run, self._fork.join) if self._fork is not None else (_at_once, _nothing)
        masks, matrices = self._masks(pyramid, looked.smooth, where, beside)
        offset = torch.cat([where.corner, torch.zeros_like(where.corner[:, :1])], dim=1)
        landmarks = looked.smooth - offset[:, None]
        masked = self._cover is not None
        extent = given["extent"]
        target = Target(picture, pyramid, extent, inside, landmarks, masks, matrices, masked, where, beside, join)
        dressed = self._wear(target, given, self._variant)
        sound = dressed.ok & (looked.score > 0)
        alpha = torch.where(sound[:, None, None, None], dressed.alpha, 0)
        alpha = torch.floor(alpha * given["strength"][:, None, None, None] + 0.01) * inside
        return {
            **self._convert.laid(given, dressed.pixels, alpha),
            "raw": looked.raw,
            "smooth": looked.smooth,
            "score": looked.score,
            "opacity": torch.where(sound, dressed.opacity, 0),
            "finite": dressed.finite,
        }

    def _inside(self, extent: Tensor) -> Tensor:
        """Return (N, 1, S, S) 1 in the region, 0 in the rest of the slot."""
        within = (self._pixel < extent[..., None]).float()  # (N, 2, S)
        return within[:, :1, :, None] * within[:, 1:, None, :]

    def _masks(self, pyramid: Pyramid, landmarks: Tensor, where: Where, beside: Beside) -> tuple[Tensor, Tensor]:
        cover = self._cover
        if cover is not None:
            return beside(lambda: cover(pyramid, landmarks, where))
        masks = landmarks.new_ones(len(landmarks), MASK_PX, MASK_PX)
        return masks, landmarks.new_zeros(len(landmarks), 2, 3)


class Fused:
    """A step whose small operations are fused into few kernels; where that cannot be done, it runs as it is."""

    def __init__(self, step: SwapStep, place: Place) -> None:
        self.takes, self.gives, self.blank = step.takes, step.gives, step.blank
        self._step = step
        self._fused: Callable[..., Mapping[str, Tensor]] | None = place.compiled(step.__call__)

    def __call__(self, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """As the step's."""
        if self._fused is not None:
            try:
                return self._fused(given)
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:  # of compilers: Triton is missing on Windows, or does not know the card
                log.warning("nets.compile: the step runs as it is, since torch says: %s", str(error).partition("\n")[0])
                self._fused = None
        return self._step(given)


class DetectStep:
    """The detector on a thumbnail of the whole frame."""

    def __init__(self, network: torch.nn.Module, height_px: int, width_px: int, device: torch.device | str) -> None:
        """Args: network: models/detector.onnx as a module; the thumbnail's size, multiples of 32."""
        self._network = network
        with torch.inference_mode():
            found = network(torch.zeros(1, height_px, width_px, 3, dtype=torch.uint8, device=device))
        self.takes = (Field("image", (height_px, width_px, 3), "uint8"),)
        names = ("boxes", "scores", "points")
        self.gives = tuple(Field(name, tuple(part.shape[1:])) for name, part in zip(names, found, strict=True))

    def blank(self, given: Rows) -> None:
        """A black picture."""
        given["image"][...] = 0

    def __call__(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (N, K, 4), scores (N, K) and points (N, K, 5, 2) in px of the thumbnail."""
        boxes, scores, points = self._network(given["image"])
        return {"boxes": boxes, "scores": scores, "points": points}


def _at_once(work: Callable[[], Made]) -> Made:
    return work()


def _nothing() -> None:
    """There is nothing to wait for."""
