"""What the doctor makes of the facts of Macs."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

import pytest

from live.doctor import macos
from live.doctor.finding import Finding
from live.doctor.macos import MacFacts, extension_state, judge, numbers

LINE = (
    "{}\t2MMRE5MTB8\tcom.obsproject.obs-studio.mac-camera-extension (30.2.0/9914953239)"
    "\tcom.obsproject.obs-studio.mac-camera-extension\t[{}]\n"
)
HEAD = (
    "2 extension(s)\n--- com.apple.system_extension.cmio\nenabled\tactive\tteamID\tbundleID (version)\tname\t[state]\n"
)
OTHER = "*\t*\tR84MX49LQY\tcom.iriun.macwebcam.extension (1.0/1)\tExtension\t[activated enabled]\n"
READY = MacFacts(macos=14, pyvirtualcam=(0, 15, 0), obs=(30, 2, 0), extension="activated enabled")


def camera(facts: MacFacts) -> Finding:
    found = judge(facts)[0]
    assert found.name == "virtual camera"
    return found


def test_an_allowed_extension_is_fine() -> None:
    found = camera(READY)
    assert found.fine
    assert "stopped while live runs" in found.text


@pytest.mark.parametrize(
    ("macos", "place"), [(13, "Privacy & Security"), (14, "Privacy & Security"), (15, "Login Items")]
)
def test_a_waiting_extension_is_to_be_allowed_where_this_macos_has_it(macos: int, place: str) -> None:
    found = camera(replace(READY, macos=macos, extension="activated waiting for user"))
    assert not found.fine
    assert place in found.mend[0]
    assert "quit OBS" in found.mend[1]


def test_an_extension_that_was_never_started() -> None:
    found = camera(replace(READY, extension=""))
    assert not found.fine
    assert "press Start Virtual Camera" in found.mend[0]
    assert len(found.mend) == 3


def test_an_extension_that_waits_for_a_restart() -> None:
    found = camera(replace(READY, extension="terminated waiting to uninstall on reboot"))
    assert not found.fine
    assert "restart the Mac" in found.mend[0]


def test_obs_is_missing_too_old_or_in_the_wrong_folder() -> None:
    missing = camera(replace(READY, obs=None, extension=""))
    assert missing.mend[0].startswith("brew install --cask obs")
    assert (
        camera(replace(READY, obs=None, elsewhere="/Users/a/Applications/OBS.app")).mend[0].startswith("mv /Users/a/")
    )
    old = camera(replace(READY, obs=(29, 1, 3)))
    assert "OBS Studio 29.1.3" in old.text
    assert not any(finding.fine for finding in (missing, old))
    assert camera(replace(READY, obs=())).fine  # a version that is not told is not held against it


def test_pyvirtualcam_before_0_14_cannot_feed_extensions() -> None:
    found = camera(replace(READY, pyvirtualcam=(0, 13, 0)))
    assert found.mend == ('pip install --upgrade "pyvirtualcam>=0.14"',)
    assert camera(MacFacts(macos=12, pyvirtualcam=(0, 13, 0), plugin=True)).fine


def test_old_macos_uses_the_plugin() -> None:
    missing = camera(MacFacts(macos=12))
    assert not missing.fine
    assert "28 or later" in missing.mend[0]
    assert len(camera(MacFacts(macos=12, obs=(28, 0, 0))).mend) == 2
    assert not camera(replace(READY, extension="", plugin=True)).fine  # from 13 on it is not looked at


def test_the_application_that_needs_the_permission_is_named() -> None:
    found = judge(replace(READY, terminal="iTerm"))[1]
    assert found.name == "camera access"
    assert "iTerm" in found.text
    assert "Privacy_Camera" in found.mend[0]


def test_the_extensions_state_is_read_from_the_systems_list() -> None:
    assert extension_state(HEAD + LINE.format("*\t*", "activated enabled") + OTHER) == "activated enabled"
    assert extension_state(HEAD + LINE.format("\t*", "activated waiting for user")) == "activated waiting for user"
    two = LINE.format("\t", "terminated waiting to uninstall on reboot") + LINE.format("*\t*", "activated enabled")
    assert extension_state(HEAD + two) == "activated enabled"
    assert extension_state(HEAD + OTHER) == ""


def test_versions_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert numbers("0.15.0rc1") == (0, 15, 0)
    app = tmp_path / "OBS.app"
    (app / "Contents").mkdir(parents=True)
    monkeypatch.setattr(macos, "APP", app)
    monkeypatch.setattr(macos, "_extensions", lambda: "")
    assert macos.look("0.15.0").obs == ()
    (app / "Contents/Info.plist").write_bytes(plistlib.dumps({"CFBundleShortVersionString": "30.2.1"}))
    assert macos.look("0.15.0").obs == (30, 2, 1)
    (app / "Contents/Info.plist").write_bytes(b"no list")
    assert macos.look("0.15.0").obs == ()
