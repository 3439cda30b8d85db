"""The desk: what commands change of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from live.control.commands import Desk
from live.errors import UsageError
from live.values import Settings
from tests.parts import SOURCE, PaintedCapture, PaintEngine, session

NAMES = ["ada", "bruno", "chen"]


def desk_of(settings: Settings):
    """A desk, and the run that it changes."""
    run = session(PaintedCapture(0))
    run.settings = settings
    faces = {name: replace(SOURCE, name=name, key=name) for name in NAMES}
    return Desk(run, PaintEngine(), NAMES, faces.__getitem__, "ada"), run


def settled(desk: Desk) -> None:
    """Wait until everything that was asked for is prepared."""
    desk._worker.submit(lambda: None).result(5)


@pytest.mark.parametrize(("key", "name"), [("n", "bruno"), ("b", "chen"), ("2", "bruno"), ("3", "chen")])
def test_a_key_puts_one_face_on_everybody_whatever_they_wore(key: str, name: str) -> None:
    ada, bruno = (replace(SOURCE, name=name, key=name) for name in NAMES[:2])
    desk, run = desk_of(Settings(ada, (bruno,), {0: bruno}, strength=0.7))
    desk.press(key)
    settled(desk)
    assert [run.settings.worn_by(person).name for person in range(3)] == [name] * 3
    assert run.settings.strength == 0.7
    desk.close()


def test_the_state_names_all_faces_of_the_list() -> None:
    ada, bruno = (replace(SOURCE, name=name, key=name) for name in NAMES[:2])
    assert desk_of(Settings(ada, (bruno,)))[0].state()["face"] == "ada, bruno"
    assert desk_of(Settings())[0].state()["face"] is None


def test_a_face_that_there_is_not_is_refused_and_changes_nothing() -> None:
    desk, run = desk_of(Settings(SOURCE))
    with pytest.raises(UsageError, match="1 to 3, or one of: ada, bruno, chen"):
        desk.execute("face", ["nobody"])
    assert run.settings.source is SOURCE
