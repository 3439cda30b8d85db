"""Who looks like a photo, with a recogniser that sees colours."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from live.control.before import Before
from live.control.lookalike import who_looks_like
from live.errors import UsageError
from live.faces.recogniser import Identity
from live.pixels.host import bgr_frame
from live.session import Sight, Taps
from live.values import Face
from tests.parts import SOURCE

LEFT, RIGHT = (0.0, 0.0, 40.0, 40.0), (60.0, 0.0, 100.0, 40.0)


def face(box, person=0):
    return Face(np.full((478, 3), box[0], np.float32), box, 0.9, person, person)


class Recogniser:
    """Knows people by where they are."""

    def __init__(self, *vectors):
        self.vectors = np.array(vectors, np.float32)

    def identity(self, source):
        return Identity(np.array([1, 0, 0], np.float32))

    def embed(self, photos):
        return self.vectors[: len(photos)]


@pytest.fixture
def before():
    """A picture arrives whenever somebody looks."""
    taps, done = Taps(), threading.Event()
    before = Before(taps, threading.Event())

    def capture():
        while not done.wait(0.01):
            if (tap := taps.before) is not None:
                tap(bgr_frame(np.zeros((50, 100, 3), np.uint8), time_s=0.0, number=0))

    thread = threading.Thread(target=capture)
    thread.start()
    yield before
    done.set()
    thread.join()
    assert taps.before is None


def ask(before, *vectors, found=(LEFT, RIGHT), followed=((RIGHT, 4), (LEFT, 7))):
    sight = Sight(tuple(face(*row) for row in followed), 100, 50)
    return who_looks_like(
        SOURCE, Recogniser(*vectors), before, lambda: sight, lambda picture: [face(box) for box in found]
    )


def test_the_person_who_is_most_alike_is_found(before):
    assert ask(before, (0, 1, 0), (5, 1, 0)) == 4
    assert ask(before, (5, 1, 0), (0, 1, 0)) == 7


@pytest.mark.parametrize(
    ("vectors", "given", "words"),
    [
        (((0, 1, 0), (0.1, 1, 0)), {}, "nobody in the picture looks like"),
        (((5, 1, 0), (5, 1.1, 0)), {}, "two people look like"),
        ((), {"found": ()}, "nobody is in the picture"),
        (((5, 1, 0), (0, 1, 0)), {"followed": ()}, "not followed yet"),
    ],
)
def test_where_it_is_not_sure_it_says_so(before, vectors, given, words):
    with pytest.raises(UsageError, match=words):
        ask(before, *vectors, **given)


def test_in_panic_no_picture_is_taken(monkeypatch):
    monkeypatch.setattr("live.control.lookalike.FRAME_S", 0.1)
    with pytest.raises(UsageError, match="no picture arrived"):
        ask(Before(Taps(), threading.Event()))
