"""A screen for the tests that open windows."""

import os
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def _server():
    """An X server of our own; its display."""
    if sys.platform != "linux" or not shutil.which("Xvfb"):
        yield None
        return
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    number = process.stdout.readline().strip()
    yield f":{number}" if number else None
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def screen(_server, monkeypatch):
    """The display, also in the environment."""
    if _server is None:
        pytest.skip("needs Xvfb")
    monkeypatch.setenv("DISPLAY", _server)
    assert os.environ["DISPLAY"] == _server
    return _server
