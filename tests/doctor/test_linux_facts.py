"""What is read from a machine's files, on files that look like them."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from live.doctor import linux_facts
from live.doctor.linux_facts import SECURE_BOOT, LinuxFacts, look
from live.output import loopback


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(linux_facts, "loopback_states", lambda: [])
    monkeypatch.setattr(loopback, "MODULE", tmp_path / "sys/module/v4l2loopback")
    return tmp_path


def write(path: Path, text: str | bytes = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def test_an_empty_machine_has_nothing(root: Path) -> None:
    assert look(root) == LinuxFacts(takes_modules=False)


def test_a_prepared_machine(root: Path) -> None:
    modules = root / "lib/modules" / platform.release()
    write(
        modules / "modules.dep",
        "kernel/a.ko: \nupdates/dkms/v4l2loopback.ko.xz: kernel/drivers/media/v4l2-core/videodev.ko",
    )
    write(modules / "build/Makefile")
    write(root / "proc/modules")
    write(root / "usr/src/v4l2loopback-0.12.7/dkms.conf")
    write(root / "etc/os-release", 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n')
    write(root / SECURE_BOOT, b"\6\0\0\0\1")
    write(root / "var/lib/shim-signed/mok/MOK.der")
    write(root / "sys/class/video4linux/video0/name")
    write(root / "etc/modules-load.d/cameras.conf", "# cameras\nv4l2loopback\n")
    write(
        root / "etc/modprobe.d/obs.conf",
        '#options v4l2loopback card_label=old\noptions v4l2loopback card_label="A B,live" devices=2\n',
    )
    facts = look(root)
    assert (facts.built, facts.headers, facts.sources, facts.takes_modules, facts.loaded) == (
        True,
        True,
        True,
        True,
        False,
    )
    assert (facts.family, facts.secure_boot, facts.key) == ("debian", True, "/var/lib/shim-signed/mok/MOK.der")
    assert (facts.taken, facts.at_start) == (frozenset({0}), True)
    assert (facts.labels_at_start, facts.options_file) == ("A B,live", "/etc/modprobe.d/obs.conf")


@pytest.mark.parametrize(
    ("id", "family"),
    [("debian", "debian"), ("fedora", "fedora"), ("arch", "arch"), ('"opensuse-leap"', "suse"), ("nixos", "")],
)
def test_families_of_distributions(root: Path, id: str, family: str) -> None:
    write(root / "etc/os-release", f"VERSION_ID=1\nID={id}\n")
    assert look(root).family == family


def test_the_driver_without_version_and_state_is_old(root: Path) -> None:
    write(root / "sys/module/v4l2loopback/refcnt", "0")
    assert look(root).old
    write(root / "sys/module/v4l2loopback/version", "0.15.0\n")
    assert (look(root).old, look(root).version) == (False, "0.15.0")


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_containers_are_known_by_their_marks(root: Path, mark: str) -> None:
    assert not look(root).container
    write(root / mark)
    assert look(root).container


def test_unreadable_settings_are_no_reason_to_fail(root: Path) -> None:
    write(root / "etc/modprobe.d/broken.conf", b'options v4l2loopback card_label="never closed \xff\n')
    (root / "etc/modules").mkdir()
    assert look(root).labels_at_start == ""
