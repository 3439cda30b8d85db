"""What all tests share: the test material and the rules about skipping."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import av  # noqa: F401  before any test loads OpenCV, see live/cli.py
import pytest

MARKS = {
    "gpu": lambda: Path("/proc/driver/nvidia/version").exists(),
    "screen": lambda: sys.platform == "linux" and shutil.which("Xvfb") is not None,
    "browser": lambda: shutil.which("chromium") is not None,
    "vm": lambda: shutil.which("qemu-system-x86_64") is not None,
    "stream": lambda: shutil.which("nginx") is not None,
}
WHAT = {"gpu": "an NVIDIA GPU", "screen": "Xvfb", "browser": "chromium", "vm": "QEMU", "stream": "nginx"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, present in MARKS.items():
        if item.get_closest_marker(name) is not None and not present():
            missing(name, f"needs {WHAT[name]}")


def missing(name: str, reason: str) -> None:
    """Skip, or fail where REQUIRE_<NAME>=1 says that it has to be there."""
    if os.environ.get(f"REQUIRE_{name.upper()}") == "1":
        pytest.fail(f"REQUIRE_{name.upper()}=1, but: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test material."""
    folder = os.environ.get("LIVE_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        missing("data", "LIVE_TEST_DATA does not name the folder of test material")
    return Path(str(folder))


@pytest.fixture(autouse=True)
def _own_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's gallery or models."""
    monkeypatch.setenv("LIVE_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.delenv("LIVE_MODELS", raising=False)
    monkeypatch.delenv("LIVE_MODELS_OFFLINE", raising=False)
