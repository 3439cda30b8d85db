"""The detector's loss: which cells answer for which face, and how far their answers are off.

Knows cells, boxes and points in thumbnail pixels; knows nothing about networks or scenes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.training.networks import STRIDES_PX, cell_centres

# Longer side of the boxes each stride answers for; they overlap, so that no size lies at an edge.
SIZES_PX = ((0.0, 44.0), (30.0, 96.0), (68.0, 1e4))
REACH_STRIDES = 1.5  # cells this near a face's centre answer for it: 3 x 3 of them
SMALL_SHARE = 0.35  # and within this share of the face's sides, for small faces
BESIDE_SHARE = 0.3


@dataclass(frozen=True)
class Cells:
    """All cells of a thumbnail, in the order of the network's outputs."""

    centres: Tensor
    """(K, 2) px x,y"""
    strides: Tensor
    """(K,) px"""
    sizes: Tensor
    """(K, 2) px: smallest and largest face it answers for"""


def cells_of(height_px: int, width_px: int, device: torch.device) -> Cells:
    """Return the cells of a thumbnail of this size."""
    parts = [cell_centres(height_px // s, width_px // s, s, device)[0] for s in STRIDES_PX]
    strides = torch.cat([torch.full((len(p),), float(s)) for p, s in zip(parts, STRIDES_PX, strict=True)])
    sizes = torch.cat([torch.tensor(size).expand(len(p), 2) for p, size in zip(parts, SIZES_PX, strict=True)])
    return Cells(torch.cat(parts), strides.to(device), sizes.to(device))


def match(cells: Cells, boxes: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Assign cells to faces.

    Args: boxes (N, F, 4), points (N, F, 5, 2) px; NaN boxes are no face, NaN points a face that counts neither way.
    Returns: face number of each cell (N, K) int64, whether it answers for it (N, K), whether it is left out (N, K).
    """
    demanded = ~points[..., 0, 0].isnan()  # (N, F)
    present = ~boxes[..., 0].isnan()
    filled = torch.nan_to_num(boxes, nan=-1e4)
    middle, sides = (filled[..., :2] + filled[..., 2:]) / 2, (filled[..., 2:] - filled[..., :2]).clamp(min=1.0)
    offset = (cells.centres[None, :, None] - middle[:, None]).abs()  # (N, K, F, 2)
    reach = torch.maximum(cells.strides[None, :, None, None] * 0.75, sides[:, None] * SMALL_SHARE)
    near = (offset < torch.minimum(reach, cells.strides[None, :, None, None] * REACH_STRIDES)).all(dim=-1)
    longer = sides.amax(dim=-1)[:, None]  # (N, 1, F)
    fitting = (longer >= cells.sizes[None, :, :1]) & (longer < cells.sizes[None, :, 1:])  # (N, K, F)
    chosen = near & fitting & demanded[:, None]
    distance = torch.where(chosen, offset.square().sum(dim=-1), torch.inf)
    inside = (offset < sides[:, None] * 0.5).all(dim=-1)  # (N, K, F)
    undemanded = (inside & (present & ~demanded)[:, None]).any(dim=-1)
    # Cells well inside a face, beside those that answer, are neither taught to answer nor to be silent.
    beside = (fitting & demanded[:, None] & (offset < sides[:, None] * BESIDE_SHARE).all(dim=-1)).any(dim=-1)
    is_positive = chosen.any(dim=-1)
    return distance.argmin(dim=-1), is_positive, (undemanded | beside) & ~is_positive


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return the distance-IoU (Zheng et al. 2020) and IoU of boxes (M, 4) with boxes (M, 4): (2, M)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second)]
    iou = common / (areas[0] + areas[1] - common).clamp(min=1e-6)
    hull = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    apart = (first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2
    diou = iou - apart.square().sum(dim=1) / hull.square().sum(dim=1).clamp(min=1e-6)
    return torch.stack([diou, iou])


def detector_losses(
    found: tuple[Tensor, Tensor, Tensor],
    boxes: Tensor,
    points: Tensor,
    height_px: int,
    width_px: int,
    *,
    silence: float = 1.5,
) -> dict[str, Tensor]:
    """Return score, box and points losses per answering cell.

    The score learns the overlap its box reaches (varifocal: Zhang et al. 2021), so that it ranks boxes for suppression.
    Args: found: the network's boxes (N, K, 4), logits (N, K), points (N, K, 5, 2); silence: weight of cells without a
    face, against 1 of those with one, times the square of how loud they are: the hard ones count.
    """
    found_boxes, logits, found_points = found
    face, positive, left_out = match(cells_of(height_px, width_px, boxes.device), boxes, points)
    picture, cell = positive.nonzero(as_tuple=True)
    true_boxes, true_points = boxes[picture, face[picture, cell]], points[picture, face[picture, cell]]
    diou, iou = overlap(found_boxes[picture, cell], true_boxes)
    side = (true_boxes[:, 2:] - true_boxes[:, :2]).amax(dim=1)
    apart = (found_points[picture, cell] - true_points) / side[:, None, None]
    count = max(len(cell), 1)
    target = torch.zeros_like(logits, dtype=torch.float32)
    target[picture, cell] = 0.3 + 0.7 * iou.detach().clamp(min=0)
    probability = logits.float().sigmoid()
    focus = torch.where(positive, target, silence * probability.detach().square()) * ~left_out
    entropy = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return {
        "score": (focus * entropy).sum() / count,
        "box": (1 - diou).sum() / count,
        "points": functional.smooth_l1_loss(apart, torch.zeros_like(apart), beta=0.03, reduction="sum") / (5 * count),
    }
