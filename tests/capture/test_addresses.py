from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from live.capture import MODULES, open_capture, route
from live.capture.contract import Wanted
from live.errors import UsageError

from .media import write_h264


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("camera", ("camera", "")), ("camera:0", ("camera", "0")), ("camera:/dev/video2", ("camera", "/dev/video2")),
        ("/dev/video2", ("camera", "/dev/video2")), ("1", ("camera", "1")), ("camera:C: HD", ("camera", "C: HD")),
        ("screen", ("screen", "")), ("screen:0,0,64,48", ("screen", "0,0,64,48")), ("Screen:Ed", ("screen", "Ed")),
        ("demo", ("demo", "")), ("demo:anna", ("demo", "anna")),
        ("rtmp://host/app", ("stream", "rtmp://host/app")), ("srt://host:9", ("stream", "srt://host:9")),
        ("HTTPS://host/a.m3u8", ("stream", "HTTPS://host/a.m3u8")),
    ],
)  # fmt: skip
def test_addresses_find_their_module(address: str, expected: tuple[str, str]) -> None:
    assert route(address) == expected


def test_paths_go_by_content(tmp_path: Path) -> None:
    write_h264(tmp_path / "clip.jpg.mp4", 2)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.mp4", format="PNG")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.gif", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    assert route(str(tmp_path / "clip.jpg.mp4"))[0] == "file"
    assert route(str(tmp_path / "a.mp4"))[0] == "picture"
    assert route(str(tmp_path / "b.gif"))[0] == "file"


def test_odd_names_are_reached_with_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "7", "rtmp:x.mp4", "név 顔 %d.mp4"):
        write_h264(tmp_path / "x.mp4", 2).rename(name)
        capture = open_capture(f"file:{name}", Wanted(live=False))
        assert capture.read() is not None
        capture.close()


@pytest.mark.parametrize("address", ["webcam", "", "ftp://host/x", "camara:0", "file:", "picture:"])
def test_an_unknown_address_names_what_is_allowed(address: str) -> None:
    with pytest.raises(UsageError, match=r"known are camera, camera:0.*demo:NAME"):
        route(address)


def test_a_missing_path_names_similar_files(tmp_path: Path) -> None:
    write_h264(tmp_path / "talk.mp4", 2)
    with pytest.raises(UsageError, match=r"there is no file .*in that folder is talk\.mp4"):
        route(str(tmp_path / "talk.mov"))


def test_a_mistyped_word_that_is_nearly_a_file_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_h264(tmp_path / "x.mp4", 2).rename("interview")
    with pytest.raises(UsageError, match="in that folder is interview"):
        route("intervew")


def test_every_module_named_has_a_file() -> None:
    import live.capture

    folder = Path(str(live.capture.__file__)).parent
    assert not [name for name in set(MODULES.values()) if not (folder / f"{name}.py").exists()]


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, live.capture; sys.exit(bool({'av', 'cv2', 'PIL', 'torch', 'numpy.testing'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
