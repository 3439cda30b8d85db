from __future__ import annotations

import pytest

from live.bench.twins import SMALL
from live.bench.twins.stand_ins import write_stand_ins
from live.errors import OutputError, UsageError
from live.nets.catalogue import load_catalogue


def test_stand_ins_are_found_under_the_names_of_the_catalogue(tmp_path):
    list(write_stand_ins(tmp_path / "new", ["w600k_r50", "inswapper_128"], width=SMALL))
    catalogue = load_catalogue(tmp_path / "new")
    assert catalogue.find("w600k_r50") is not None
    assert catalogue.find("inswapper_128") is not None


def test_a_file_that_is_there_is_never_written_over(tmp_path):
    (tmp_path / "w600k_r50.onnx").write_bytes(b"the real one")
    with pytest.raises(OutputError, match="there already"):
        list(write_stand_ins(tmp_path, ["w600k_r50"], width=SMALL))
    assert (tmp_path / "w600k_r50.onnx").read_bytes() == b"the real one"


def test_a_model_without_a_twin_names_those_that_have_one(tmp_path):
    with pytest.raises(UsageError, match="inswapper_128"):
        list(write_stand_ins(tmp_path, ["crossface_ghost"]))
