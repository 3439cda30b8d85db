"""What every system has to have."""

from __future__ import annotations

import shutil

import pytest

from live.doctor import machine


@pytest.mark.parametrize("there", [True, False])
def test_srt_is_told_with_the_program_that_brings_it(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if there else None)
    finding = machine.streams()
    assert finding.fine
    assert "srt-live-transmit" in finding.text
    assert bool(finding.mend) is not there


def test_the_programs_own_parts_are_found() -> None:
    assert machine.program().fine
    assert all(finding.fine for finding in machine.models())
