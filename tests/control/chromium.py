"""A real Chromium, driven by the DevTools protocol. Knows pages and keys, nothing about what is tested."""

from __future__ import annotations

import asyncio
import base64
import json
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp

WAIT_S = 20.0
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip


class Chromium:
    """One browser with one page. Its talk with the browser runs on a thread of its own."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        command = ["chromium", *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            found = re.search(r"ws://127\.0\.0\.1:(\d+)/", line)
            if found:
                break
        else:
            raise RuntimeError("chromium did not start")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()
        self.wrong: list[str] = []
        """Errors that the page's console and log told of."""
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._number = 0
        self._ready = threading.Event()
        self._port = int(found[1])
        self._thread = threading.Thread(target=lambda: asyncio.run(self._talk()), daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        for domain in ("Page", "Runtime", "Log", "DOM", "Network"):
            self.call(f"{domain}.enable")

    async def _talk(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{self._port}/json") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as self._socket:
                self._ready.set()
                async for message in self._socket:
                    self._hear(json.loads(message.data))

    def _hear(self, told: dict[str, Any]) -> None:
        if "id" in told:
            self._answers.pop(told["id"]).put(told)
        elif told["method"] == "Runtime.exceptionThrown":
            self.wrong.append(str(told["params"]["exceptionDetails"]))
        elif told["method"] == "Runtime.consoleAPICalled" and told["params"]["type"] in ("error", "warning"):
            self.wrong.append(str(told["params"]["args"]))
        elif told["method"] == "Log.entryAdded" and told["params"]["entry"]["level"] in ("error", "warning"):
            self.wrong.append(f"{told['params']['entry']['text']} {told['params']['entry'].get('url', '')}")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something and wait for the answer."""
        self._number += 1
        waiting = self._answers[self._number] = queue.Queue()
        message = json.dumps({"id": self._number, "method": method, "params": params})
        asyncio.run_coroutine_threadsafe(self._socket.send_str(message), self._loop).result(WAIT_S)
        answer = waiting.get(timeout=WAIT_S)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def open(self, address: str) -> None:
        """Go to a page and wait until its scripts have run."""
        self.wrong.clear()
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete' || document.readyState === 'interactive'")

    def value(self, expression: str) -> Any:
        """What an expression is on the page."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, timeout_s: float = WAIT_S) -> None:
        """Wait until an expression holds on the page."""
        deadline_s = time.monotonic() + timeout_s
        while not self.value(f"Boolean({expression})"):  # a part of the page has no value of its own
            assert time.monotonic() < deadline_s, f"{expression} did not come to hold; on the page: {self.wrong}"
            time.sleep(0.03)

    def click(self, selector: str) -> None:
        """Click with the mouse where an element is, which has to be on top there."""
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        x, y = self.value(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, text: str = "") -> None:
        """Press a key, `Tab`, `Enter` or a letter."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, " ": 32}
        code = codes.get(key, ord(key[0].upper()))
        text = text or {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                **({"text": text} if kind == "keyDown" and text else {}),
            )  # fmt: skip

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file input a file."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def looks(self, width_px: int, height_px: int, scheme: str = "light", *, phone: bool = False) -> None:
        """Set the window's size, and light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width_px, height=height_px, deviceScaleFactor=1, mobile=phone
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shot(self, path: Path) -> None:
        """Write what the page looks like into a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the browser."""
        asyncio.run_coroutine_threadsafe(self._socket.close(), self._loop).result(WAIT_S)
        self._process.terminate()
        self._process.wait(WAIT_S)
        self._thread.join(WAIT_S)
        shutil.rmtree(self._profile, ignore_errors=True)
