"""Virtual cameras as sysfs and the driver show them, on files and answers that look like theirs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from live.capture.devices import Opener
from live.doctor.loopbacks import OWN_CHILD, loopback_states, named
from live.output import loopback

CAPTURE, OUTPUT, DEVICE_CAPS = 0x1, 0x2, 0x80000000


class Machine:
    """Sysfs and /dev with virtual cameras, and the kernel's answer about each."""

    def __init__(self, folder: Path) -> None:
        self.entries, self.dev = folder / "entries", folder / "dev"
        self.dev.mkdir()
        self.capabilities: dict[str, int] = {}

    def add(self, node: str, label: str, capabilities: int, **files: str) -> None:
        entry = self.entries / node
        entry.mkdir(parents=True)
        for name, text in {"name": label, "format": "", "max_openers": "10", **files}.items():
            (entry / name).write_text(text + "\n")
        (self.dev / node).touch()
        self.capabilities[node] = capabilities

    def control(self, descriptor: int, request: int, buffer: bytearray) -> None:
        assert request == loopback.QUERYCAP
        capabilities = self.capabilities[Path(f"/proc/self/fd/{descriptor}").resolve().name]
        if not capabilities:
            raise OSError(25, "Inappropriate ioctl for device")
        struct.pack_into("II", buffer, 84, 0xFFFFFFFF, capabilities | DEVICE_CAPS)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    built = Machine(tmp_path)
    monkeypatch.setattr(loopback, "DEVICES", built.entries)
    monkeypatch.setattr(loopback, "MODULE", tmp_path / "module")
    return built


def test_cameras_of_driver_0_12(machine: Machine) -> None:
    machine.add("video10", "live", CAPTURE, format="NV12:1280x720@30")
    machine.add("video2", "spare", OUTPUT)
    machine.add("video3", "other driver's", CAPTURE)
    (machine.entries / "video3/max_openers").unlink()
    spare, own = loopback_states(machine.dev, machine.control, lambda path: [])
    assert (spare.path, spare.label, spare.fed, spare.setting, spare.exclusive) == (
        "/dev/video2",
        "spare",
        False,
        "",
        True,
    )
    assert (own.number, own.own, own.fed, own.setting, own.exclusive) == (10, True, True, "NV12 1280x720", True)
    assert own.there
    assert own.allowed


def test_since_0_13_a_reader_alone_is_no_feeding(machine: Machine) -> None:
    machine.add("video0", "live", OUTPUT, format="YU12:640x480@30", state="output")
    machine.add("video1", "fed", CAPTURE, format="YU12:640x480@30", state="capture")
    states = loopback_states(machine.dev, machine.control, lambda path: [])
    assert [(state.fed, state.setting) for state in states] == [(False, "YU12 640x480"), (True, "YU12 640x480")]


def test_a_device_that_gives_and_takes_is_not_exclusive(machine: Machine) -> None:
    machine.add("video0", "live", CAPTURE | OUTPUT)
    machine.add("video1", "silent", 0)
    plain, silent = loopback_states(machine.dev, machine.control, lambda path: [])
    assert (plain.exclusive, silent.exclusive) == (False, None)
    (loopback.MODULE / "parameters").mkdir(parents=True)
    (loopback.MODULE / "parameters/exclusive_caps").write_text("N,Y,N\n")
    assert loopback_states(machine.dev, machine.control, lambda path: [])[1].exclusive is True


def test_a_node_that_a_container_was_not_given(machine: Machine) -> None:
    machine.add("video10", "live", OUTPUT)
    (machine.dev / "video10").unlink()
    [state] = loopback_states(machine.dev, machine.control, lambda path: [])
    assert (state.there, state.allowed, state.users) == (False, False, ())


def test_our_own_child_is_known_among_the_users(machine: Machine) -> None:
    machine.add("video10", "live", CAPTURE, format="YU12:640x480@30")
    users = [
        Opener("python3", 71, "writes", f"/usr/bin/python3 -m {OWN_CHILD} {{}}"),
        Opener("obs", 80, "opens", "/usr/bin/obs"),
    ]
    [state] = loopback_states(machine.dev, machine.control, lambda path: users)
    assert state.fed_by_live
    assert [named(user) for user in state.users] == ["live (process 71)", "obs (process 80)"]
