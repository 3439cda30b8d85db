"""What this process takes from its machine: processor time and memory. None or 0 where the system does not say."""

from __future__ import annotations

import os
from pathlib import Path


def stolen_s() -> float:
    """Seconds that a virtual machine's processors were given to others so far; 0 where the system does not say."""
    path = Path("/proc/stat")
    return int(path.read_text().split()[8]) / os.sysconf("SC_CLK_TCK") if path.exists() else 0.0


def memory_mb() -> float | None:
    """Memory of this process that is in use, MB (resident set size, Linux only)."""
    path = Path("/proc/self/statm")
    return round(int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1) if path.exists() else None
