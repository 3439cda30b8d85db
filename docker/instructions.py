"""Reads a Dockerfile and .dockerignore: the instructions that the project's own use. Knows text only."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FLAGS = {"RUN": {"mount"}, "COPY": {"from", "chown"}, "HEALTHCHECK": {"interval", "timeout", "start-period"}}
SETTINGS = {"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "VOLUME"}
"""Instructions that change no file."""
KNOWN = {"ARG", "COPY", "ENV", "FROM", "RUN", "SHELL", "USER", "WORKDIR"} | SETTINGS


@dataclass(frozen=True)
class Instruction:
    """One instruction: `RUN --mount=a --mount=b rest`."""

    line: int
    name: str
    flags: dict[str, list[str]]
    rest: str

    def words(self, values: Mapping[str, str]) -> list[str]:
        """What follows the name, in either form, with variables put in."""
        rest = expand(self.rest.removeprefix("CMD "), values)
        return [str(word) for word in json.loads(rest)] if rest.startswith("[") else shlex.split(rest)


def parse(text: str) -> list[Instruction]:
    """Read a Dockerfile. Raises: ValueError for what is not known here."""
    found: list[Instruction] = []
    joined, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"#\s*(escape|syntax)\s*=", line):
            raise ValueError(f"line {number}: not known here: {line[:80]}")
        if line.lstrip().startswith("#") or not line.strip():
            continue
        begun = begun if joined else number
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        name, _, rest = joined.strip().partition(" ")
        flags: dict[str, list[str]] = {}
        while match := re.match(r"\s*--([a-z-]+)=(\S+)\s*", rest):
            flags.setdefault(match[1], []).append(match[2])
            rest = rest[match.end() :]
        if name not in KNOWN or flags.keys() - FLAGS.get(name, set()) or rest.startswith("--") or "<<" in rest:
            raise ValueError(f"line {begun}: not known here: {joined.strip()[:80]}")
        found.append(Instruction(begun, name, flags, rest.strip()))
        joined = ""
    if joined:
        raise ValueError(f"line {begun}: the last instruction has no end")
    return found


def expand(text: str, values: Mapping[str, str]) -> str:
    """Put variables in: $NAME, ${NAME}, ${NAME:-else}, ${NAME:+then}."""

    def value(match: re.Match[str]) -> str:
        name, sign, other = match[1] or match[4], match[2], match[3]
        given = values.get(name, "")
        return (other if given else "") if sign == "+" else given or other or ""

    return re.sub(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))", value, text)


def ignored(path: str, rules: Sequence[str]) -> bool:
    """Whether the rules of .dockerignore keep a path out; the last that fits decides."""
    out = False
    for rule in rules:
        parts = re.split(r"(\*\*/|\*|\?)", rule.removeprefix("!").strip("/"))
        pattern = "".join({"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in parts)
        if re.fullmatch(pattern + "(?:/.*)?", path):
            out = not rule.startswith("!")
    return out
