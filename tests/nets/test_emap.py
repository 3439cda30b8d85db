"""The matrix at the end of an inswapper's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from live.errors import ModelError
from live.nets.emap import read_emap
from tests.nets import small


@pytest.mark.parametrize("half", [False, True])
def test_it_is_the_last_initialiser_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bool) -> None:
    path = small.swapper(tmp_path / "swapper.onnx", length=512, half=half)
    wanted = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[-1]).astype(np.float32)
    kept = tmp_path / "kept"
    assert np.array_equal(read_emap(path, 512, kept), wanted)
    monkeypatch.setattr(onnx, "load", None)
    assert np.array_equal(read_emap(path, 512, kept), wanted)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"x" * 300])
def test_a_broken_copy_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = small.swapper(tmp_path / "swapper.onnx", length=16)
    first = read_emap(path, 16, tmp_path / "kept")
    (copy,) = (tmp_path / "kept").iterdir()
    copy.write_bytes(content)
    assert np.array_equal(read_emap(path, 16, tmp_path / "kept"), first)
    assert np.array_equal(np.load(copy), first)


def test_a_file_without_it_is_one_line(tmp_path: Path) -> None:
    path = small.swapper(tmp_path / "swapper.onnx", length=16)
    with pytest.raises(ModelError, match="a matrix of 512x512") as caught:
        read_emap(path, 512, tmp_path / "kept")
    assert "\n" not in str(caught.value)
    (tmp_path / "broken.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        read_emap(tmp_path / "broken.onnx", 512, tmp_path / "kept")


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    path = small.swapper(tmp_path / "swapper.onnx", length=16)
    (tmp_path / "file").write_text("")
    assert read_emap(path, 16, tmp_path / "file").shape == (16, 16)
