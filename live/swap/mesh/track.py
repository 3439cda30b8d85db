"""What is remembered of one target face: its light, what hangs before it, its proportions, and what it wears.

All of it is smoothed over frames, so that nothing boils. Knows the canvas and what was seen; draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from live.swap.contract import Job
from live.swap.mesh import light, mask, shape
from live.swap.mesh.canvas import Canvas, step
from live.swap.mesh.lens import Lens
from live.swap.mesh.pose import Pose
from live.swap.mesh.texture import Texture
from live.values import Floats

LAMP = (0.1, 0.4)
"""Log units: from here on a change of light is a lamp or the camera's exposure, and followed at once."""
SLOW = 3
"""Frames: hair and proportions change so slowly that every third one is enough."""


@dataclass(slots=True)
class Track:
    """What is remembered of one target face."""

    skin: Floats
    """(K, 3) smooth skin colour."""
    bare: Floats
    """(M,) 0..1: what is not covered by hair."""
    depth: float
    """Of pupils and nostrils below the skin, log units."""
    built: Floats
    """(468, 3) proportions, canonical units."""
    certain: float
    """How many neutral frames' worth `built` rests on."""
    age: int = 0
    """Frames since the track began."""
    lacks: dict[str, Floats] | None = None
    """By the key of a source face: (468, 3) what `built` lacks of its proportions, canonical units."""
    lens: Lens | None = None
    """What a worn face lacks of the camera's blur and grain; None until it was looked at."""
    worn: str = ""
    """Key of the source face that is put on, ..."""
    before: Texture | None = None
    """... the texture it takes over from, ..."""
    before_key: str = ""
    since_s: float = 0.0
    """... and since when."""

    def lack(self, key: str, texture: Texture) -> Floats:
        """Return (468, 3) what is lacking of a source face's proportions, canonical units."""
        if self.lacks is None:
            self.lacks = {}
        if key not in self.lacks:
            self.lacks[key] = shape.difference(texture.proportions, self.built, texture.opening)
        return self.lacks[key]


def look(
    known: Track | None, job: Job, landmarks: Floats, facing: Floats, pose: Pose, canvas: Canvas, memory_frames: float
) -> Track:
    """Update what is known of a target, or begin: light in every frame, hair and proportions in every third.

    Args: landmarks (468, 3) px of the job's region; facing (T,) cosine per triangle; memory_frames: time constant.
    """
    seen = light.observe(job.region, landmarks[:, :2], canvas)
    trust = light.trust_in(facing, canvas, None if known is None else known.bare)
    skin = light.fit(seen, trust, canvas, None if known is None else known.skin)
    if known is not None:
        rate = np.float32(1 / memory_frames)
        change = skin - known.skin
        known.skin += (rate + (1 - rate) * step(float(np.abs(change[0]).max()), *LAMP)) * change
        known.age += 1
        if known.age % SLOW:
            return known
        skin = known.skin
    bare, depth = mask.skin_seen(seen, skin, trust, canvas), light.depth(seen, skin, canvas)
    built, certain = shape.proportions(landmarks, pose, canvas.topology), shape.neutrality(landmarks, pose) + 1e-3
    if known is None:
        return Track(skin, bare, depth, built, certain)
    rate = np.float32(min(1.0, SLOW / memory_frames))
    known.bare = known.bare + rate * (bare - known.bare)
    known.depth += float(rate) * (depth - known.depth)
    share = certain / (certain + min(known.certain, memory_frames))
    known.built, known.certain = known.built + np.float32(share) * (built - known.built), known.certain + certain
    known.lacks = None
    return known
