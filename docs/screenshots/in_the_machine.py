"""Runs inside the virtual machine: `live` feeds the camera `live`, Chromium shows it in a page; a picture of that.

Called by chromium.py as `in_the_machine.py FOLDER CLIP`. Leaves in FOLDER: screen0.xwd, screen1.xwd ... (the whole
display at several moments), report.json (what the page saw) and the programs' logs. Standard library only: the machine
is emulated and imports are slow.
"""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from devtools import Chromium
from programs import Programs, wait_until

DEVICE, LABEL = "/dev/video0", "live"
DISPLAY, WIDTH_PX, HEIGHT_PX = ":9", 1280, 800
CAMERA_S = 240.0
"""Longest wait for the camera's first picture: `live` starts in 13 s when it has the emulated machine to itself."""
PAGE_S = 90.0
SCREENS, PAUSE_S = 6, 2.3
"""Pictures taken and the time between them: one of them shows open eyes."""
QUERYCAP, VIDEO_CAPTURE = 0x80685600, 0x1
"""linux/videodev2.h"""
BROWSER = (f"--window-size={WIDTH_PX},{HEIGHT_PX}", "--window-position=0,0", "--force-dark-mode")
# Networks are too slow in an emulated machine: the clip was swapped before, here it is only played.
CAMERA = ("-m", "live.cli", "--preset", "pass", "--set", "capture.loop=true")


class Page(http.server.BaseHTTPRequestHandler):
    """Serves camera.html and nothing else, silently."""

    def do_GET(self) -> None:
        """Answer `/`."""
        if self.path != "/":
            self.send_error(404)
            return
        page = Path(__file__).with_name("camera.html").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def main() -> int:
    """Take the picture. Returns the exit code."""
    folder, clip = Path(sys.argv[1]), Path(sys.argv[2])
    began_s = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began_s:5.1f} s] {text}", flush=True)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 80), Page)  # 80: the address bar says `localhost`
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Programs(folder) as programs:
        play = [sys.executable, *CAMERA, "--input", str(clip), "--pace", "real", "--output", "virtualcam"]
        live = programs.start("live", play)
        # First the camera: Chromium lists cameras once and hears of newcomers from udev, which does not run here. And
        # one after the other, because `live` gives its camera's process a limited time to start.
        wait_until(lambda: live.poll() is not None or _is_camera(), CAMERA_S, f"{DEVICE} did not become a camera")
        tell(f"{DEVICE} is a camera")
        screen = f"{WIDTH_PX}x{HEIGHT_PX}x24"
        programs.start("xvfb", ["Xvfb", DISPLAY, "-screen", "0", screen, "-nolisten", "tcp"])
        wait_until(Path(f"/tmp/.X11-unix/X{DISPLAY[1:]}").exists, PAGE_S, "Xvfb does not start")
        os.environ["DISPLAY"] = DISPLAY
        profile = Path(tempfile.mkdtemp())  # the machine forgets it
        browser = programs.enter_context(Chromium(profile, BROWSER, folder / "chromium.log"))
        browser.attach()
        tell("Chromium answers")
        if live.poll() is not None:
            raise SystemExit("live has ended")
        _show(browser)
        tell("the page shows pictures")
        report = _watch(browser, folder)
        tell("pictures taken")
    (folder / "report.json").write_text(json.dumps(report))
    return 0


def _show(browser: Chromium) -> None:
    """Open the page and let it show the camera. Raises: SystemExit when it cannot."""
    browser.call("Page.navigate", url="http://localhost/")
    wait_until(lambda: bool(browser.evaluate("typeof watch === 'function'")), PAGE_S, "the page does not load")
    for kind in ("mousePressed", "mouseReleased"):  # the page has the focus, not the address bar
        browser.call("Input.dispatchMouseEvent", type=kind, x=20, y=20, button="left", clickCount=1)
    browser.evaluate("watch()")

    def shows() -> bool:
        state = browser.evaluate("camera")
        if state["error"]:
            raise SystemExit(f"the page cannot show the camera: {state['error']}")
        return bool(state["frames"] >= 2)

    wait_until(shows, PAGE_S, "the page shows no picture")


def _watch(browser: Chromium, folder: Path) -> dict[str, Any]:
    """Let the page watch the camera for a while: its report."""
    first = browser.evaluate("report()")
    for number in range(SCREENS):
        subprocess.run(["xwd", "-root", "-silent", "-out", str(folder / f"screen{number}.xwd")], check=True)
        time.sleep(PAUSE_S)
    last = browser.evaluate("report()")
    fps = (last["frames"] - first["frames"]) / max(1e-3, last["lastS"] - first["lastS"])
    return {**last, "fps": fps, "browser": browser.call("Browser.getVersion")["product"]}


def _is_camera() -> bool:
    """Whether the device can be read: with exclusive_caps=1 only while somebody feeds it."""
    try:
        descriptor = os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        answer = fcntl.ioctl(descriptor, QUERYCAP, bytes(104))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    (capabilities,) = struct.unpack_from("=I", answer, 88)  # device_caps
    return bool(capabilities & VIDEO_CAPTURE)


if __name__ == "__main__":
    sys.exit(main())
