"""Textures are kept on disk, and what is read of them is not trusted."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from live.errors import FaceError
from live.faces import shelf
from live.faces.gallery import Gallery
from live.swap.mesh import cache
from live.swap.mesh import texture as texture_module
from live.swap.mesh.canvas import load_canvas
from live.swap.mesh.maps import SIZE_PX
from live.swap.mesh.texture import make_texture
from live.values import Photo
from tests.swap.mesh.photos import BAND, Seer, painted, photo, source


@pytest.fixture(scope="module")
def canvas():
    return load_canvas()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVE_HOME", str(tmp_path))
    cache.SHELF.told.clear()


@pytest.fixture
def counted(monkeypatch):
    """How often a texture was really made."""
    made = []
    real = texture_module._prepared
    monkeypatch.setattr(texture_module, "_prepared", lambda *arguments: made.append(1) or real(*arguments))
    return made


def same(one, other):
    arrays = zip(
        (*one.levels, one.skin, one.plain, one.proportions), (*other.levels, other.skin, other.plain, other.proportions)
    )
    return (
        all(np.array_equal(a, b) for a, b in arrays)
        and abs(one.depth - other.depth) + abs(one.opening - other.opening) < 1e-5
    )


def test_a_stored_face_is_made_once_and_read_back_the_same(canvas, counted):
    face = source(photo(), stored=True)
    first, again = make_texture(face, canvas), make_texture(face, canvas)
    assert len(counted) == 1
    assert same(first, again)


def test_a_photo_for_one_run_leaves_nothing_on_disk(canvas, counted):
    for _ in range(2):
        make_texture(source(photo()), canvas)
    assert len(counted) == 2
    assert not cache.folder().exists()


def test_other_content_and_another_mask_are_other_textures(canvas, counted):
    face, empty = photo(), np.zeros((512, 512), np.uint8)
    make_texture(source(face, stored=True), canvas)
    make_texture(source(face, stored=True), canvas, Seer(empty))
    make_texture(source(face, stored=True), canvas, Seer(painted(face, BAND, 0, 30)[1]))
    make_texture(source(Photo(255 - face.image, face.landmarks), stored=True), canvas)
    make_texture(source(face, face, stored=True), canvas)
    assert len(counted) == 5
    assert len(list(cache.folder().glob("*.npz"))) == 5


def small(**changes):
    pixels = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    fields = dict(
        pixels=pixels,
        skin=np.zeros((12, 3), np.float32),
        depth=0.5,
        proportions=np.zeros((468, 3), np.float32),
        opening=0.1,
    )
    return cache.Prepared(**{**fields, **changes})


def rewritten(path: Path, **changes):
    with np.load(path) as file:
        fields = {key: file[key] for key in file.files}
    np.savez(path, **{**fields, **changes})


BREAKAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "no zip": lambda path: path.write_bytes(b"x" * 5000),
    "bare array": lambda path: path.write_bytes(_array_bytes()),
    "pickled": lambda path: rewritten(path, skin=np.array([{}] * 3, object)),
    "another shape": lambda path: rewritten(path, skin=np.zeros((11, 3), np.float32)),
    "another type": lambda path: rewritten(path, pixels=np.zeros((SIZE_PX, SIZE_PX, 3), np.int16)),
    "not finite": lambda path: rewritten(path, proportions=np.full((468, 3), np.nan, np.float32)),
    "beyond reason": lambda path: rewritten(path, skin=np.full((12, 3), 1e9, np.float32)),
    "too large": lambda path: rewritten(path, more=np.zeros(4_000_000, np.uint8)),
    "flipped bit": lambda path: path.write_bytes(_flipped(path.read_bytes())),
}


def _array_bytes():
    from io import BytesIO

    into = BytesIO()
    np.save(into, np.zeros(9))
    return into.getvalue()


def _flipped(data: bytes) -> bytes:
    return data[:200_000] + bytes([data[200_000] ^ 255]) + data[200_001:]


@pytest.mark.parametrize("broken", BREAKAGES)
def test_a_broken_file_is_as_good_as_none_and_written_anew(broken):
    cache.write("a", small())
    path = cache.folder() / "a.npz"
    assert cache.read("a") is not None
    BREAKAGES[broken](path)
    assert cache.read("a") is None
    cache.write("a", small(opening=0.2))
    assert cache.read("a").opening == pytest.approx(0.2)


def test_a_squeezed_giant_is_not_unpacked():
    cache.write("a", small())
    path = cache.folder() / "a.npz"
    np.savez_compressed(
        path, **{key: np.zeros(30_000_000, np.uint8) for key in ("pixels", "skin", "proportions", "numbers")}
    )
    assert path.stat().st_size < 1_000_000
    assert cache.read("a") is None


def test_the_longest_unused_makes_room(monkeypatch):
    import os

    monkeypatch.setattr(cache, "SHELF", replace(cache.SHELF, most_files=3))
    for number, name in enumerate("abc"):
        cache.write(name, small())
        os.utime(cache.folder() / f"{name}.npz", (1000 + number, 1000 + number))
    assert cache.read("a") is not None  # was used just now
    cache.write("d", small())
    assert sorted(path.stem for path in cache.folder().iterdir()) == ["a", "c", "d"]


def test_a_folder_that_cannot_be_written_is_told_once(monkeypatch, tmp_path, caplog, canvas):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIVE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cache.write("a", small())
    assert len(caplog.messages) == 1
    assert "cannot keep prepared faces" in caplog.messages[0]
    assert cache.read("a") is None


def test_a_write_that_fails_leaves_nothing(monkeypatch):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    cache.write("a", small())
    assert list(cache.folder().iterdir()) == []


def test_only_the_owner_may_look(tmp_path):
    cache.write("a", small())
    assert cache.folder().stat().st_mode & 0o077 == 0
    assert (cache.folder() / "a.npz").stat().st_mode & 0o077 == 0


def test_clearing_takes_all_and_says_when_it_cannot(monkeypatch):
    shelf.clear()
    cache.write("a", small())
    shelf.clear()
    assert list(cache.folder().iterdir()) == []
    cache.write("a", small())

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(FaceError, match="delete the folder by hand"):
        shelf.clear()


def test_bundled_people_and_the_gallery_are_stored_and_others_not():
    assert Gallery(Path("/nonexistent")).get("ada").stored
    assert not source(photo()).stored
