"""The window on a real X server (Xvfb will do): run with DISPLAY set."""

import ctypes
import ctypes.util
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from live.errors import OutputError, UsageError
from live.output import open_output
from live.output.window_child import key_name
from live.values import PixelFormat

from .frames import format_of, noise

WAIT_S = 40.0
OPENINGS, PAINTED_S = 6, 8.0
"""Qt 5.15, of which OpenCV's windows are made, now and then misses on a busy machine that its window was mapped, and
paints nothing (measured: 1 of 20 windows with a window manager, 4 of 20 without; OpenCV alone does it too)."""
GRAB = """
import sys, av
container = av.open(sys.argv[1], format="x11grab")
pixels = next(container.decode(video=0)).to_ndarray(format="bgr24")
sys.stdout.buffer.write(pixels[120, 160].tobytes())
"""


@pytest.fixture
def display(screen):
    if not shutil.which("xdotool"):
        pytest.skip("no xdotool")
    return screen


def plain(colour):
    frame = noise(0, PixelFormat.BGR, 320, 240)
    frame.planes[0][...] = colour
    return frame


class Fed:
    """Sends a picture twenty times a second, as a session does, until the output fails or the block ends."""

    def __init__(self, output, frame):
        self.error = None
        self._output, self._frame, self._done = output, frame, threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self):
        while not self._done.wait(0.05):
            try:
                self._output.send(self._frame)
            except OutputError as error:
                self.error = error
                return

    def __enter__(self):
        self._thread.start()
        return self

    def stop(self):
        self._done.set()

    def __exit__(self, *_):
        self.stop()
        self._thread.join()


def wait_until(happened):
    deadline_s = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline_s


def pixel(display):
    """The screen's pixel in the middle of the window; grabbed by a process of its own."""
    grab = subprocess.run([sys.executable, "-c", GRAB, display], capture_output=True, timeout=30, check=True)
    return tuple(grab.stdout)


@contextmanager
def shown(display, frame, colour):
    """An output that is fed with a frame, and whose window shows its colour."""
    for _ in range(OPENINGS):
        output = open_output("window", format_of(plain((0, 0, 0)), live=True))
        try:
            with Fed(output, frame) as fed:
                if painted(display, colour):
                    yield output, fed
                    return
        finally:
            output.close()
    raise AssertionError(f"no window showed {colour}")


def painted(display, colour):
    deadline_s = time.monotonic() + PAINTED_S
    while time.monotonic() < deadline_s:
        if pixel(display) == colour:
            return True
    return False


def window_number():
    found = subprocess.run(["xdotool", "search", "--name", "^live$"], capture_output=True, text=True, timeout=30)
    return found.stdout.split()[0] if found.stdout.split() else None


def ask_to_close(display, number):
    """What the cross in a window's corner does: a WM_DELETE_WINDOW message."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    message = (ctypes.c_long * 24)()
    message[0] = 33  # ClientMessage
    message[4] = int(number)
    message[5] = x11.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    message[6] = 32
    message[7] = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(connection, ctypes.c_ulong(int(number)), 0, ctypes.c_long(0), message)
    x11.XCloseDisplay(connection)


@pytest.mark.screen
def test_a_picture_appears_a_key_arrives_and_closing_means_q(display):
    colour = (30, 200, 90)
    with shown(display, plain(colour), colour) as (output, fed):
        for key, name in (("n", "n"), ("P", "p"), ("F5", "f5"), ("Left", "left"), ("space", "space")):
            subprocess.run(["xdotool", "key", "--window", window_number(), key], check=True, timeout=30)
            assert output.keys.get(timeout=WAIT_S) == name
        ask_to_close(display, window_number())
        assert output.keys.get(timeout=WAIT_S) == "q"
        wait_until(lambda: fed.error is not None)
        assert "closed" in str(fed.error)
    assert window_number() is None


@pytest.mark.screen
def test_another_size_and_format_is_shown_too_and_the_slate_when_nobody_feeds_it(display):
    grey = noise(0, PixelFormat.I420, 64, 64)
    grey.planes[0][...], grey.planes[1][...], grey.planes[2][...] = 235, 128, 128
    white = (255, 255, 255)
    with shown(display, grey, white) as (output, fed):
        assert output.keys.empty()
        fed.stop()
        wait_until(lambda: pixel(display) not in (white, (0, 0, 0)))
        output.close()


def test_without_a_screen_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(OutputError, match="DISPLAY is not set"):
        open_output("window", format_of(noise(0), live=True))


def test_a_screen_that_is_not_there_is_one_line(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("X11 only")
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(OutputError, match="window"):
        open_output("window", format_of(noise(0), live=True))


def test_options_are_refused():
    with pytest.raises(UsageError, match="big"):
        open_output("window:big", format_of(noise(0), live=True))


@pytest.mark.parametrize(
    ("code", "platform", "name"),
    [
        (ord("n"), "linux", "n"),
        (ord("N"), "linux", "n"),
        (ord("3"), "win32", "3"),
        (27, "darwin", "escape"),
        (32, "linux", "space"),
        (65474, "linux", "f5"),
        (65362, "linux", "up"),
        (0x250000, "win32", "left"),
        (0x780000, "win32", "f9"),
        (63240, "darwin", "f5"),
        (65505, "linux", None),
        (0, "linux", None),
    ],
)
def test_keys_have_names(code, platform, name):
    assert key_name(code, platform) == name
