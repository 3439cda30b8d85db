"""Chromium, started here and steered over its DevTools pipe: two descriptors, messages that end with a zero byte.

Standard library only, because every import takes seconds in an emulated machine. Knows the protocol's frame, not what
the commands mean.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from programs import end

ANSWER_S = 120.0
"""Longest wait for one answer; an emulated Chromium takes half a minute to start."""
FLAGS = (
    "--no-sandbox",  # root has none
    "--test-type",  # no bar that says so
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # says yes to the question for the camera; the camera is a real device
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)


class Chromium:
    """One browser with one page."""

    def __init__(self, profile: Path, flags: Sequence[str], log: Path) -> None:
        """Start it. Args: profile an empty folder; log takes what Chromium says."""
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # bash, because descriptors 3 and 4 are the protocol's and may be taken here.
        wired = f'exec "$@" 3<&{commands} 4>&{answers}'
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", *flags, "about:blank"]
        try:
            with log.open("wb") as said:
                self._process = subprocess.Popen(
                    ["bash", "-c", wired, "chromium", *command],
                    pass_fds=(commands, answers),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                )
        finally:
            os.close(commands)
            os.close(answers)
        self._number = 0
        self._received = b""
        self._session: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def attach(self) -> None:
        """Take hold of the page: commands go to it from now on."""
        target = next(info for info in self.call("Target.getTargets")["targetInfos"] if info["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result. Raises: RuntimeError with Chromium's words; TimeoutError."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            answer = self._message(deadline_s)
            if answer.get("id") != self._number:
                continue  # an event
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page. Raises: RuntimeError when it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def close(self) -> None:
        """End the browser. May be called twice."""
        end(self._process)
        for descriptor in (self._read, self._write):
            if descriptor >= 0:
                os.close(descriptor)
        self._read = self._write = -1

    def _message(self, deadline_s: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise TimeoutError(f"Chromium did not answer within {ANSWER_S:g} s")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError("Chromium ended; its log says why")
            self._received += data
        message, self._received = self._received.split(b"\0", 1)
        parsed: dict[str, Any] = json.loads(message)
        return parsed
