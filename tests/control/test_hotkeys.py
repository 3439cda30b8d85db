"""Hotkeys on a real X server (Xvfb will do), pressed by xdotool; and how other systems write and refuse them."""

from __future__ import annotations

import logging
import queue
import shutil
import subprocess
import time

import pytest

from live.control import bindings
from live.control.commands import COMMANDS
from live.control.hotkeys import listen, macos, windows
from live.control.hotkeys.x11 import X11Hotkeys

WAIT_S = 20.0
on_screen = pytest.mark.screen


@pytest.fixture
def pressed() -> queue.Queue[str]:
    return queue.Queue()


def press(*keys: str) -> None:
    subprocess.run(["xdotool", "key", *keys], check=True, timeout=WAIT_S)


def listening(bound: dict[str, str], heard: queue.Queue[str]) -> X11Hotkeys:
    hotkeys = listen(bound, heard.put)
    assert isinstance(hotkeys, X11Hotkeys)
    assert hotkeys.ready.wait(WAIT_S)
    return hotkeys


@pytest.fixture
def display(screen: str, monkeypatch: pytest.MonkeyPatch) -> str:
    if not shutil.which("xdotool"):
        pytest.skip("no xdotool")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return screen


@on_screen
def test_bound_keys_are_heard_whatever_has_the_keyboard_and_no_others(display: str, pressed: queue.Queue[str]) -> None:
    hotkeys = listening({"ctrl+alt+n": "next-face", "f9": "panic", "ctrl+alt+space": "pause"}, pressed)
    press("n", "ctrl+n", "ctrl+alt+n", "F9", "ctrl+alt+space", "ctrl+alt+shift+n", "F9")
    assert [pressed.get(timeout=WAIT_S) for _ in range(4)] == ["ctrl+alt+n", "f9", "ctrl+alt+space", "f9"]
    assert pressed.empty()
    hotkeys.close()
    hotkeys.close()


@on_screen
def test_keys_work_with_num_lock_and_caps_lock_on(display: str, pressed: queue.Queue[str]) -> None:
    hotkeys = listening({"ctrl+alt+p": "panic"}, pressed)
    for lock in ("Num_Lock", "Caps_Lock"):
        press(lock)
        press("ctrl+alt+p")
        assert pressed.get(timeout=WAIT_S) == "ctrl+alt+p"
        press(lock)
    hotkeys.close()


@on_screen
def test_a_key_that_is_held_down_counts_once(display: str, pressed: queue.Queue[str]) -> None:
    hotkeys = listening({"f8": "panic", "f9": "pause"}, pressed)
    subprocess.run(["xdotool", "keydown", "F8", "sleep", "1", "keyup", "F8", "key", "F9"], check=True, timeout=WAIT_S)
    assert pressed.get(timeout=WAIT_S) == "f8"
    assert pressed.get(timeout=WAIT_S) == "f9"
    hotkeys.close()


@on_screen
def test_a_key_that_belongs_to_another_program_is_named_and_the_others_work(
    display: str, pressed: queue.Queue[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = listening({"f7": "panic"}, queue.Queue())
    with caplog.at_level(logging.WARNING):
        second = listening({"f7": "pause", "f6": "next-face"}, pressed)
    assert "f7" in caplog.text
    assert "pause" in caplog.text
    press("F6")
    assert pressed.get(timeout=WAIT_S) == "f6"
    second.close()
    first.close()
    third = listening({"f7": "panic"}, pressed)  # was given back
    press("F7")
    assert pressed.get(timeout=WAIT_S) == "f7"
    third.close()


@on_screen
def test_the_run_goes_on_when_the_display_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "320x200x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    monkeypatch.setenv("DISPLAY", f":{server.stdout.readline().strip()}")
    hotkeys = listening({"f9": "panic"}, queue.Queue())
    server.terminate()
    server.wait(WAIT_S)
    deadline_s = time.monotonic() + WAIT_S
    while "display is gone" not in caplog.text:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    hotkeys.close()
    server.stdout.close()


@on_screen
def test_a_display_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":4242")
    listening({"f9": "panic"}, queue.Queue()).close()
    assert ":4242 cannot be opened" in caplog.text


def test_on_wayland_it_is_said_plainly_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with caplog.at_level(logging.INFO, "live"):
        assert listen({"f9": "panic"}, print) is None
    assert "Wayland" in caplog.text
    assert "live ctl panic" in caplog.text


def test_without_a_display_or_bindings_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert listen({"f9": "panic"}, print) is None
    assert listen({}, print) is None


def test_every_key_of_the_table_can_be_had_on_windows_and_macos() -> None:
    keys = [key for command in COMMANDS for key in command.anywhere]
    assert all(windows.code_of(key) is not None for key in keys)
    assert [macos.written(key) for key in ("ctrl+alt+n", "f9", "super+space", "+")] == [
        "<ctrl>+<alt>+n", "<f9>", "<cmd>+<space>", "+",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*bindings.NAMED, *bindings.FUNCTIONS])
def test_every_named_key_has_a_number_on_windows(name: str) -> None:
    assert windows.code_of(f"ctrl+{name}") is not None


def test_every_named_key_is_one_on_x11() -> None:
    from live.control.hotkeys import x11_child

    try:
        library = x11_child.load()
    except OSError:
        pytest.skip("no libX11 here")
    for name in (*bindings.NAMED, *bindings.FUNCTIONS):
        assert library.XStringToKeysym(x11_child.NAMES.get(name, name).encode()), name
