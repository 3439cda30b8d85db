"""Which of the people in the picture is the one of a photo, by a recogniser that is installed. Once, when asked.

Knows the catalogue, source faces and one captured frame, which is dropped at once; nothing about commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from live.control.before import Before
from live.errors import UsageError
from live.faces.recogniser import Recogniser
from live.pixels.host import to_bgr
from live.privacy import covers
from live.session import Sight
from live.values import Face, Frame, Photo, Pixels, SourceFace

ALIKE = 0.3
"""Cosine from which two pictures show one person: of the field's recognisers, strangers stay below 0.25."""
CLEARLY = 0.05
"""The next one has to be so much less alike."""
FRAME_S = 2.0


def who_looks_like(
    source: SourceFace,
    recogniser: Recogniser,
    before: Before,
    sight: Callable[[], Sight],
    look: Callable[[Pixels], list[Face]],
) -> int:
    """The person in the picture (from 0) who looks like a source face.

    Args: sight: who is followed now; look: finds the faces of a picture.
    Raises: UsageError when nobody does, or two do.
    """
    picture = to_bgr(_frame(before))
    faces = look(picture)
    if not faces:
        raise UsageError("nobody is in the picture now")
    wanted = recogniser.identity(source).unit
    raw = recogniser.embed([Photo(picture, face.landmarks) for face in faces])
    alike = (raw / np.linalg.norm(raw, axis=1, keepdims=True)) @ wanted
    best = int(alike.argmax())
    others = np.delete(alike, best)
    if alike[best] < ALIKE:
        raise UsageError(f"nobody in the picture looks like {source.name} (most alike {alike[best]:.2f} of {ALIKE:g})")
    if others.size and others.max() > alike[best] - CLEARLY:
        raise UsageError(f"two people look like {source.name}; use lock with the person's number")
    followed = next((face for face in sight().faces if covers(face.box, faces[best].box)), None)
    if followed is None:
        raise UsageError(f"who looks like {source.name} is not followed yet; try again")
    return followed.person


def _frame(before: Before) -> Frame:
    with before.watched() as slot:
        until_s = time.monotonic() + FRAME_S
        while time.monotonic() < until_s:
            frame = slot.newest()[2]
            if frame is not None:
                return frame
            time.sleep(0.01)
    raise UsageError("no picture arrived; in panic none is taken")
