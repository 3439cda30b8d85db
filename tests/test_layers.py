"""Imports point only downward, and the CPU path imports no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import live

ROOT = Path(live.__file__).parent
LAYERS = [
    {"values", "errors", "resources", "arguments", "consent", "addresses", "preset"},
    {"latest", "memory", "pace", "meter", "config", "privacy", "licences"},
    {"pixels", "nets"},
    {"capture", "output"},
    {"faces"},
    {"swap"},
    {"lane"},
    {"marking", "session", "governor", "engines"},
    {"auto", "device_engines", "ends"},
    {"studio", "doctor"},
    {"control"},
    {"onair", "bench"},
    {"cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("live."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("live.")}
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_own_layer_or_below(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room == "__init__":
        assert not imports_of(path)
        return
    assert room in RANK, f"{room} has no place in the house; see LAYERS"
    upward = {name for name in imports_of(path) if RANK[name] > RANK[room]}
    assert not upward
    beside = {name for name in imports_of(path) - {room} if RANK[name] == RANK[room]}
    assert not beside - {"values", "errors", "latest", "meter", "pixels", "nets", "marking", "session"}, beside


def test_the_embedded_engine_and_the_command_line_import_no_torch() -> None:
    code = "import sys, live.cli, live.studio, live.onair; import live.swap.mesh; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
