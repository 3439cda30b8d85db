"""Tests for live/swap/device/mesh.py: source faces in rows of tables."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from live.config import load_preset
from live.faces.gallery import Gallery
from live.swap.device import mesh
from live.swap.device.contract import Wanted
from live.swap.device.mesh import MeshWear
from live.swap.mesh.engine import MeshOptions
from live.values import Settings


def row_of(wear, source, track):
    rows = {name: np.zeros(1) for name in ("source", "source_before", "takeover", "shape")}
    wear.fill(rows, 0, Wanted(source=source, track=track, now_s=0.0, settings=Settings(), landmarks=source.landmarks))
    return rows["source"][0]


def test_a_face_that_two_threads_prepare_at_once_leaves_the_next_face_a_row_of_its_own(monkeypatch):
    both, make = threading.Barrier(2), mesh.make_texture

    def make_together(*args):
        both.wait(timeout=30)
        return make(*args)

    wear = MeshWear(MeshOptions(**load_preset("fast").swap.model_dump(exclude={"strength", "shape"})), None, tracks=2)
    bruno, other = (Gallery(None).get(name) for name in ("bruno", "ada"))
    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(mesh, "make_texture", make_together)
        list(threads.map(wear.prepare, [bruno, bruno]))
    wear.prepare(other)
    assert row_of(wear, bruno, track=0) != row_of(wear, other, track=1)
