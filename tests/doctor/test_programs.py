"""Which programs are installed, and what their sandboxes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.doctor import programs as module
from live.doctor.programs import Program, flatpak_camera, programs, snap_camera

SNAP = """Interface                 Plug                         Slot                Notes
audio-playback            chromium:audio-playback      :audio-playback     -
camera                    chromium:camera              {}                  -
content[gnome-42-2204]    chromium:gnome-42-2204       gnome-42-2204:x     -
"""
FLATPAK = "[Context]\nshared=network;ipc;\nsockets=x11;pulseaudio;\ndevices={}\n"


def test_a_snaps_camera_is_connected_or_not() -> None:
    assert snap_camera(SNAP.format(":camera")) is True
    assert snap_camera(SNAP.format("-")) is False
    assert snap_camera("") is None


def test_a_flatpaks_devices() -> None:
    assert flatpak_camera(FLATPAK.format("dri;all;")) is True
    assert flatpak_camera(FLATPAK.format("dri;")) is False
    assert flatpak_camera("[Context]\nshared=network;\n") is False
    assert flatpak_camera("") is None


def test_installed_programs_are_found_where_their_packages_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"chromium": SNAP.format("-"), "us.zoom.Zoom": FLATPAK.format("all;")}
    monkeypatch.setattr(module, "_said", lambda *command: said.get(command[-1], ""))
    root, home = tmp_path / "root", tmp_path / "home"
    for path in ("opt/google/chrome/chrome", "snap/chromium/1", "snap/zoom-client/1"):
        (root / path).mkdir(parents=True)
    (home / ".local/share/flatpak/app/us.zoom.Zoom").mkdir(parents=True)
    assert programs(root, home) == (
        Program("Chrome"),
        Program("Chromium", "snap", "chromium", True, camera=False),
        Program("Zoom", "flatpak", "us.zoom.Zoom", True, camera=True),
        Program("Zoom", "snap", "zoom-client", False, camera=None),
    )


def test_a_program_that_cannot_be_asked_says_nothing() -> None:
    assert module._said("a-program-that-nobody-has") == ""
    assert module._said("false") == ""
    assert module._said("echo", "camera") == "camera\n"
