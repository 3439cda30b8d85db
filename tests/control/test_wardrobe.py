"""Source faces made ready ahead, on a thread of their own."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from live.control.wardrobe import Wardrobe

from ..parts import SOURCE


@pytest.mark.skipif(sys.platform != "linux", reason="only there each thread has a niceness")
def test_a_program_that_is_nicer_already_prepares_faces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refuse)
    put_on = threading.Event()
    wardrobe = Wardrobe(["ada"], lambda name: SOURCE, lambda source: None)
    wardrobe.start(None)
    if wardrobe.want("ada", "everybody", lambda source: put_on.set()):
        put_on.set()
    assert put_on.wait(10)
    wardrobe.close()
