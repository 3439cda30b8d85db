"""Judging detections: suppression of doubles, and counting hits and false faces. Plain arrays, no networks."""

import numpy as np


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes (A, 4) with others (B, 4): (A, B)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(part[:, 2:] - part[:, :2]).prod(axis=1) for part in (boxes, others)]
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-6)


def suppress(boxes: np.ndarray, scores: np.ndarray, least_score: float, most_overlap: float = 0.4) -> np.ndarray:
    """Return the numbers of the boxes that survive greedy suppression, best first.

    Args: boxes (K, 4), scores (K,); the best box of a group that overlaps it by more than most_overlap stays.
    """
    order = np.argsort(-scores)
    order = order[scores[order] >= least_score]
    kept: list[int] = []
    for number in order:
        if not kept or overlaps(boxes[number : number + 1], boxes[kept]).max() <= most_overlap:
            kept.append(int(number))
    return np.array(kept, np.int64)


def count_hits(found: np.ndarray, true: np.ndarray, ignored: np.ndarray, least_overlap: float = 0.4) -> tuple[int, int]:
    """Return (true boxes that were found, found boxes that are neither true nor ignored).

    Args: found (A, 4), true (B, 4), ignored (C, 4).
    """
    if not len(found):
        return 0, 0
    hits = int((overlaps(found, true).max(axis=0) >= least_overlap).sum()) if len(true) else 0
    known = np.concatenate([true, ignored])
    false = int((overlaps(found, known).max(axis=1) < 0.2).sum()) if len(known) else len(found)
    return hits, false
