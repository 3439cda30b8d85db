"""What the doctor makes of the facts of Windows machines."""

from __future__ import annotations

import sys

import pytest

from live.doctor.finding import Finding
from live.doctor.windows import UNITY_FILTERS, WindowsFacts, judge, look

FOLDER = r"C:\Program Files\obs-studio"
UNITY = ("Unity Video Capture", "Unity Video Capture #2")


def camera(facts: WindowsFacts) -> Finding:
    found = judge(facts)[0]
    assert found.name == "virtual camera"
    return found


def test_obs_is_not_installed() -> None:
    found = camera(WindowsFacts())
    assert not found.fine
    assert found.mend[0] == "winget install -e --id OBSProject.OBSStudio"
    assert "Stop Virtual Camera" in found.mend[1]


def test_obs_is_installed_without_its_camera() -> None:
    found = camera(WindowsFacts(obs_folder=FOLDER))
    assert not found.fine
    script = r"C:\Program Files\obs-studio\data\obs-plugins\win-dshow\virtualcam-install.bat"
    assert found.mend == (f'"{script}"   # as administrator',)


def test_obs_camera_is_there_and_free_or_fed() -> None:
    free = camera(WindowsFacts(obs_registered=True, obs_folder=FOLDER))
    assert (free.fine, free.mend) == (True, ())
    assert "stopped while live runs" in free.text
    fed = camera(WindowsFacts(obs_registered=True, obs_fed=True))
    assert not fed.fine
    assert "press Stop Virtual Camera" in fed.mend[0]


def test_unity_capture_stands_in_for_obs_and_stands_beside_it() -> None:
    alone = judge(WindowsFacts(unity=UNITY))
    assert alone[0].fine
    assert alone[0].mend[-1].endswith('live --output "virtualcam:Unity Video Capture"')
    assert alone[1].name == "Unity Capture"
    assert '"Unity Video Capture #2"' in alone[1].text
    both = judge(WindowsFacts(obs_registered=True, unity=UNITY))
    assert [finding.name for finding in both] == ["virtual camera", "Unity Capture", "camera access"]


def test_privacy_switches_that_are_off_are_named() -> None:
    assert judge(WindowsFacts())[-1].fine
    off = judge(WindowsFacts(denied=("Let desktop apps access your camera",)))[-1]
    assert not off.fine
    assert "Let desktop apps access your camera" in off.text
    assert off.mend[0].startswith("start ms-settings:privacy-webcam")


def test_unity_captures_keys_skip_the_one_of_the_library() -> None:
    assert UNITY_FILTERS[:3] == (
        "CLSID\\{5C2CD55C-92AD-4999-8666-912BD3E70010}",
        "CLSID\\{5C2CD55C-92AD-4999-8666-912BD3E70012}",
        "CLSID\\{5C2CD55C-92AD-4999-8666-912BD3E70013}",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="looks at other systems")
def test_looking_elsewhere_sees_nothing() -> None:
    assert look() == WindowsFacts()
