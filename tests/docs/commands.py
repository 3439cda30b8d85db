"""Finds the commands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "docker/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
PROGRAMS = ("live", "make", "pip", "sudo", "docker", "git", "flatpak", "winget", "echo", "python", "srt-live-transmit")
SHELLS = ("", "sh", "bash", "console")
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def commands_of(page: Path) -> list[str]:
    """The commands of a page in their order: lines of blocks, then what stands between backticks."""
    text = (ROOT / page).read_text("utf-8")
    found = [line for language, block in FENCE.findall(text) if language in SHELLS for line in _lines(block)]
    found += re.findall(r"`([^`]+)`", FENCE.sub("", text).replace("\n", " "))
    return [part for line in found for part in map(str.strip, line.split("&&")) if _is_command(part)]


def commands() -> dict[str, Path]:
    """Every command once, with the page where it stands first."""
    found: dict[str, Path] = {}
    for page in PAGES:
        for command in commands_of(page):
            found.setdefault(command, page)
    return found


def _lines(block: str) -> list[str]:
    joined = re.sub(r"\s*\\\n\s*", " ", block)
    return [re.sub(r"\s+# .*$", "", line).strip() for line in joined.splitlines()]


def _is_command(text: str) -> bool:
    """A whole line: not the name of a program alone, not with something left out."""
    words = text.split()
    return len(words) > 1 and words[0] in PROGRAMS and "..." not in text and "…" not in text
