"""The list of licences: nothing that the program needs is left out, and nothing is imported or fetched for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from live.cli import main
from live.errors import LiveError
from live.licences import MISSING, Part, lines, parts

ROOT = Path(__file__).parent.parent


class Shelf:
    """A folder of installed distributions that consist of metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, *fields: str, files: tuple[str, ...] = ()) -> None:
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields, ""])
        )
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file in files:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).touch()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Shelf(tmp_path)


def found(project: str) -> dict[str, Part]:
    return {part.name: part for part in parts(project)}


def test_every_direct_dependency_is_listed_with_a_version_and_a_licence() -> None:
    direct = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    listed = {part.name.casefold(): part for part in parts()}
    for need in direct:
        part = listed[need.partition(">=")[0].casefold()]
        assert part.version, f"{part.name} is not installed"
        assert not part.extra
        assert part.licence != "not stated"
    assert "GPL" in listed["pyvirtualcam"].licence
    assert "numpy" in listed
    assert "multidict" in listed, "what aiohttp needs belongs to the list, too"


def test_the_notes_say_who_has_to_follow_the_gpl(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("pyvirtualcam is GPL-2.0", "x264", "LGPL", "NVIDIA's own terms", "live models licence NAME", "MIT"):
        assert words in said


def test_the_list_imports_none_of_the_packages_and_asks_no_network() -> None:
    code = """
import socket, sys
def refuse(*_): raise AssertionError("a connection")
socket.socket.connect = socket.getaddrinfo = refuse
from live.licences import lines, parts
assert len(list(lines(parts(), files=True))) > 20
assert not {"torch", "cv2", "onnxruntime", "av", "numpy"} & set(sys.modules)
from live.cli import main
assert main(["licences"]) == 0
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_dependency_stands_in_the_table_with_who_asks_for_it(shelf: Shelf) -> None:
    shelf.add("toy", "License-Expression: MIT", "Requires-Dist: toy-wheels>=2", "Requires-Dist: toy-lost")
    shelf.add("toy-wheels", "License-Expression: Zlib", "Requires-Dist: toy-lost; python_version > '3'")
    listed = found("toy")
    assert list(listed) == ["toy", "toy-lost", "toy-wheels"]
    assert listed["toy-lost"].version == ""
    (row,) = [line for line in lines(list(listed.values())) if line.startswith("toy-lost")]
    assert MISSING in row
    assert "toy, toy-wheels" in row


def test_markers_and_extras_decide_what_is_asked_for(shelf: Shelf) -> None:
    shelf.add(
        "toy",
        "Provides-Extra: shiny",
        "Provides-Extra: loud",
        "Requires-Dist: toy-old; python_version < '3'",
        "Requires-Dist: toy-kit[small]",
        "Requires-Dist: toy-paint; extra == 'shiny'",
        "Requires-Dist: toy-horn; extra == 'loud'",
    )
    shelf.add("toy-kit", "Requires-Dist: toy-screw; extra == 'small'", "Requires-Dist: toy-plank; extra == 'large'")
    for name in ("toy-old", "toy-screw", "toy-plank", "toy-paint"):
        shelf.add(name)
    listed = found("toy")
    assert list(listed) == ["toy", "toy-kit", "toy-screw", "toy-paint"]
    assert listed["toy-screw"].asked_by == ("toy-kit",)
    assert [part.name for part in listed.values() if part.extra] == ["toy-paint"]


def test_distributions_that_need_each_other_are_listed_once(shelf: Shelf) -> None:
    shelf.add("toy", "Requires-Dist: toy-egg")
    shelf.add("toy-egg", "Requires-Dist: Toy_Hen")
    shelf.add("toy-hen", "Requires-Dist: toy.egg")
    assert list(found("toy")) == ["toy", "toy-egg", "toy-hen"]


@pytest.mark.parametrize(
    ("fields", "files", "licence"),
    [
        (("License-Expression: MIT", "License: something else"), (), "MIT"),
        (("License: BSD", "Classifier: License :: OSI Approved :: MIT License"), (), "BSD"),
        (("License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"), (), "MIT License"),
        (("License: Permission is", "       hereby granted", "Classifier: License :: Freeware"), (), "Freeware"),
        (("License: " + "word " * 30, "Classifier: License :: OSI Approved"), ("toy/COPYING",), "see its files"),
        ((), ("toy/licenses.py",), "not stated"),
    ],
)
def test_the_licence_is_told_by_the_clearest_field(
    shelf: Shelf, fields: tuple[str, ...], files: tuple[str, ...], licence: str
) -> None:
    shelf.add("toy", *fields, files=files)
    assert found("toy")["toy"].licence == licence


def test_the_paths_of_licence_texts_are_shown_when_asked(shelf: Shelf) -> None:
    texts = ("toy-1.0.dist-info/licenses/vendor/EPL", "toy/LICENCE.txt", "toy/ThirdPartyNotices.txt")
    shelf.add("toy", files=(*texts, "toy/licence.py", "toy/__init__.py"))
    assert set(found("toy")["toy"].files) == {shelf.folder / text for text in texts}
    shown = "\n".join(lines(parts("toy"), files=True))
    assert all(str(shelf.folder / text) in shown for text in texts)
    assert "EPL" not in "\n".join(lines(parts("toy")))


def test_a_project_that_is_not_installed_gives_one_line(shelf: Shelf) -> None:
    with pytest.raises(LiveError, match=r"toy is not installed.*pip install"):
        parts("toy")


def test_the_list_can_be_written_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "licences.json"
    assert main(["licences", "--json", str(path)]) == 0
    written = json.loads(path.read_text("utf-8"))
    assert {"name", "version", "licence", "files", "asked_by", "extra"} == set(written["parts"][0])
    assert written["parts"][0]["name"] == "live-faceswap"
    assert any("GPL" in note for note in written["notes"])
    assert main(["licences", "--json", str(tmp_path / "nowhere" / "x.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err
