"""What every command's grammar is made of: a parser whose mistakes are one line, and the kinds of its values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn

from live.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Mistakes in one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where help is."""
        raise UsageError(f"{message}; `{self.prog} --help` shows what is allowed")


class Lines(argparse.RawDescriptionHelpFormatter):
    """Help as it was written, as wide as our lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=118)


def add_command(commands: Any, name: str, help: str, run: Callable[[argparse.Namespace], int]) -> Parser:
    """Add a command that `run` carries out. Returns its parser."""
    added: Parser = commands.add_parser(name, help=help, description=help, formatter_class=Lines)
    added.add_argument("--verbose", action="store_true", help=argparse.SUPPRESS)
    added.set_defaults(run=run)
    return added


def seconds(text: str) -> float:
    """A duration. Raises: argparse.ArgumentTypeError for none or more than a week."""
    value = float(text)
    if not 0 < value <= 7 * 86400:
        raise argparse.ArgumentTypeError(f"{text} is not a time from 0 s to a week")
    return value


def count(text: str) -> int:
    """A whole number from 1 on. Raises: argparse.ArgumentTypeError for another."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 on")
    return int(text)


def size_px(text: str) -> tuple[int, int]:
    """A size as people write it, `1280x720`: width and height. Raises: UsageError."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None:
        raise UsageError(f"--size {text} is not a size; write it like 1280x720")
    return int(found[1]), int(found[2])


def interrupt(*_: object) -> NoReturn:
    """A signal handler: ends the run as Ctrl+C does."""
    raise KeyboardInterrupt
