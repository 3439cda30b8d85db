"""`live models` as a user types it: nothing without a yes, one line for a mistake."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import pytest

from live.cli import main
from live.nets import catalogue as module
from live.nets.catalogue import Catalogue, load_catalogue

from .files import network, write
from .site import Site

MODEL = network({"input": [1, 3, 256, 256]}, {"output": [1, 3, 256, 256]}).SerializeToString()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A server that stands for the mirrors of gpen_256."""
    served = Site(MODEL)

    def rewritten() -> Catalogue:
        found = load_catalogue()
        changes = {"sha256": hashlib.sha256(MODEL).hexdigest(), "urls": (f"{served.url}/x.onnx",)}
        entries = [one.model_copy(update=changes) if one.name == "gpen_256" else one for one in found.entries]
        return Catalogue(tuple(entries), found.folder)

    monkeypatch.setattr(module, "load_catalogue", rewritten)
    return served


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["models", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_nothing_is_fetched_without_a_yes(site: Site, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with site:
        code, out, err = said(capsys, "pull", "gpen_256")
        assert code == 2
        assert "commercial use: NOT allowed" in out
        assert err == "live: gpen_256 needs your yes to its licence: live models pull gpen_256 --accept-licence\n"
        assert not site.ranges
    assert not folder.exists()


@pytest.mark.parametrize(
    ("answer", "fetched"), [("y\n", True), ("\n", False), ("", False), ("n\n", False), ("maybe\n", False)]
)
def test_on_a_terminal_the_licence_is_asked(
    answer: str, fetched: bool, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stdout", shown)
    with site:
        assert main(["models", "pull", "gpen_256"]) == (0 if fetched else 2)
        assert len(site.ranges) == fetched
    assert "Fetch it under this licence?" in shown.getvalue()
    assert (folder / "GPEN-BFR-256.onnx").is_file() == fetched


def test_pull_verify_remove(site: Site, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "GPEN-BFR-256.onnx"
    with site:
        code, out, err = said(capsys, "pull", "gpen_256", "--accept-licence")
        assert (code, err) == (0, "")
        assert f"from 127.0.0.1 to {file}" in out
        assert "here already" in said(capsys, "pull", "gpen_256", "--accept-licence")[1]
        assert len(site.ranges) == 1
        assert said(capsys, "verify", "gpen_256")[:2] == (
            0,
            f"ok       gpen_256: 0.8 MB, sha256 {hashlib.sha256(MODEL).hexdigest()}\n",
        )
        file.write_bytes(MODEL[:-1] + b"\x00")
        code, out, _ = said(capsys, "verify")
        assert code == 1
        assert "BROKEN   gpen_256: another file" in out
        assert "live models remove gpen_256" in out
        assert said(capsys, "remove", "gpen_256")[0] == 0
        assert said(capsys, "verify", "gpen_256")[0] == 1
    assert not file.exists()


def test_a_progress_bar_is_shown_on_a_terminal_only(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with site:
        assert main(["models", "pull", "gpen_256", "--accept-licence"]) == 0
    assert "gpen_256" in screen.getvalue()
    assert "MB" in screen.getvalue() or "kB" in screen.getvalue()


def test_the_list_names_all_with_their_state(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    (folder / "GFPGANv1.4.onnx").write_bytes(b"")
    code, out, _ = said(capsys, "list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert set(lines) > {entry.name for entry in load_catalogue().entries}
    assert "embedded" in lines["masker"]
    assert " - " in lines["inswapper_128"]
    assert "554 MB" in lines["inswapper_128"]
    assert "commercial: no" in lines["inswapper_128"]
    assert "BROKEN" in lines["gfpgan_1.4"]
    assert str(folder) in out


def test_add_says_what_it_took_a_file_for(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path / "mine.onnx", {"target": [1, 3, 128, 128], "source": [1, 512]}, {"o": [1, 3, 128, 128]}, (512, 512)
    )
    code, out, _ = said(capsys, "add", str(path), "--licence", "CC-BY-4.0")
    assert code == 0
    assert "a swapper like inswapper, 128 px" in out
    assert str(folder / "mine.yaml") in out
    assert "live models pull w600k_r50" in out
    assert "CC-BY-4.0" in said(capsys, "licence", "mine")[1]
    assert "mine" in said(capsys, "list")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "inswaper_128"], "did you mean inswapper_128"),
        (["pull", "inswapper_128", "--from", "/nowhere", "--accept-licence"], "cannot take inswapper_128"),
        (["pull", "masker", "--accept-licence"], "comes with the program"),
        (["verify", "nothing_of_the_kind"], "no model"),
        (["remove", "inswapper_128"], "not on this computer"),
        (["add", "/nowhere.onnx"], "no file"),
        (["add", "x.onnx", "--role", "chef"], "chef"),
        (["licence", "nobody"], "no model"),
        ([], "VERB"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, *arguments)
    assert code in (1, 2)
    assert err.count("\n") == 1
    assert words in err
