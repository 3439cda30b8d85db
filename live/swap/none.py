"""The engine `none`: hands faces back as they came. For tests of cameras and outputs; it proves nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from live.swap.contract import Job, Worn
from live.values import Box, Floats, Settings, SourceFace


class NoEngine:
    """Changes nothing."""

    name = "none"
    proves = False

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """An empty region."""
        return 0, 0, 0, 0

    def prepare(self, source: SourceFace) -> None:
        """Nothing to prepare."""

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """Each region as it came, alpha 0."""
        return [Worn(job.region, np.zeros(job.region.shape[:2], np.uint8), 0.0) for job in jobs]

    def forget(self, track: int) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""
