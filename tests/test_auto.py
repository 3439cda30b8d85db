"""What `engine: auto` and `restorer: auto` come to, by what is on this computer."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from live import auto
from live.config import load_preset, preset_names
from live.errors import UsageError
from live.nets.backends import Present

FILES = {
    "inswapper_128": "inswapper_128.onnx",
    "hyperswap_1a_256": "hyperswap_1a_256.onnx",
    "w600k_r50": "w600k_r50.onnx",
    "gfpgan_1.4": "GFPGANv1.4.onnx",
}


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The function that gives this computer models and, perhaps, a card."""
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path))

    def has(*models: str, card: bool) -> None:
        for name in models:
            (tmp_path / FILES[name]).touch()
        found = Present("linux", frozenset(), "", None, "2.11", torch_cuda=card)
        monkeypatch.setattr(auto, "look", lambda: found)
        monkeypatch.setattr(auto.shutil, "which", lambda _: "/usr/bin/nvidia-smi" if card else None)

    return has


def settled(preset: str, *overrides: str) -> tuple[str, str]:
    found = auto.settled(load_preset(preset, overrides))
    return found.engine, found.restorer


@pytest.mark.parametrize("name", ["fast", "balanced", "quality"])
def test_without_any_network_every_preset_takes_the_mesh_and_looks_for_no_card(computer, name, monkeypatch):
    computer(card=True)
    monkeypatch.setattr(auto, "look", lambda: pytest.fail("looked for a card"))
    assert settled(name) == ("mesh", "none")


def test_a_card_without_networks_is_told_what_it_could_run(computer, caplog):
    caplog.set_level(logging.INFO)
    computer(card=True)
    assert settled("fast") == ("mesh", "none")
    assert "live models pull inswapper_128" in caplog.text


def test_the_first_network_that_is_here_is_taken_and_said(computer, caplog):
    caplog.set_level(logging.INFO)
    computer("inswapper_128", "w600k_r50", card=True)
    assert settled("balanced") == ("inswapper_128", "none")
    assert "engine: inswapper_128" in caplog.text
    computer("hyperswap_1a_256", card=True)
    assert settled("balanced")[0] == "hyperswap_1a_256"
    assert settled("fast")[0] == "inswapper_128"


def test_a_network_without_its_recogniser_is_not_here(computer):
    computer("inswapper_128", card=True)
    assert settled("fast")[0] == "mesh"


def test_a_network_without_a_card_leaves_the_mesh_and_says_how_to_run_it_all_the_same(computer, caplog):
    caplog.set_level(logging.INFO)
    computer("inswapper_128", "w600k_r50", "gfpgan_1.4", card=False)
    assert settled("quality") == ("mesh", "none")
    assert "engine=inswapper_128 runs it without" in caplog.text


def test_the_restorer_follows_a_network_on_a_card_only(computer):
    computer("inswapper_128", "w600k_r50", "gfpgan_1.4", card=True)
    assert settled("quality") == ("inswapper_128", "gfpgan_1.4")
    assert settled("fast") == ("inswapper_128", "none")
    assert settled("quality", "engine=mesh") == ("mesh", "none")
    assert settled("quality", "device=cpu") == ("mesh", "none")
    assert settled("quality", "device=cpu", "engine=inswapper_128") == ("inswapper_128", "none")
    assert settled("quality", "restorer=none") == ("inswapper_128", "none")


def test_what_is_named_is_not_touched(computer):
    computer(card=False)
    preset = load_preset("fast", ("engine=inswapper_128",))
    assert auto.settled(preset) is preset


def test_a_wrong_name_in_the_choice_is_told_with_those_there_are(computer):
    computer(card=True)
    with pytest.raises(UsageError, match=r"nets\.engines: gfpgan_1\.4 is a restorer; allowed: inswapper_128, "):
        settled("fast", "nets.engines=[gfpgan_1.4]")
    with pytest.raises(UsageError, match=r"nets\.restorers: there is no restorer 'nobody'"):
        settled("quality", "nets.restorers=[nobody]")


def test_every_shipped_preset_names_networks_of_the_catalogue():
    for name in preset_names():
        auto.settled(load_preset(name, ("device=cpu", "engine=auto")))
