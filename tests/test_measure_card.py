"""What is measured on a card: commands that exist, the most telling first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from live.cli import parser
from live.config import load_preset
from tools import measure_card


def test_every_measurement_is_a_command_with_keys_that_exist() -> None:
    found = list(measure_card.measurements("cuda"))
    assert found[0].name == "tests"
    assert len({each.name for each in found}) == len(found)
    for each in found[1:]:
        options = parser().parse_args(each.arguments[2:])
        load_preset("default", getattr(options, "set", []))


def test_what_fails_is_told_and_the_next_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [
        measure_card.Measurement("broken", ("-c", "raise SystemExit(3)"), 60),
        measure_card.Measurement("endless", ("-c", "while True: pass"), 0.5, report=False),
        measure_card.Measurement("good", ("-c", "import sys; open(sys.argv[2], 'w').write('{}')"), 60),
    ]
    monkeypatch.setattr(measure_card, "measurements", lambda device: jobs)
    monkeypatch.setattr(sys, "argv", ["measure_card.py", "--out", str(tmp_path / "out"), "--models", str(tmp_path)])
    assert measure_card.main() == 1
    told = capsys.readouterr().out
    assert "FAILED with 3, see broken.txt" in told
    assert "cut: its time is over" in told
    assert (tmp_path / "out/good.json").read_text() == "{}"
