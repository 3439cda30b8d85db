"""Whose face it is: once per face and recogniser, kept only with faces that are stored, the mean over photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from live.errors import FaceError, ModelError
from live.faces import shelf
from live.faces.gallery import source_face
from live.faces.recogniser import Recogniser, mean_vector
from live.nets.entry import Entry
from live.nets.ort_runner import OrtRunner
from live.resources import cache_dir
from live.values import Photo
from tests.nets import small
from tests.swap import faces

ENTRY = Entry.model_validate(
    {
        "name": "small",
        "role": "recogniser",
        "family": "arcface",
        "file": "small.onnx",
        "licence": {"name": "none", "commercial": "yes", "redistribution": "yes"},
        "input": {
            "size_px": 112,
            "template": "arcface_112_v2",
            "normalisation": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        },
    }
)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_HOME", str(tmp_path / "home"))


class Counted:
    """A runner that counts the photos it saw."""

    def __init__(self, path: Path) -> None:
        self.real = OrtRunner(path, folder=path.parent)
        self.inputs, self.outputs = self.real.inputs, self.real.outputs
        self.backend, self.precision = self.real.backend, self.real.precision
        self.seen = 0
        self.answer = lambda found: found

    def run(self, inputs):
        self.seen += len(next(iter(inputs.values())))
        return [self.answer(found) for found in self.real.run(inputs)]

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def runner(tmp_path: Path) -> Counted:
    return Counted(small.recogniser(tmp_path / "small.onnx"))


def face(*, shift: float = 0, more: int = 0, stored: bool = True):
    image = np.clip(faces.picture() + shift, 0, 255).astype(np.uint8)
    others = tuple(Photo(255 - image, faces.landmarks(scale=9 + n)) for n in range(more))
    return source_face("ada", image, faces.landmarks(), "self", others, stored=stored)


def test_a_stored_face_is_looked_at_once(runner: Counted) -> None:
    first = Recogniser(ENTRY, runner, "a").identity(face())
    again = Recogniser(ENTRY, runner, "a").identity(face())
    assert runner.seen == 1
    assert np.array_equal(first.raw, again.raw)
    assert np.linalg.norm(again.unit) == pytest.approx(1, abs=1e-5)


def test_another_face_or_recogniser_is_another_vector(runner: Counted) -> None:
    Recogniser(ENTRY, runner, "a").identity(face())
    Recogniser(ENTRY, runner, "b").identity(face())
    Recogniser(ENTRY, runner, "a").identity(face(shift=9))
    Recogniser(ENTRY, runner, "a").identity(face(more=1))
    assert runner.seen == 5


def test_a_photo_for_one_run_leaves_nothing_on_disk(runner: Counted) -> None:
    recogniser = Recogniser(ENTRY, runner, "a")
    for _ in range(2):
        recogniser.identity(face(stored=False))
    assert runner.seen == 2
    assert not (cache_dir() / "identities").exists()


def test_what_is_kept_goes_with_the_face(runner: Counted) -> None:
    Recogniser(ENTRY, runner, "a").identity(face())
    assert list((cache_dir() / "identities").glob("*.npz"))
    shelf.clear()
    assert not list((cache_dir() / "identities").glob("*.npz"))


@pytest.mark.parametrize("content", [b"", b"x" * 500])
def test_a_broken_file_is_made_anew(runner: Counted, content: bytes) -> None:
    first = Recogniser(ENTRY, runner, "a").identity(face())
    (path,) = (cache_dir() / "identities").glob("*.npz")
    path.write_bytes(content)
    assert np.array_equal(Recogniser(ENTRY, runner, "a").identity(face()).raw, first.raw)
    assert runner.seen == 2


def test_several_photos_are_one_run_and_their_mean_direction(runner: Counted) -> None:
    recogniser = Recogniser(ENTRY, runner, "a")
    one = face(more=2)
    photos = [Photo(one.image, one.landmarks), *one.more]
    rows = recogniser.embed(photos)
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
    identity = recogniser.identity(replace(one, stored=False))
    assert np.allclose(identity.unit, unit / np.linalg.norm(unit), atol=1e-5)
    assert np.linalg.norm(identity.raw) == pytest.approx(np.linalg.norm(rows, axis=1).mean(), rel=1e-4)


def test_one_vector_is_its_own_mean() -> None:
    vector = np.array([[3.0, 4.0]], np.float32)
    assert np.allclose(mean_vector(vector), vector[0])


def test_the_same_face_elsewhere_in_a_photo_is_the_same_vector(runner: Counted) -> None:
    recogniser = Recogniser(ENTRY, runner, "a")
    here = recogniser.identity(face(stored=False))
    grown = np.pad(faces.picture(), ((40, 0), (25, 0), (0, 0)), mode="edge")
    moved = faces.landmarks() + np.array([25, 40, 0], np.float32)
    there = recogniser.identity(source_face("ada", grown, moved, "self"))
    assert float(here.unit @ there.unit) > 0.9999


@pytest.mark.parametrize("answer", [np.zeros_like, lambda found: found * np.nan, lambda found: found + 1e9])
def test_a_vector_that_is_none_is_refused(runner: Counted, answer) -> None:
    runner.answer = answer
    with pytest.raises(FaceError, match="small makes nothing of the photos of ada; give other photos"):
        Recogniser(ENTRY, runner, "a").identity(face())
    assert not (cache_dir() / "identities").exists()


def test_a_network_without_a_vector_is_no_recogniser(tmp_path: Path) -> None:
    path = small.picture_function(tmp_path / "picture.onnx", side=112)
    with pytest.raises(ModelError, match="one vector per face"):
        Recogniser(ENTRY, OrtRunner(path, folder=tmp_path), "a")
