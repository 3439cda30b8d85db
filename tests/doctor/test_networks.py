"""What the doctor says about the models folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.doctor.networks import judge, look
from live.nets.catalogue import load_catalogue


def test_no_models_are_fine_and_the_folder_is_named(tmp_path: Path) -> None:
    finding = judge(load_catalogue(tmp_path / "models"))
    assert finding.fine
    assert str(tmp_path / "models") in finding.text
    assert "live models list" in str(finding)


def test_models_are_counted_and_one_of_a_wrong_size_is_named(tmp_path: Path) -> None:
    (tmp_path / "GPEN-BFR-256.onnx").write_bytes(bytes(2_000_000))
    finding = judge(load_catalogue(tmp_path))
    assert finding.fine
    assert "1 of " in finding.text
    assert "2 MB" in finding.text
    (tmp_path / "inswapper_128.onnx").write_bytes(b"cut")
    finding = judge(load_catalogue(tmp_path))
    assert not finding.fine
    assert not finding.needed
    assert "inswapper_128" in finding.text
    assert finding.mend == ("live models remove inswapper_128", "live models pull inswapper_128")


def test_a_folder_that_is_none_is_a_finding_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").write_bytes(b"")
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path / "models"))
    assert "models" in str(look())
