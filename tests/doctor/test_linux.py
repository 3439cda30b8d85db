"""What the doctor makes of the facts of Linux machines. The mends are commands: they are compared word by word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from live.capture.devices import Opener
from live.doctor.finding import Finding
from live.doctor.linux import judge, options
from live.doctor.linux_facts import LinuxFacts
from live.doctor.loopbacks import OWN_CHILD, LoopbackState
from live.doctor.programs import Program

DEBIAN = LinuxFacts(family="debian", headers=True)
BUILT = replace(DEBIAN, built=True, sources=True)
OWN = LoopbackState("/dev/video10", "live", exclusive=True)
READY = replace(BUILT, loaded=True, version="0.15.0", devices=(OWN,), taken=frozenset({10}))
LOAD = "sudo modprobe v4l2loopback video_nr=10 card_label=live exclusive_caps=1"
CHROME, ZOOM_SNAP = Program("Chrome"), Program("Zoom", "snap", "zoom-client", exclusive=False, camera=True)
LIVE = Opener("python", 71, "writes", f"python -m {OWN_CHILD}")
FFMPEG = Opener("ffmpeg", 147, "opens", "ffmpeg -i clip.mp4")


def camera(facts: LinuxFacts) -> Finding:
    found = judge(facts)[0]
    assert found.name == "virtual camera"
    return found


def named(facts: LinuxFacts, name: str) -> Finding:
    [found] = [finding for finding in judge(facts) if finding.name == name]
    return found


@pytest.mark.parametrize(
    ("family", "headers", "install"),
    [
        ("debian", True, "sudo apt install v4l2loopback-dkms"),
        ("debian", False, "sudo apt install v4l2loopback-dkms linux-headers-$(uname -r)"),
        ("fedora", True, "sudo dnf install akmod-v4l2loopback   # from RPM Fusion (rpmfusion.org)"),
        ("arch", True, "sudo pacman -S v4l2loopback-dkms"),
        ("suse", False, "sudo zypper install v4l2loopback-kmp-default"),
        ("", False, "# install the package v4l2loopback-dkms"),
    ],
)  # fmt: skip
def test_a_driver_that_is_not_installed(family: str, headers: bool, install: str) -> None:
    found = camera(LinuxFacts(family=family, headers=headers))
    assert (found.fine, found.mend) == (False, (install, LOAD))
    assert "not installed" in found.text


def test_a_driver_that_is_installed_but_not_loaded() -> None:
    found = camera(BUILT)
    assert (found.fine, found.mend) == (False, (LOAD,))
    assert "not loaded" in found.text


@pytest.mark.parametrize(
    ("key", "imported"), [("", "/var/lib/dkms/mok.pub"), ("/var/lib/shim-signed/mok/MOK.der",) * 2]
)
def test_secure_boot_may_refuse_the_driver(key: str, imported: str) -> None:
    found = camera(replace(BUILT, secure_boot=True, key=key))
    assert found.mend[0] == LOAD
    assert "Key was rejected by service" in found.mend[1]
    assert found.mend[2].startswith(f"sudo mokutil --import {imported} ")


def test_a_driver_that_dkms_could_not_build_for_want_of_headers() -> None:
    found = camera(LinuxFacts(family="debian", sources=True))
    assert found.mend == ("sudo apt install linux-headers-$(uname -r)", "sudo dkms autoinstall", LOAD)
    assert "headers" in found.text


def test_a_driver_that_dkms_did_not_build() -> None:
    found = camera(replace(DEBIAN, sources=True))
    assert found.mend[0] == "sudo dkms autoinstall"
    assert "make.log" in found.mend[1]
    assert found.mend[-1] == LOAD


def test_a_loaded_driver_without_cameras_is_loaded_again() -> None:
    found = camera(replace(BUILT, loaded=True))
    assert found.mend[0].startswith("sudo modprobe -r v4l2loopback")
    assert found.mend[1] == LOAD


def test_a_kernel_without_drivers_wsl_and_a_container_are_sent_elsewhere() -> None:
    assert "no drivers" in camera(LinuxFacts(takes_modules=False)).text
    assert "under Windows itself" in camera(LinuxFacts(windows_inside=True)).mend[0]
    inside = camera(replace(BUILT, container=True))
    assert inside.mend[1:] == (LOAD, "docker run --device /dev/video10 --group-add video ...")
    assert "container" in inside.text


def test_a_container_that_was_not_given_the_device() -> None:
    found = camera(replace(READY, container=True, devices=(replace(OWN, there=False, group="render"),)))
    assert found.mend == ("docker run --device /dev/video10 --group-add render ...",)
    assert not found.fine


def test_a_device_without_its_node() -> None:
    found = camera(replace(READY, devices=(replace(OWN, there=False),)))
    assert found.mend[1] == LOAD
    assert "node is missing" in found.text


def test_a_device_that_this_user_may_not_open() -> None:
    facts = replace(READY, devices=(replace(OWN, allowed=False),))
    assert camera(facts).mend[0] == "sudo usermod -aG video $USER"
    assert camera(replace(facts, in_group=True)).mend == ("# log out and in again",)
    assert "--group-add video" in camera(replace(facts, container=True)).mend[0]
    assert not camera(facts).fine


def test_a_free_camera_of_our_own_is_fine() -> None:
    found = judge(READY)
    assert [(finding.name, finding.fine) for finding in found] == [
        ("virtual camera", True),
        ("exclusive_caps", True),
        ("camera driver", True),
        ("after a restart", False),
    ]
    assert '/dev/video10 "live", free' in found[0].text
    assert found[2].text.startswith("v4l2loopback 0.15.0: one program at a time")


def test_a_reader_that_stayed_is_named() -> None:
    held = replace(OWN, setting="NV12 640x480", users=(FFMPEG,))
    found = camera(replace(READY, devices=(held,)))
    assert found.fine
    assert found.text.startswith('/dev/video10 "live", free, NV12 640x480; open in ffmpeg (process 147); ')


def test_only_another_programs_camera_would_be_taken() -> None:
    other = LoopbackState("/dev/video0", "OBS Virtual Camera", exclusive=True)
    found = camera(replace(READY, devices=(other,), taken=frozenset({0})))
    assert found.fine
    assert '/dev/video0 "OBS Virtual Camera" would be taken' in found.text
    line = 'devices=2 video_nr=10,0 card_label="live,OBS Virtual Camera" exclusive_caps=1,1'
    assert found.mend[1] == f"sudo modprobe v4l2loopback {line}"


def test_a_camera_that_live_feeds_names_its_readers() -> None:
    using = replace(OWN, fed=True, setting="NV12 1280x720", users=(LIVE, replace(FFMPEG, program="chromium")))
    found = camera(replace(READY, devices=(using,)))
    assert found.fine
    assert found.text == '/dev/video10 "live", fed by live now, NV12 1280x720; open in chromium (process 147)'


def test_a_camera_that_another_program_feeds_is_named_with_it() -> None:
    busy = replace(OWN, fed=True, setting="YUYV 640x480", users=(FFMPEG,))
    found = camera(replace(READY, devices=(busy,)))
    assert not found.fine
    assert found.text == '/dev/video10 "live" is held by ffmpeg (process 147), YUYV 640x480'
    assert found.mend == ("# close the camera in ffmpeg (process 147)",)
    unseen = camera(replace(READY, devices=(replace(busy, users=()),)))
    assert unseen.mend[0].startswith("sudo fuser -v /dev/video10")


def test_a_fed_camera_of_another_program_is_left_alone_when_a_free_one_is_there() -> None:
    obs = LoopbackState("/dev/video0", "OBS", fed=True, users=(FFMPEG,), exclusive=True)
    free = LoopbackState("/dev/video1", "spare", exclusive=True)
    assert '/dev/video1 "spare" would be taken' in camera(replace(READY, devices=(obs, free))).text
    only = camera(replace(READY, devices=(obs,), taken=frozenset({0})))
    assert not only.fine
    assert only.mend[-1].startswith("sudo modprobe v4l2loopback devices=2 video_nr=10,0 card_label=live,OBS")


def test_browsers_want_exclusive_caps() -> None:
    plain = replace(READY, devices=(replace(OWN, exclusive=False),))
    found = named(replace(plain, installed=(CHROME,)), "exclusive_caps")
    assert not found.fine
    assert found.text.startswith("0, but Chrome wants 1 ")
    assert found.mend[1] == LOAD
    assert named(plain, "exclusive_caps").fine


def test_the_zoom_snap_wants_none() -> None:
    found = named(replace(READY, installed=(ZOOM_SNAP,)), "exclusive_caps")
    assert not found.fine
    assert found.mend[1] == LOAD.replace("exclusive_caps=1", "exclusive_caps=0")
    plain = replace(READY, devices=(replace(OWN, exclusive=False),), installed=(ZOOM_SNAP,))
    assert named(plain, "exclusive_caps").fine


def test_a_browser_and_the_zoom_snap_get_a_camera_each() -> None:
    facts = replace(READY, installed=(CHROME, ZOOM_SNAP))
    found = named(facts, "exclusive_caps")
    line = "devices=2 video_nr=10,11 card_label=live,live-zoom exclusive_caps=1,0"
    assert found.mend[1:] == (
        f"sudo modprobe v4l2loopback {line}",
        "live --output virtualcam:live --output virtualcam:live-zoom",
    )
    both = replace(facts, devices=(OWN, LoopbackState("/dev/video11", "live-zoom", exclusive=False)))
    assert named(both, "exclusive_caps").fine
    assert named(both, "after a restart").mend[1].split("'")[1] == f"options v4l2loopback {line}"


def test_a_second_camera_is_kept_and_turned_for_the_zoom_snap() -> None:
    second = LoopbackState("/dev/video11", "live-zoom", exclusive=True)
    facts = replace(READY, devices=(OWN, second), taken=frozenset({10, 11}))
    line = "devices=2 video_nr=10,11 card_label=live,live-zoom exclusive_caps="
    assert options(facts) == line + "1,1"
    assert options(replace(facts, installed=(CHROME, ZOOM_SNAP))) == line + "1,0"


def test_a_driver_that_does_not_tell_is_not_blamed() -> None:
    unknown = replace(READY, devices=(replace(OWN, exclusive=None),), installed=(CHROME,))
    assert named(unknown, "exclusive_caps").fine


def test_the_next_start() -> None:
    line = "options v4l2loopback video_nr=10 card_label=live exclusive_caps=1"
    write = f"echo '{line}' | sudo tee /etc/modprobe.d/v4l2loopback.conf"
    load = "echo v4l2loopback | sudo tee /etc/modules-load.d/v4l2loopback.conf"
    assert named(READY, "after a restart").mend == (load, write)
    half = replace(READY, at_start=True)
    assert named(half, "after a restart").mend == (write,)
    other = replace(half, labels_at_start="OBS", options_file="/etc/modprobe.d/obs.conf")
    assert named(other, "after a restart").mend[0] == write.replace("video_nr", "devices=1 video_nr")
    assert "/etc/modprobe.d/obs.conf" in named(other, "after a restart").mend[1]
    done = named(replace(other, labels_at_start="OBS,live"), "after a restart")
    assert (done.fine, done.mend) == (True, ())


def test_what_is_peculiar_to_a_driver_is_told() -> None:
    old = replace(READY, version="", old=True)
    assert "frozen" in named(old, "camera driver").text
    plain = replace(old, devices=(replace(OWN, exclusive=False),))
    assert named(plain, "camera driver").text == "v4l2loopback 0.12 or older"
    assert named(replace(READY, version="0.14.0"), "camera driver").text == "v4l2loopback 0.14.0"
    assert "does not tell" in named(replace(READY, version=""), "camera driver").text


def test_sandboxes_are_named_with_or_without_a_camera() -> None:
    shut = Program("Chromium", "snap", "chromium", camera=False)
    flat = Program("Discord", "flatpak", "com.discordapp.Discord", camera=False)
    for facts in (DEBIAN, READY):
        found = judge(replace(facts, installed=(shut, flat, replace(shut, camera=None))))[-2:]
        assert [finding.mend[0].partition("   #")[0] for finding in found] == [
            "sudo snap connect chromium:camera",
            "flatpak override --user --device=all com.discordapp.Discord",
        ]
        assert not any(finding.fine for finding in found)


def test_a_number_that_a_webcam_has_is_not_given_away() -> None:
    assert options(replace(BUILT, taken=frozenset({0, 10, 11}))).startswith("video_nr=12 ")


def test_a_label_cannot_end_the_command_line() -> None:
    other = LoopbackState("/dev/video3", 'x"; rm -rf ~ ,$(id)', exclusive=False)
    line = options(replace(BUILT, devices=(other,)))
    assert line == 'devices=2 video_nr=10,3 card_label="live,x   rm -rf     (id)" exclusive_caps=1,0'
