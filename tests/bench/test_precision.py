"""`live bench precision` on the processor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from live.bench.precision import line, measure, table
from live.bench.precision_nets import inputs_for, load_subject
from live.bench.precision_row import psnr_db
from live.bench.precision_wish import Wish
from live.bench.twins import SMALL, TWINS
from live.bench.work import count_work
from live.cli import main
from live.errors import OutputError, UsageError
from live.nets.torch_graph import TorchGraph
from live.resources import models_dir


def test_rows_are_measured_and_written(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    names = ("masker", "ghost_1_256")
    report = measure(Wish(names, rows=(1, 2), modes=("fp32", "fp16"), device="cpu", width=SMALL, json=file))
    assert json.loads(file.read_text()) == json.loads(json.dumps(report))
    assert [(row["network"], row["rows"], row["mode"]) for row in report["rows"]] == [
        (name, rows, mode) for name in names for rows in (1, 2) for mode in ("fp32", "fp16")
    ]
    for row in report["rows"]:
        assert row["ms_eager"] > 0
        if row["mode"] == "fp16":
            assert row["finite"]
            assert 0 < row["relative_l2"] < 2e-2
            assert row["psnr_db"] > 45
        else:
            assert row["floor_ms"] > 0
    text = table(report)
    assert "ghost_1_256" in text
    assert "random weights" in text


def test_rows_beyond_the_time_are_left_out_and_said(tmp_path: Path) -> None:
    report = measure(Wish(("masker",), device="cpu", budget_s=0.0))
    assert report["left_out"] == ["masker"]
    assert "left out, the time was up: masker" in table(report)


def test_an_unknown_network_is_told() -> None:
    with pytest.raises(UsageError, match="no network nobody; there are landmarker"):
        measure(Wish(("nobody",), device="cpu"))


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--json"):
        measure(Wish(("masker",), json=tmp_path / "none" / "report.json"))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["bench", "precision", "--networks", "masker", "--batch", "1", "--modes", "bf16", "--device", "cpu"])
    assert code == 0
    assert "masker" in capsys.readouterr().out


def test_any_onnx_file_can_be_measured(tmp_path: Path) -> None:
    subject = load_subject(str(models_dir() / "masker.onnx"), tmp_path)
    assert len(inputs_for(subject, 3)[0]) == 3


@pytest.mark.parametrize("name", ["inswapper_128", "gfpgan_1.4", "hyperswap_1a_256", "gpen_bfr_512"])
def test_work_is_counted_as_the_definitions_count_it(tmp_path: Path, name: str) -> None:
    """At full width, on shapes: the counts hold for the prepared network too, fused or not."""
    half = load_subject(name, tmp_path, 0.5)
    inputs = inputs_for(half, 1)
    one, two = (count_work(TorchGraph(half.graph), inputs_for(half, rows)) for rows in (1, 2))
    assert 1.9 < two.flop / one.flop < 2.1
    # At half the width convolutions inside have a quarter of the arithmetic, those at the picture half.
    assert TWINS[name].gflop / 4 * 0.95 < one.flop / 1e9 < TWINS[name].gflop / 2
    assert one.bytes > sum(tensor.numel() * 4 for tensor in inputs)
    assert one.floor_ms(1e12, 1e9) == pytest.approx(1e3 * max(one.flop / 1e12, one.bytes / 1e9))


def test_psnr() -> None:
    wanted = torch.rand(1, 3, 8, 8)
    assert psnr_db(wanted + 0.01, wanted) == pytest.approx(40, abs=0.01)
    assert psnr_db(wanted, wanted) == float("inf")


def test_a_row_that_failed_says_why() -> None:
    assert line({"network": "x", "mode": "fp16", "rows": 1, "error": "out of memory"}).endswith("out of memory")
