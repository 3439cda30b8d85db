"""Where the program's data files are: presets, weights, bundled people. In the wheel they lie inside the package.

And where the user's own lie.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / "data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def configs_dir() -> Path:
    """Presets, one YAML file each."""
    return _folder("configs")


def models_dir() -> Path:
    """Embedded weights."""
    return _folder("models")


def people_dir() -> Path:
    """Bundled composite people."""
    return models_dir() / "people"


def home_dir() -> Path:
    """The user's own data: $LIVE_HOME, else the platform's folder for user data."""
    # Imported when asked: `live bench precision` runs where only torch, onnx and OpenCV are.
    import platformdirs

    return Path(os.environ.get("LIVE_HOME") or platformdirs.user_data_dir("live", appauthor=False))


def cache_dir() -> Path:
    """What can be made again: `cache` in $LIVE_HOME, else the platform's folder for caches."""
    import platformdirs

    home = os.environ.get("LIVE_HOME")
    return Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("live", appauthor=False))
